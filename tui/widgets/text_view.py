"""Lines of text, wrapped to the width, with a pager's keys."""

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

_HANGING_INDENT = 4
"""Cells by which continuation lines are indented further than the wrapped line's beginning."""


class TextView(LineScroll, can_focus=True, inherit_bindings=False):
    """Lines of text; a subclass gives each kind of text its style."""

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
        """Show lines of already visible text, from the first line on."""
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
        direction = 1 if pages > 0 else -1
        self.action_scroll_by(int(self.page * pages) or direction)

    def on_resize(self) -> None:
        self._wrap()

    def _wrap(self) -> None:
        cells = max(1, self.cells)
        self._wrapped = []
        for line in self._lines:
            self._wrapped += _wrap_line(line, cells)
        self.set_rows(len(self._wrapped))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        row = self.top + y
        line = self._wrapped[row] if row < len(self._wrapped) else []
        runs = [(text, self.kind_style(kind)) for text, kind in line]
        return to_strip(runs, self.cells, self.visual_style)


def _wrap_line(line: TextLine, cells: int) -> Iterator[TextLine]:
    """Split a line into parts of at most ``cells`` cells."""
    if sum(cell_len(text) for text, _ in line) <= cells:
        yield line
        return
    first = line[0][0]
    indent = min(len(first) - len(first.lstrip(" ")) + _HANGING_INDENT, cells // 2)
    part: list[tuple[str, str]] = []
    cells_left = cells
    for text, kind in line:
        if cell_len(text) > cells_left:
            head = chop_cells(text, cells_left)[0] if cells_left > 0 else ""
            yield [*part, (head, kind)]
            *full_parts, text = chop_cells(text[len(head) :], cells - indent)
            part, cells_left = [(" " * indent, "plain")], cells - indent
            for full_part in full_parts:
                yield [*part, (full_part, kind)]
        part.append((text, kind))
        cells_left -= cell_len(text)
    yield part
