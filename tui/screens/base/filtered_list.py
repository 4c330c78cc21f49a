"""Screens of one list, which a filter narrows: written by hand, from a cell, or saved as a view."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

from textual.content import Content

from detector.filter import Field, Fields, Filter, FilterError, parse_filter, parse_unfinished
from detector.filter.completion import Completion, complete, frequent_values
from detector.filter.quoting import field_values, format_term
from tui.keymap import FIND, MARK, MOVE, key, key_of
from tui.presentation import format, safe
from tui.presentation.copy_formats import CopyFormat, line_format
from tui.screens.base.menu import Menu
from tui.screens.base.query_line import QueryLine
from tui.screens.base.search import SearchScreen
from tui.settings import saved_views
from tui.settings.saved_views import SavedView, ViewError
from tui.settings.session_file import ListState
from tui.widgets.row_list import RowList

R = TypeVar("R")

_OPTION_CELLS = 48

_MARGIN = 2
"""Cells left blank beside the line under a list."""

_LEAST = 8
"""Cells of a filter that are shown in any case."""


class ListScreen(SearchScreen, Generic[R]):
    """A screen of one list, which a filter narrows. It hides nothing silently: it stays written,
    with numbers."""

    BINDINGS = [
        key(
            "filter",
            "f,backslash",
            "filter",
            "filter",
            "Show only what matches: words, field:value, !not",
            FIND,
            show=True,
        ),
        key(
            "filter.with",
            "equals_sign",
            "by_cell(True)",
            "only these",
            "Show only what shares a value of this row",
            FIND,
        ),
        key(
            "filter.without",
            "minus",
            "by_cell(False)",
            "without these",
            "Hide what shares a value of this row",
            FIND,
        ),
        key(
            "column.previous",
            "h,left",
            "column(-1)",
            "column left",
            "Choose the column to the left, to filter by it",
            MOVE,
        ),
        key(
            "column.next",
            "l,right",
            "column(1)",
            "column right",
            "Choose the column to the right, to filter by it",
            MOVE,
        ),
        key(
            "views",
            "v",
            "views",
            "views",
            "Filters under a name: use one, save this one, delete one",
            FIND,
        ),
        key(
            "focus.next",
            "tab",
            "app.focus_next",
            "other half",
            "Go between the list and what it shows",
            MOVE,
        ),
        key(
            "focus.previous",
            "shift+tab",
            "app.focus_previous",
            "other half back",
            "Go between them backwards",
            MOVE,
        ),
        key("mark.all", "asterisk", "mark_all", "mark all", "Mark every row that is shown", MARK),
    ]

    fields: Fields[R]

    area = ""
    """The area that this is the first screen of: it is then left and taken up with the session."""

    def __init__(self) -> None:
        super().__init__()
        self._left: ListState | None = None
        self.filter: Filter[R] = Filter("", None)
        self._filter_before = self.filter
        self._of: Sequence[R] = ()
        self._present: dict[str, list[str]] = {}
        self.matched = (0, 0)
        """How many rows the filter lets through, of how many."""

    def on_mount(self) -> None:
        if left := self.workspace.former_list_state(self.area):
            self._left = left
            self.take_up(left)
        super().on_mount()

    @property
    def view(self) -> ListState:
        """How the list is now, or how it was left where it is not there yet."""
        rows = self.row_list
        return self._left or ListState(
            filter=self.filter.text, cursor=rows.cursor_key, marks=sorted(rows.marks)
        )

    def take_up(self, left: ListState) -> None:
        """Go on with how the list was left: all but the cursor and the marks, for which the rows
        must be there."""
        try:
            self.filter = self._parsed(left.filter)
        except FilterError as error:
            self.workspace.say(
                f"The filter that was left, {left.filter}, is not taken up: {error}",
                severity="warning",
            )

    def rows_are_here(self) -> None:
        """The rows have been shown as they are in the state."""
        if (left := self._left) is None:
            return
        self._left = None
        if left.cursor is not None:
            self.row_list.move_to(left.cursor)
        self.row_list.marks = left.marks
        if gone := len(left.marks) - len(self.row_list.marks):
            self.workspace.say(
                f"{format.plural(gone, 'row')} that had a mark when you left cannot be seen any more"
            )

    @property
    def row_list(self) -> RowList[R]:
        return self.query_one(RowList)

    def searched_list(self) -> RowList[Any]:
        return self.row_list

    def reference(self) -> float:
        """What times in a filter are relative to: the newest record, for lists of what the logs
        tell."""
        newest = self.workspace.view_model.newest
        return self.workspace.now() if newest is None else newest

    def copy_formats(self) -> Sequence[CopyFormat]:
        rows = self.row_list.selection
        return (
            [line_format(map(self.row_list.line, rows)), *self.copy_formats_of(rows)]
            if rows
            else []
        )

    def copy_formats_of(self, rows: Sequence[R]) -> Sequence[CopyFormat]:
        """What these rows can give beside their lines."""
        raise NotImplementedError

    def narrowed(self, rows: Iterable[R]) -> list[R]:
        """The rows that the filter lets through."""
        self.renew_filter()
        self._of = rows = list(rows)
        matching = [row for row in rows if self.filter(row)] if self.filter else rows
        self.matched = (len(matching), len(rows))
        return matching

    def nothing_matches(self) -> str:
        """What the list says where the filter lets nothing through."""
        return f"Nothing matches the filter.\n{key_of('back')} clears it."

    def renew_filter(self) -> None:
        """Read it again where its times are other ones by now."""
        if self.filter.is_relative and self.filter.reference != self.reference():
            self.filter = self._parsed(self.filter.text)

    def candidates(self) -> Sequence[R]:
        """The rows that the filter is asked of: what they hold can be completed."""
        return self._of

    def _parsed(
        self, text: str, parsing: Callable[[str, Fields[R], float], Filter[R]] = parse_filter
    ) -> Filter[R]:
        return parsing(
            saved_views.expand_reference(text, self.fields.rows), self.fields, self.reference()
        )

    def action_filter(self) -> None:
        self._filter_before = self.filter
        self._present.clear()
        self.query_line.ask("filter", self.filter.text and self.filter.text + " ", self._completed)

    def _completed(self, text: str) -> Completion:
        def values(field: Field[R]) -> list[str]:
            if field.name not in self._present:
                self._present[field.name] = frequent_values(field, self.candidates())
            return self._present[field.name]

        if names := saved_views.complete_reference(text, self.fields.rows):
            return Completion(0, names)
        return complete(text, self.fields, values)

    def action_column(self, step: int) -> None:
        self.row_list.step_column(step)

    def action_by_cell(self, wanted: bool) -> None:
        row, column = self.row_list.cursor_row, self.row_list.column
        if row is None or not self.filterable(row):
            return
        field = self.fields.get(column.field or column.key) if column else None
        if field is None:
            self._by_menu(row, wanted)
        else:
            self._add_term(format_term(field, field_values(field, row), wanted))

    def filterable(self, row: R) -> bool:  # noqa: ARG002
        """Whether the row is one that a filter is asked of."""
        return True

    def _by_menu(self, row: R, wanted: bool) -> None:
        terms = list(
            dict.fromkeys(
                format_term(field, [value], wanted)
                for field in self.fields
                for value in field_values(field, row)
            )
        )
        options = [(each, safe.clip(safe.visible(each), _OPTION_CELLS)) for each in terms]

        def narrow(chosen: str | None) -> None:
            if chosen is not None:
                self._add_term(chosen)

        self.app.push_screen(Menu("Show only" if wanted else "Hide", options, terms[0]), narrow)

    def _add_term(self, term: str) -> None:
        self._try(self.filter.with_term(term))

    def _try(self, text: str) -> None:
        """Put a filter in force that nobody typed: a value of a log may be of any length, a view of
        another version."""
        try:
            self.filter_by(text)
        except FilterError as error:
            self.workspace.say(f"Not filtered: {error}", severity="warning")

    def filter_by(self, text: str) -> None:
        """Put this filter in force, as if it had been typed. Raises FilterError."""
        self._narrow(self._parsed(text))

    def order_by(self, column: str, reverse: bool) -> None:
        """Sort so from now on; where there is no such column, as before."""

    def action_views(self) -> None:
        now = self.view
        current = SavedView("", self.fields.rows, self.filter.text, now.order, now.reversed)
        try:
            views = saved_views.views_for(self.fields.rows)
        except ViewError as error:
            self.workspace.say(str(error), severity="error")
            return

        def use(view: SavedView) -> None:
            self.order_by(view.order, view.reversed)
            self._try(view.filter)

        self.workspace.routes.choose_view(views, current, use)

    def action_mark_all(self) -> None:
        self.row_list.marks = self.row_list.keys

    def action_back(self) -> None:
        if self.row_list.range_active:
            self.row_list.marks = ()
        elif self._sought:
            self._seek("")
        elif self.filter:
            self.filter_by("")
        elif self.row_list.marks:
            self.row_list.marks = ()
        else:
            super().action_back()

    def query_typed(self, event: QueryLine.Changed) -> bool:
        if event.purpose == "find":
            return super().query_typed(event)
        try:
            self._narrow(self._parsed(event.text, parse_filter if event.done else parse_unfinished))
        except FilterError as error:
            self._narrow(self._filter_before)
            self.query_line.complain(str(error))
            return False
        self.query_line.message(self._share())
        return True

    def query_given_up(self) -> None:
        if self.query_line.purpose == "find":
            super().query_given_up()
        else:
            self._narrow(self._filter_before)

    def query_state(self) -> Content | None:
        if self._sought or not self.filter:
            return super().query_state()
        before = Content.styled("filter ", "$foreground-muted")
        clears = f"{self._when()}   {key_of('back')} clears"
        after = Content.assemble("  ", self._share(), (clears, "$foreground-muted"))
        room = (
            self.size.width - _MARGIN - before.cell_length - after.cell_length
        )  # the numbers are never cut off
        return Content.assemble(
            before, safe.clip(safe.visible(self.filter.text), max(_LEAST, room)), after
        )

    def refresh_query(self) -> None:
        """The numbers beside the filter may have changed."""
        if not self.query_line.asking:
            self.query_line.state(self.query_state())

    def settle_progress(self) -> None:
        super().settle_progress()
        if self.query_line.asking and self.query_line.purpose == "filter":
            self.query_line.message(self._share())

    def _share(self) -> Content:
        matching, of = self.matched
        return Content(f"{format.number(matching)} of {format.number(of)}").stylize(
            "$foreground-muted"
        )

    def _when(self) -> str:
        """Which times are meant, where they are relative."""
        return "".join(f" · {when}" for when in self.filter.time_descriptions)

    def _narrow(self, filter: Filter[R]) -> None:
        self.filter = filter
        self.show()
