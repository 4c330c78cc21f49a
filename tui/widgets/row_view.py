"""Drawing of a list: column titles and the rows in view."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from textual.cache import LRUCache
from textual.content import Content
from textual.reactive import reactive
from textual.strip import Strip

from tui.presentation import safe
from tui.widgets.columns import GAP, Column, fit
from tui.widgets.line import (
    StyledRun,
    as_content,
    cursor_bar,
    fit_cell,
    match_spans,
    plain_text,
    style_of,
    to_strip,
)
from tui.widgets.line_scroll import LineScroll

R = TypeVar("R")

GUTTER = 3
"""Cells before the first column: the cursor's bar, the mark and a blank."""


class RowView(LineScroll, Generic[R]):
    """Draws a list: rows, cursor, marks, highlights.

    ``columns`` are in drawing order; ``key`` returns a row's key, which stays the same as long as
    the row exists; ``empty`` is shown when there are no rows. ``row_style`` returns a row's style
    in Textual's syntax (``$foreground-muted``), ``""`` for none. ``heading`` returns the text that
    replaces a row's cells across all columns, or None for a row with cells.
    """

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
        & > .row-list--hit { background: $warning 14%; text-style: bold underline; }
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
    """The text that is shown when there are no rows; may have several lines."""

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
        self._chosen: tuple[str, ...] = ()
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
    def chosen_columns(self) -> Sequence[str]:
        """The keys of the columns that may be shown; none for all."""
        return self._chosen

    def choose_columns(self, keys: Sequence[str]) -> None:
        """Show only the columns with these keys, as far as they fit; without keys, show all."""
        known = {column.key for column in self._columns}
        self._chosen = tuple(key for key in keys if key in known)
        self.redraw()

    @property
    def columns(self) -> Sequence[Column[R]]:
        """All columns, including those that do not fit."""
        return self._columns

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
        if self._keys:
            return self._keys[self._cursor]
        return None

    @property
    def cursor_row(self) -> R | None:
        if self._keys:
            return self._rows[self._cursor]
        return None

    @property
    def cursor_index(self) -> int | None:
        """The cursor's index in display order, from 0."""
        if self._keys:
            return self._cursor
        return None

    @property
    def column(self) -> Column[R] | None:
        """The column of the cursor; None if the cursor has no visible column."""
        return next(
            (column for column, _ in self._shown_columns() if column.key == self._column), None
        )

    def line(self, row: R) -> str:
        """Return a row as one line of visible text with all columns."""
        cells = [plain_text(column.cell(row)) for column in self._columns]
        return "  ".join(filter(None, cells))

    def show_sort(self, column: str | None, descending: bool = False) -> None:
        """Mark the column, given by its key, by which the rows are sorted."""
        self._sort = None if column is None else (column, descending)
        self.refresh()

    def watch_empty(self) -> None:
        self.refresh()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self.redraw()

    def redraw(self) -> None:
        """Redraw every row, since cells may change with time."""
        self._strips.clear()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        if y < self.HEADER:
            return self._header()
        index = self.top + y - self.HEADER
        if index >= len(self._keys):
            return self._empty_line(y)
        at_cursor = index == self._cursor
        is_marked = self._keys[index] in self._marks
        line = self._strips.get((index, at_cursor, is_marked))
        if line is None:
            line = self._row_line(index, at_cursor, is_marked)
            self._strips[(index, at_cursor, is_marked)] = line
        return line

    def _empty_line(self, y: int) -> Strip:
        """Draw a line below the rows, or a line of ``empty``."""
        base = self.get_visual_style("row-list--empty")
        runs: list[StyledRun] = []
        if not self._keys:
            text = safe.text(f"\n{self.empty}", lines=True)
            lines = text.wrap(max(1, self.cells - GUTTER))
            if y - self.HEADER < len(lines):
                runs.append((" " * GUTTER + lines[y - self.HEADER].plain.rstrip(), base))
        return to_strip(runs, self.cells, base)

    def _shown_columns(self) -> list[tuple[Column[R], int]]:
        columns = self._columns
        if self._chosen:
            columns = tuple(column for column in columns if column.key in self._chosen)
        return fit(columns, self.cells - GUTTER)

    def _header(self) -> Strip:
        base = self.get_visual_style("row-list--header")
        runs: list[StyledRun] = [(" " * GUTTER, base)]
        for column, cells in self._shown_columns():
            arrow = self._sort_arrow(column)
            title = column.title if isinstance(column.title, str) else column.title()
            content = Content(safe.clip(title, cells - len(arrow)) + arrow)
            style = base + self.part("row-list--cell") if column.key == self._column else base
            runs += fit_cell(content, cells, column.align, style, self.app)
            runs.append((" " * GAP, base))
        return to_strip(runs, self.cells, base)

    def _sort_arrow(self, column: Column[R]) -> str:
        if self._sort is None or self._sort[0] != column.key:
            return ""
        return "↓" if self._sort[1] else "↑"

    def _row_line(self, index: int, at_cursor: bool, is_marked: bool) -> Strip:
        row = self._rows[index]
        background = self.row_style("row-list--cursor", at_cursor)
        base = background
        if self._row_style is not None:
            base += style_of(self._row_style(row), self.app)
        runs: list[StyledRun] = [
            (cursor_bar(at_cursor), background + self.part("row-list--bar")),
            ("✓ " if is_marked else "  ", background + self.part("row-list--mark")),
        ]
        heading = self._heading(row) if self._heading is not None else None
        if heading is not None:
            cells = self.cells - GUTTER
            runs += fit_cell(self._highlighted(heading, cells), cells, "left", base, self.app)
            return to_strip(runs, self.cells, background)
        for column, cells in self._shown_columns():
            content = as_content(column.cell(row))
            if column.shorten is not None and content.cell_length > cells:
                content = as_content(column.shorten(row, cells))
            content = self._highlighted(content, cells)
            in_cursor_cell = at_cursor and column.key == self._column
            style = base + self.part("row-list--cell") if in_cursor_cell else base
            runs += fit_cell(content, cells, column.align, style, self.app)
            runs.append((" " * GAP, base))
        return to_strip(runs, self.cells, background)

    def _highlighted(self, cell: Content, cells: int) -> Content:
        """Cut a cell to ``cells`` and highlight its matches.

        For a match beyond the cut, the ``…`` is highlighted.
        """
        cut = cell.truncate(cells, ellipsis=True)
        if self._pattern is None or not cut.plain:
            return cut
        style = self.part("row-list--hit")
        last = len(cut.plain) - 1
        for start, end in match_spans(self._pattern, cell.plain):
            cut = cut.stylize(style, min(start, last), min(end, last + 1))
        return cut
