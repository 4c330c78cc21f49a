"""The filter of a list: typed, taken from a cell, or saved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from textual.content import Content

from detector.filter import Field, Fields, Filter, FilterError, parse_filter, parse_unfinished
from detector.filter.completion import Completion, complete, frequent_values
from detector.filter.quoting import field_values, format_term
from tui.keymap import FIND, key, key_of
from tui.presentation import format, safe
from tui.screens.base.menu import Menu
from tui.screens.base.query_line import Purpose, QueryLine
from tui.screens.base.screen import HuntScreen, ScreenPart
from tui.settings import saved_views
from tui.settings.saved_views import SavedView, ViewError
from tui.settings.session_file import ListState
from tui.widgets.row_list import RowList

R = TypeVar("R")

_OPTION_CELLS = 48

_MARGIN = 2
"""Blank cells reserved in the line under a list."""

_MIN_FILTER_CELLS = 8
"""Cells of a filter's text that are always shown, however narrow the terminal."""


def _shown_values(field: Field[R], row: R) -> list[str]:
    """Return a row's values in a field, with times in the displayed time zone."""
    return field_values(field, row, format.filter_minute)


class FilteredList(Protocol[R]):
    """The list that a filter applies to."""

    fields: Fields[R]

    @property
    def row_list(self) -> RowList[R]:
        """The list itself."""

    @property
    def list_state(self) -> ListState:
        """The state of the list, with its order."""

    def reference_time(self) -> float:
        """Return the time to which a filter's relative times refer."""

    def candidates(self) -> Sequence[R]:
        """Return the rows whose values are offered as completions."""

    def facet_rows(self) -> Sequence[R]:
        """Return the rows whose values the facets count."""

    def is_filterable(self, row: R) -> bool:
        """Return whether the filter applies to the row; it does not apply to headings."""

    def filter_changed(self) -> None:
        """Show the rows that match the changed filter."""

    def sort_by(self, column: str, reverse: bool) -> None:
        """Sort by a column; ignore one that does not exist."""


class FilterBar(ScreenPart, Generic[R]):
    """Holds the filter of a list screen.

    It never hides rows silently: the line under the list always shows the filter and how many
    rows match.
    """

    BINDINGS = [
        key(
            "filter",
            "f,backslash",
            "filter",
            "filter",
            "Filter: words, field:value, !not",
            FIND,
            show=True,
        ),
        key(
            "filter.with",
            "equals_sign",
            "by_cell(True)",
            "only this value",
            "Filter by a value of this row",
            FIND,
        ),
        key(
            "filter.without",
            "minus",
            "by_cell(False)",
            "exclude value",
            "Exclude a value of this row",
            FIND,
        ),
        key("facets", "f2", "facets", "facets", "Facets: top values of each field", FIND),
        key(
            "views",
            "v",
            "views",
            "views",
            "Saved views: use, save, delete",
            FIND,
        ),
    ]

    purpose: Purpose = "filter"

    def __init__(self, screen: HuntScreen, rows: FilteredList[R]) -> None:
        super().__init__(screen)
        self._list = rows
        self.filter: Filter[R] = Filter("", None)
        self.counts = (0, 0)
        """The number of matching rows, and of all rows."""
        self._filter_before = self.filter
        """The filter that was in force before the analyst began to type another."""
        self._values: dict[str, list[str]] = {}
        """The rows' values by field, for completions while a filter is typed."""

    @property
    def _query_line(self) -> QueryLine:
        return self.screen.query_one(QueryLine)

    # --- the filter in force

    def parse(
        self, text: str, parser: Callable[[str, Fields[R], float], Filter[R]] = parse_filter
    ) -> Filter[R]:
        """Parse a filter, which may name saved views. Raises FilterError."""
        fields = self._list.fields
        expanded = saved_views.expand_reference(text, fields.rows)
        return parser(expanded, fields, self._list.reference_time())

    def renew(self) -> None:
        """Parse the filter again if its reference time has changed."""
        if self.filter.is_relative and self.filter.reference != self._list.reference_time():
            self.filter = self.parse(self.filter.text)

    def apply(self, text: str) -> None:
        """Apply a filter. Raises FilterError."""
        self._change(self.parse(text))

    def add_term(self, term: str) -> None:
        """Narrow the filter by another term."""
        self._apply_or_say(self.filter.with_term(term))

    def replace_term(self, old: str, new: str) -> None:
        """Replace a term of the filter by another."""
        self.filter = self.parse(self.filter.text.replace(old, "").strip())
        self.add_term(new)

    def clear(self) -> bool:
        """Clear the filter; return whether there was one."""
        if not self.filter:
            return False
        self.apply("")
        return True

    def _apply_or_say(self, text: str) -> None:
        """Apply a filter that the analyst did not type; report an error instead of raising it.

        The filter may be too long, since it holds a value from a log, or come from a view that
        another version saved.
        """
        try:
            self.apply(text)
        except FilterError as error:
            self.workspace.say(f"Not filtered: {error}", severity="warning")

    def _change(self, filter: Filter[R]) -> None:
        self.filter = filter
        self._list.filter_changed()

    # --- typing a filter

    def action_filter(self) -> None:
        """Let the analyst type a filter, starting from the one in force."""
        self._filter_before = self.filter
        self._values.clear()
        text = f"{self.filter.text} " if self.filter.text else ""
        self._query_line.ask(self, text, self._complete)

    def typed(self, text: str, done: bool) -> bool:
        """Filter by the typed text; return whether it can be parsed."""
        try:
            self._change(self.parse(text, parse_filter if done else parse_unfinished))
        except FilterError as error:
            self._change(self._filter_before)
            self._query_line.complain(str(error))
            return False
        self._query_line.message(self._shown_counts())
        return True

    def cancelled(self) -> None:
        """Restore the filter that was in force before the typing began."""
        self._change(self._filter_before)

    def closed(self) -> None:
        """Return the focus to the list."""
        self._list.row_list.focus()

    def _complete(self, text: str) -> Completion:
        def values(field: Field[R]) -> list[str]:
            if field.name not in self._values:
                self._values[field.name] = frequent_values(field, self._list.candidates())
            return self._values[field.name]

        names = saved_views.complete_reference(text, self._list.fields.rows)
        if names:
            return Completion(0, names)
        return complete(text, self._list.fields, values)

    # --- a filter from a cell, or from a saved view

    def action_by_cell(self, include: bool) -> None:
        """Filter by the cell under the cursor, or offer every value of the row."""
        row, column = self._list.row_list.cursor_row, self._list.row_list.column
        if row is None or not self._list.is_filterable(row):
            return
        field = self._list.fields.get(column.field or column.key) if column else None
        if field is None:
            self._offer_terms(row, include)
        else:
            self.add_term(format_term(field, _shown_values(field, row), include))

    def _offer_terms(self, row: R, include: bool) -> None:
        terms: dict[str, None] = {}
        for field in self._list.fields:
            terms.update(
                (format_term(field, [value], include), None) for value in _shown_values(field, row)
            )
        options = [(each, safe.clip(safe.visible(each), _OPTION_CELLS)) for each in terms]

        def narrow(chosen: str | None) -> None:
            if chosen is not None:
                self.add_term(chosen)

        heading = "Show only" if include else "Hide"
        self.screen.app.push_screen(Menu(heading, options, next(iter(terms))), narrow)

    def action_facets(self) -> None:
        """Offer the most frequent values of each field."""
        rows = list(self._list.facet_rows())
        self.workspace.routes.choose_facet(self._list.fields, rows, self.add_term)

    def action_views(self) -> None:
        """Offer the saved views."""
        state = self._list.list_state
        rows = self._list.fields.rows
        current = SavedView("", rows, self.filter.text, state.order, state.reversed)
        try:
            views = saved_views.views_for(rows)
        except ViewError as error:
            self.workspace.say(str(error), severity="error")
            return

        def use(view: SavedView) -> None:
            self._list.sort_by(view.order, view.reversed)
            self._apply_or_say(view.filter)

        self.workspace.routes.choose_view(views, current, use)

    # --- the line under the list

    def description(self) -> Content | None:
        """Return the filter in force with its counts, or None without a filter.

        In a narrow terminal the filter's text is cut; the counts never are.
        """
        if not self.filter:
            return None
        before = Content.styled("filter ", "$foreground-muted")
        times = "".join(f" · {when}" for when in self.filter.time_descriptions)
        clears = f"{times}   {key_of('back')} clears"
        after = Content.assemble("  ", self._shown_counts(), (clears, "$foreground-muted"))
        room = self.screen.size.width - _MARGIN - before.cell_length - after.cell_length
        text = safe.clip(safe.visible(self.filter.text), max(_MIN_FILTER_CELLS, room))
        return Content.assemble(before, text, after)

    def show_counts(self) -> None:
        """Update the counts while a filter is being typed."""
        if self._query_line.is_asking_for(self):
            self._query_line.message(self._shown_counts())

    def _shown_counts(self) -> Content:
        matching, total = self.counts
        counts = f"{format.number(matching)} of {format.number(total)}"
        return Content(counts).stylize("$foreground-muted")
