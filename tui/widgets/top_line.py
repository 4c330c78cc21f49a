"""The first line of every screen: where am I, and what is so now."""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

from tui.widgets.line import CellContent, as_content

_BETWEEN = 3
"""Blank cells between two facts."""


class TopLine(Widget):
    """Where the analyst is, at the left; what is so now, at the right. What does not fit goes, the
    last fact first."""

    DEFAULT_CSS = "TopLine { height: 1; text-style: bold; }"

    def __init__(self) -> None:
        super().__init__()
        self._where = Content("")
        self._facts: list[Content] = []

    def show(self, where: CellContent, *facts: CellContent) -> None:
        """``where`` and ``facts`` as a list's cells: plain ``str`` is taken for log text."""
        self._where = as_content(where)
        self._facts = [as_content(fact) for fact in facts]
        self.refresh()

    def render(self) -> Content:
        cells = self.size.width
        facts = [fact for fact in self._facts if fact]
        # the first fact stays, and half the line is enough to say where
        while len(facts) > 1 and _width(facts) + min(self._where.cell_length, cells // 2) > cells:
            facts.pop()
        right = Content(" " * _BETWEEN).join(facts).truncate(cells, ellipsis=True)
        where = self._where.truncate(
            max(0, cells - right.cell_length - (_BETWEEN if facts else 0)), ellipsis=True
        )
        blank = " " * (cells - where.cell_length - right.cell_length)
        return Content.assemble(where, blank, right.stylize_before("not bold"))


def _width(facts: list[Content]) -> int:
    return sum(fact.cell_length + _BETWEEN for fact in facts)
