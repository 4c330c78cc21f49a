"""What stands on the terminal, cell by cell, so that only what differs is written: over a slow line bytes are time.

Textual writes whole each part of the screen that it drew again, and all colours with each run of letters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import COLOR_SYSTEMS, Console
from textual.geometry import Size
from textual.strip import Strip

from tui.terminal.sgr import on_blank, turned
from tui.terminal.textual_private import ChopsUpdate, CompositorUpdate, LayoutUpdate

Cell = tuple[str, str]
"""A letter and its SGR codes. Letters that do not take one cell each are all in the first cell of
their run, and nothing is in its others."""

Part = tuple[int, int, Iterable[Strip]]
"""What is to stand on the terminal: line, column, strips."""

_GAP = 4
"""So many cells that stand as they should are written again, where going around them takes no fewer
bytes."""


class Terminal:
    """Knows what was written. Whenever something else may have written there too, it must
    ``forget``."""

    def __init__(self) -> None:
        self.size = Size(0, 0)
        """As it was when it was written to last."""
        self._lines: list[list[Cell | None]] = []

    def forget(self) -> None:
        """Anything may stand there: all is written again as it is drawn."""
        self._lines = [[None] * self.size.width for _ in range(self.size.height)]

    def text(self) -> Iterator[str]:
        """The letters of each line, as far as they are known."""
        return ("".join(cell[0] if cell else " " for cell in line) for line in self._lines)

    def lean(self, update: CompositorUpdate) -> CompositorUpdate:
        """The same update in fewer bytes."""
        if isinstance(update, LayoutUpdate):
            return _Lean(self._write, list(_whole(update)), update.region.size)
        if isinstance(update, ChopsUpdate):
            return _Lean(
                self._write,
                list(_chopped(update)),
                Size(update.chop_ends[0][-1], len(update.chops)),
            )
        return update

    def _write(self, parts: Iterable[Part], size: Size, colours: ColorSystem) -> str:
        if size != self.size:
            self.size = size
            self.forget()
        brush = _Brush(size.width)
        for y, x, strips in parts:
            line = self._lines[y]
            cells = _cells(strips, colours)[: size.width - x]
            end = x + len(cells)
            for first, last in _differing(line[x:end], cells):
                brush.draw(y, x + first, cells[first:last])
            line[x:end] = cells
        return brush.lifted()


class _Lean(CompositorUpdate):
    """Is compared with what stands there only when it is written: Textual drops some updates."""

    def __init__(
        self,
        write: Callable[[Iterable[Part], Size, ColorSystem], str],
        parts: list[Part],
        size: Size,
    ) -> None:
        self._write, self._parts, self._size = write, parts, size

    def render_segments(self, console: Console) -> str:
        return self._write(
            self._parts, self._size, COLOR_SYSTEMS[console.color_system or "truecolor"]
        )


def _whole(update: LayoutUpdate) -> Iterator[Part]:
    for y, strips in enumerate(update.strips, update.region.y):
        yield y, update.region.x, strips


def _chopped(update: ChopsUpdate) -> Iterator[Part]:
    for y, left, right in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=True):
            if strip is not None and x < right and end > left:
                yield y, x, [strip]


def _cells(strips: Iterable[Strip], colours: ColorSystem) -> list[Cell]:
    cells: list[Cell] = []
    for strip in strips:
        for text, style, _ in strip:
            run = _run(text, Strip.render_ansi(style, colours) if style else "")
            if not run and cells:  # marks on the letter before
                head = _head(cells, len(cells) - 1)
                cells[head] = cells[head][0] + text, cells[head][1]
            cells += run
    return cells


@lru_cache(8192)
def _run(text: str, style: str) -> Sequence[Cell]:
    if text.isascii() or all(cell_len(letter) == 1 for letter in text):
        blank = on_blank(style)
        return [(letter, blank if letter == " " else style) for letter in text]
    return [(text, style), *[("", style)] * (cell_len(text) - 1)][: cell_len(text)]


def _head(cells: Sequence[Cell], place: int) -> int:
    """The cell that holds the letters of the one at ``place``."""
    while place and not cells[place][0]:
        place -= 1
    return place


def _differing(before: Sequence[Cell | None], after: Sequence[Cell]) -> Iterator[tuple[int, int]]:
    """Where to write: ``[start, end)`` of cells, from the letters on that those of no width alone
    belong to."""
    if before == after:
        return
    start = end = -1
    for place, (old, new) in enumerate(zip(before, after, strict=True)):
        if old == new:
            continue
        first = _head(after, place)
        if start < 0:
            start = first
        elif first - end > _GAP:
            yield start, end
            start = first
        end = place + 1
    yield start, end


class _Brush:
    """Gathers what is written, and knows where it is and how it draws."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._written: list[str] = []
        self._y = self._x = -1
        self._style = ""

    def draw(self, y: int, x: int, cells: Sequence[Cell]) -> None:
        if y != self._y:
            self._written.append(f"\x1b[{y + 1};{x + 1}H" if x else f"\x1b[{y + 1}H")
        elif x != self._x:
            self._written.append(f"\x1b[{x + 1}G")
        for letter, style in cells:
            if style != self._style and (letter != " " or style != on_blank(self._style)):
                self._written.append(turned(self._style, style))
                self._style = style
            self._written.append(letter)
        # at the end of a line terminals differ in where the next letter would go
        self._y, self._x = (y, x + len(cells)) if x + len(cells) < self._width else (-1, -1)

    def lifted(self) -> str:
        """All of it, with the terminal drawing as at first."""
        return "".join([*self._written, turned(self._style, "")])
