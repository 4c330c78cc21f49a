"""Write only changed cells, because every byte takes time over a slow connection.

Textual itself rewrites each redrawn part of the screen completely, and repeats all colours with
each run of characters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import COLOR_SYSTEMS, Console
from textual.geometry import Size
from textual.strip import Strip

from tui.terminal.sgr import blank_style, transition
from tui.terminal.textual_private import ChopsUpdate, CompositorUpdate, LayoutUpdate

DrawnCell = tuple[str, str]
"""A character and its SGR codes. If a run has characters that do not take one cell each, its first
cell holds the whole run and its other cells are empty."""

Part = tuple[int, int, Iterable[Strip]]
"""A part to draw: line, column, strips."""

_MAX_GAP = 4
"""Up to this many unchanged cells are rewritten, because moving the cursor takes more bytes."""


class DiffRenderer:
    """Remembers what was written to the terminal, and writes only the differences.

    Call ``forget`` whenever another program may have written to the terminal.
    """

    def __init__(self) -> None:
        self.size = Size(0, 0)
        """The size of the terminal at the last write."""
        self._lines: list[list[DrawnCell | None]] = []

    def forget(self) -> None:
        """Forget what was written, so that everything drawn from now on is written again."""
        self._lines = [[None] * self.size.width for _ in range(self.size.height)]

    def text(self) -> Iterator[str]:
        """Yield the text of each line; unknown cells are blank."""
        return ("".join(cell[0] if cell else " " for cell in line) for line in self._lines)

    def reduce(self, update: CompositorUpdate) -> CompositorUpdate:
        """Return an update that draws the same in fewer bytes."""
        if isinstance(update, LayoutUpdate):
            return _DiffUpdate(self._write, list(_layout_parts(update)), update.region.size)
        if isinstance(update, ChopsUpdate):
            size = Size(update.chop_ends[0][-1], len(update.chops))
            return _DiffUpdate(self._write, list(_chop_parts(update)), size)
        return update

    def _write(self, parts: Iterable[Part], size: Size, colours: ColorSystem) -> str:
        if size != self.size:
            self.size = size
            self.forget()
        writer = _CellWriter(size.width)
        for y, x, strips in parts:
            line = self._lines[y]
            cells = _cells(strips, colours)[: size.width - x]
            end = x + len(cells)
            for first, last in _differing(line[x:end], cells):
                writer.write(y, x + first, cells[first:last])
            line[x:end] = cells
        return writer.finish()


class _DiffUpdate(CompositorUpdate):
    """An update that is compared only when written, because Textual drops some updates."""

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


def _layout_parts(update: LayoutUpdate) -> Iterator[Part]:
    for y, strips in enumerate(update.strips, update.region.y):
        yield y, update.region.x, strips


def _chop_parts(update: ChopsUpdate) -> Iterator[Part]:
    for y, left, right in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=True):
            if strip is not None and x < right and end > left:
                yield y, x, [strip]


def _cells(strips: Iterable[Strip], colours: ColorSystem) -> list[DrawnCell]:
    cells: list[DrawnCell] = []
    for strip in strips:
        for text, style, _ in strip:
            codes = Strip.render_ansi(style, colours) if style else ""
            run = _run(text, codes)
            if not run and cells:  # combining marks belong to the letter before
                head = _head(cells, len(cells) - 1)
                cells[head] = cells[head][0] + text, cells[head][1]
            cells += run
    return cells


@lru_cache(8192)
def _run(text: str, style: str) -> Sequence[DrawnCell]:
    if text.isascii() or all(cell_len(letter) == 1 for letter in text):
        on_blank = blank_style(style)
        return [(letter, on_blank if letter == " " else style) for letter in text]
    length = cell_len(text)
    return [(text, style), *[("", style)] * (length - 1)][:length]


def _head(cells: Sequence[DrawnCell], index: int) -> int:
    """Return the index of the cell that holds the characters shown at ``index``."""
    while index and not cells[index][0]:
        index -= 1
    return index


def _differing(
    before: Sequence[DrawnCell | None], after: Sequence[DrawnCell]
) -> Iterator[tuple[int, int]]:
    """Yield the spans ``[start, end)`` of cells to write; a span never starts within a run."""
    if before == after:
        return
    start = end = -1
    for index, (old, new) in enumerate(zip(before, after, strict=True)):
        if old == new:
            continue
        first = _head(after, index)
        if start < 0:
            start = first
        elif first - end > _MAX_GAP:
            yield start, end
            start = first
        end = index + 1
    yield start, end


class _CellWriter:
    """Builds escape sequences that write cells, tracking the cursor and the style."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._written: list[str] = []
        self._y = self._x = -1
        self._style = ""

    def write(self, y: int, x: int, cells: Sequence[DrawnCell]) -> None:
        if y != self._y:
            self._written.append(f"\x1b[{y + 1};{x + 1}H" if x else f"\x1b[{y + 1}H")
        elif x != self._x:
            self._written.append(f"\x1b[{x + 1}G")
        for letter, style in cells:
            if style != self._style and (letter != " " or style != blank_style(self._style)):
                self._written.append(transition(self._style, style))
                self._style = style
            self._written.append(letter)
        # terminals differ in where the next character goes after the last column
        self._y, self._x = (y, x + len(cells)) if x + len(cells) < self._width else (-1, -1)

    def finish(self) -> str:
        """Return everything written, with a final reset to the terminal's own style."""
        return "".join([*self._written, transition(self._style, "")])
