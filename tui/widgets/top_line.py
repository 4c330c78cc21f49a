"""The first line of every screen: breadcrumbs and status."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from tui.widgets.line import CellContent, as_content

_GAP = 3
"""Blank cells between two status items."""


class TopLine(Widget):
    """The title at the left, the status items at the right.

    Items that do not fit are left out, the last item first.
    """

    DEFAULT_CSS = "TopLine { height: 1; text-style: bold; }"

    def __init__(self) -> None:
        super().__init__()
        self._title = Content("")
        self._items: list[Content] = []

    def show(self, title: CellContent, *items: CellContent) -> None:
        """Show a title and status items; a ``str`` is treated as log text."""
        self._title = as_content(title)
        self._items = [as_content(item) for item in items]
        self.refresh()

    def render(self) -> Content:
        cells = self.size.width
        items = [item for item in self._items if item]
        # the first item stays, and half the line is enough for the title
        title_cells = min(self._title.cell_length, cells // 2)
        while len(items) > 1 and _width(items) + title_cells > cells:
            items.pop()
        right = Content(" " * _GAP).join(items).truncate(cells, ellipsis=True)
        gap = _GAP if items else 0
        left = self._title.truncate(max(0, cells - right.cell_length - gap), ellipsis=True)
        padding = " " * (cells - left.cell_length - right.cell_length)
        return Content.assemble(left, padding, right.stylize_before("not bold"))


def _width(items: list[Content]) -> int:
    return sum(item.cell_length + _GAP for item in items)
