"""Lines of text to read: wrapped to the width, moved through by the keys of a pager."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len, chop_cells
from textual.strip import Strip
from textual.style import Style

from tui.keymap import MOVE, key
from tui.widgets.line import to_strip
from tui.widgets.line_scroll import LineScroll

TextLine = Sequence[tuple[str, str]]
"""Runs of visible text, each with its kind."""

_HANG = 4
"""Cells that a wrapped line goes on further right than it began."""


class TextView(LineScroll, can_focus=True, inherit_bindings=False):
    """What a kind of text looks like is ``kind_style``'s to say."""

    BINDINGS = [
        key("text.down", "j,down", "scroll_by(1)", "down", "A line down", MOVE),
        key("text.up", "k,up", "scroll_by(-1)", "up", "A line up", MOVE),
        key("text.first", "g,home", "scroll_first", "first", "First line", MOVE),
        key("text.last", "G,end", "scroll_last", "last", "Last line", MOVE),
        key(
            "text.half-page-down",
            "ctrl+d",
            "scroll_pages(0.5)",
            "half page down",
            "Half a page down",
            MOVE,
        ),
        key(
            "text.half-page-up",
            "ctrl+u",
            "scroll_pages(-0.5)",
            "half page up",
            "Half a page up",
            MOVE,
        ),
        key("text.page-down", "pagedown", "scroll_pages(1)", "page down", "A page down", MOVE),
        key("text.page-up", "pageup", "scroll_pages(-1)", "page up", "A page up", MOVE),
    ]

    def __init__(
        self, *, name: str | None = None, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._lines: Sequence[TextLine] = []
        self._wrapped: list[TextLine] = []

    def set_lines(self, lines: Sequence[TextLine]) -> None:
        """Show these lines from the first on. Their text is visible already."""
        self._lines = lines
        self._wrap()
        self.scroll_top(0)

    def kind_style(self, kind: str) -> Style:  # noqa: ARG002
        return self.visual_style

    def action_scroll_by(self, lines: int) -> None:
        self.scroll_top(self.top + lines)

    def action_scroll_first(self) -> None:
        self.scroll_top(0)

    def action_scroll_last(self) -> None:
        self.scroll_top(len(self._wrapped))

    def action_scroll_pages(self, pages: float) -> None:
        self.action_scroll_by(int(self.page * pages) or (1 if pages > 0 else -1))

    def on_resize(self) -> None:
        self._wrap()

    def _wrap(self) -> None:
        cells = max(1, self.cells)
        self._wrapped = [part for line in self._lines for part in _wrapped(line, cells)]
        self.set_rows(len(self._wrapped))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        row = self.top + y
        line = self._wrapped[row] if row < len(self._wrapped) else []
        return to_strip(
            [(text, self.kind_style(kind)) for text, kind in line], self.cells, self.visual_style
        )


def _wrapped(line: TextLine, cells: int) -> Iterator[TextLine]:
    """``line`` in parts of at most ``cells`` cells, the later ones under the first, a little to the
    right."""
    if sum(cell_len(text) for text, _ in line) <= cells:
        yield line
        return
    first = line[0][0]
    hang = min(len(first) - len(first.lstrip(" ")) + _HANG, cells // 2)
    part: list[tuple[str, str]] = []
    room = cells
    for text, kind in line:
        if cell_len(text) > room:
            head = chop_cells(text, room)[0] if room > 0 else ""
            yield [*part, (head, kind)]
            *full, text = chop_cells(text[len(head) :], cells - hang)
            part, room = [(" " * hang, "plain")], cells - hang
            yield from ([*part, (chunk, kind)] for chunk in full)
        part.append((text, kind))
        room -= cell_len(text)
    yield part
