"""How a list of rows is drawn: column titles, then the rows in view, each line finished once and kept for a while."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from textual.cache import LRUCache
from textual.content import Content
from textual.reactive import reactive
from textual.strip import Strip
from textual.style import Style

from tui.presentation import safe
from tui.widgets.columns import GAP, Column, fit
from tui.widgets.line import (
    StyledRun,
    as_content,
    fit_cell,
    match_spans,
    plain_text,
    style_of,
    to_strip,
)
from tui.widgets.line_scroll import LineScroll

R = TypeVar("R")

GUTTER = 3
"""Cells before the first column: the cursor's bar, the mark, a blank."""


class RowView(LineScroll, Generic[R]):
    """The picture of a list: its rows, which one the cursor is on, which are marked, what is
    highlighted.

    ``columns`` in the order they are drawn; ``key`` names a row for as long as it exists; ``empty``
    is said when there are no rows. ``row_style`` gives a row's style in Textual's syntax
    (``$foreground-muted``), ``""`` for none. ``heading`` gives what is written across all columns
    in place of a row's cells, None for a row of cells."""

    HEADER = 1

    COMPONENT_CLASSES = {
        "row-list--header",
        "row-list--cursor",
        "row-list--cell",
        "row-list--bar",
        "row-list--mark",
        "row-list--hit",
        "row-list--empty",
    }

    DEFAULT_CSS = """
    RowView {
        & > .row-list--header { color: $foreground-muted; }
        & > .row-list--empty { color: $foreground-muted; }
        & > .row-list--bar { color: $foreground-muted; }
        & > .row-list--mark { color: $accent; text-style: bold; }
        & > .row-list--hit { background: $warning 35%; text-style: underline; }
        & > .row-list--cell { text-style: bold underline; }
        & > .row-list--cursor { background: $foreground 6%; }
        &:focus > .row-list--cursor { background: $accent 14%; }
        &:focus > .row-list--bar { color: $accent; }
        &:ansi > .row-list--hit { background: ansi_default; text-style: reverse; }
        &:ansi > .row-list--cursor { background: ansi_default; text-style: bold; }
        &:ansi:focus > .row-list--cursor { background: ansi_default; }
    }
    """

    empty: reactive[str] = reactive("", init=False)
    """What is said when there are no rows; several lines if need be."""

    def __init__(
        self,
        columns: Sequence[Column[R]],
        *,
        key: Callable[[R], str],
        empty: str = "Nothing here yet.",
        row_style: Callable[[R], str] | None = None,
        heading: Callable[[R], Content | None] | None = None,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._columns = tuple(columns)
        self._key = key
        self._row_style = row_style
        self._heading = heading
        self.set_reactive(RowView.empty, empty)
        self._rows: Sequence[R] = ()
        self._keys: Sequence[str] = ()
        self._cursor = 0
        self._marks: frozenset[str] = frozenset()
        self._sort: tuple[str, bool] | None = None
        self._column: str | None = None
        self._pattern: re.Pattern[str] | None = None
        self._strips: LRUCache[tuple[int, bool, bool], Strip] = LRUCache(1024)

    @property
    def rows(self) -> Sequence[R]:
        """The rows, in display order."""
        return self._rows

    @property
    def keys(self) -> Sequence[str]:
        """The rows' keys, in display order."""
        return self._keys

    @property
    def cursor_key(self) -> str | None:
        return self._keys[self._cursor] if self._keys else None

    @property
    def cursor_row(self) -> R | None:
        return self._rows[self._cursor] if self._keys else None

    @property
    def cursor_index(self) -> int | None:
        """The cursor's place in display order, from 0."""
        return self._cursor if self._keys else None

    @property
    def column(self) -> Column[R] | None:
        """The column of the cell that the analyst is at; None: at none, or it is not shown now."""
        return next(
            (column for column, _ in self._shown_columns() if column.key == self._column), None
        )

    def line(self, row: R) -> str:
        """The row as one line of text that can be seen: every column, whether it is in view or
        not."""
        return "  ".join(filter(None, (plain_text(column.cell(row)) for column in self._columns)))

    def show_sort(self, column: str | None, descending: bool = False) -> None:
        """Say in the column titles by which column (its key) the rows are sorted; the caller sorts
        them."""
        self._sort = None if column is None else (column, descending)
        self.refresh()

    def watch_empty(self) -> None:
        self.refresh()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self.redraw()

    def redraw(self) -> None:
        """Draw every row again: what its cells say may have changed with the time."""
        self._strips.clear()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        if y < self.HEADER:
            return self._header()
        index = self.top + y - self.HEADER
        if index < len(self._keys):
            drawn_as = (index, index == self._cursor, self._keys[index] in self._marks)
            if (line := self._strips.get(drawn_as)) is None:
                line = self._strips[drawn_as] = self._row(*drawn_as)
            return line
        return self._blank(y)

    def _blank(self, y: int) -> Strip:
        """A line below the rows; where there are none, what ``empty`` says, a line below the
        titles."""
        base = self.get_visual_style("row-list--empty")
        said = (
            []
            if self._keys
            else ["", *self.empty.split("\n")][y - self.HEADER : y - self.HEADER + 1]
        )
        drawn = [
            (" " * GUTTER + safe.clip(safe.visible(line), self.cells - GUTTER), base)
            for line in said
        ]
        return to_strip(drawn, self.cells, base)

    def _shown_columns(self) -> list[tuple[Column[R], int]]:
        return fit(self._columns, self.cells - GUTTER)

    def _header(self) -> Strip:
        base = self.get_visual_style("row-list--header")
        drawn: list[StyledRun] = [(" " * GUTTER, base)]
        for column, cells in self._shown_columns():
            arrow = ""
            if self._sort and self._sort[0] == column.key:
                arrow = "↓" if self._sort[1] else "↑"
            title = column.title if isinstance(column.title, str) else column.title()
            shown = Content(safe.clip(title, cells - len(arrow)) + arrow)
            style = base + self.part("row-list--cell") if column.key == self._column else base
            drawn += [*fit_cell(shown, cells, column.align, style, self.app), (" " * GAP, base)]
        return to_strip(drawn, self.cells, base)

    def _row(self, index: int, at_cursor: bool, marked: bool) -> Strip:
        row = self._rows[index]
        ground = self.get_visual_style("row-list--cursor") if at_cursor else self.visual_style
        base = ground + style_of(self._row_style(row), self.app) if self._row_style else ground
        hit = self.part("row-list--hit")
        drawn: list[StyledRun] = [
            ("▌" if at_cursor else " ", ground + self.part("row-list--bar")),
            ("✓ " if marked else "  ", ground + self.part("row-list--mark")),
        ]
        if self._heading and (across := self._heading(row)) is not None:
            cells = self.cells - GUTTER
            drawn += fit_cell(self._painted(across, cells, hit), cells, "left", base, self.app)
            return to_strip(drawn, self.cells, ground)
        for column, cells in self._shown_columns():
            cell = self._painted(as_content(column.cell(row)), cells, hit)
            style = (
                base + self.part("row-list--cell")
                if at_cursor and column.key == self._column
                else base
            )
            drawn += fit_cell(cell, cells, column.align, style, self.app)
            drawn.append((" " * GAP, base))
        return to_strip(drawn, self.cells, ground)

    def _painted(self, cell: Content, cells: int, hit: Style) -> Content:
        """``cell`` cut to ``cells``, hits painted; one that lies beyond the cut paints the
        ``…``."""
        cut = cell.truncate(cells, ellipsis=True)
        if self._pattern and cut.plain:
            last = len(cut.plain) - 1
            for start, end in match_spans(self._pattern, cell.plain):
                cut = cut.stylize(hit, min(start, last), min(end, last + 1))
        return cut
