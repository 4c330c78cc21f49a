"""Screens of one list, with filter, search and copy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Generic, TypeVar

from textual import on
from textual.binding import Binding
from textual.content import Content

from detector.filter import Fields, Filter, FilterError
from tui.keymap import FIND, MARK, MOVE, OUT, TRIAGE, key, key_of
from tui.model.comparison import Comparison, compare_rows
from tui.model.export_choices import column_choice
from tui.model.workspace import ExportChoice
from tui.presentation import format
from tui.presentation.copy_formats import CopyFormat, line_format
from tui.screens.base.compare_actions import CompareActions
from tui.screens.base.copy_actions import CopyActions
from tui.screens.base.filter_bar import FilterBar
from tui.screens.base.query_line import QueryLine
from tui.screens.base.screen import HuntScreen
from tui.screens.base.search import Search
from tui.settings.session_file import ListState
from tui.widgets.row_list import RowList

R = TypeVar("R")


class ListScreen(HuntScreen, Generic[R]):
    """A list that can be filtered, searched and copied from.

    The body must hold a RowList and a QueryLine.
    """

    BINDINGS = [
        *CopyActions.BINDINGS,
        *Search.BINDINGS,
        *FilterBar.BINDINGS,
        *CompareActions.BINDINGS,
        key(
            "column.previous",
            "h,left",
            "column(-1)",
            "column left",
            "Select the column to the left",
            MOVE,
        ),
        key(
            "column.next",
            "l,right",
            "column(1)",
            "column right",
            "Select the column to the right",
            MOVE,
        ),
        key(
            "focus.next",
            "tab",
            "app.focus_next",
            "next pane",
            "Switch between list and details",
            MOVE,
        ),
        key(
            "focus.previous",
            "shift+tab",
            "app.focus_previous",
            "previous pane",
            "Switch back",
            MOVE,
        ),
        key(
            "list.export",
            "w",
            "export",
            "export",
            "Export the marked or shown rows",
            OUT,
            show=True,
        ),
        key("list.columns", "C", "columns", "columns", "Choose the columns", FIND),
        key("mark.all", "asterisk", "mark_all", "mark all", "Mark all rows shown", MARK),
    ]

    fields: Fields[R]

    def __init__(self) -> None:
        super().__init__()
        self.copying = CopyActions(self, self.copy_formats)
        self.search = Search(self, lambda: self.row_list)
        self.filter_bar = FilterBar(self, self)
        self.comparing = CompareActions(self, self)
        self._to_restore: ListState | None = None
        """The list's state from the previous session, until the rows are loaded."""
        self._candidates: Sequence[R] = ()

    def on_mount(self) -> None:
        self._to_restore = self.workspace.former_list_state(self.area)
        if self._to_restore:
            self.restore_options(self._to_restore)
        super().on_mount()

    @property
    def row_list(self) -> RowList[R]:
        """The list itself."""
        return self.query_one(RowList)

    @property
    def filter(self) -> Filter[R]:
        """The filter in force."""
        return self.filter_bar.filter

    # --- the state of the list in the session

    @property
    def list_state(self) -> ListState:
        """The state of the list, for the session.

        Until the rows are loaded, this is the state that is still to be restored.
        """
        return self._to_restore or ListState(
            filter=self.filter.text,
            cursor=self.row_list.cursor_key,
            marks=sorted(self.row_list.marks),
            columns=list(self.row_list.chosen_columns),
        )

    def restore_options(self, state: ListState) -> None:
        """Restore everything but the cursor and the marks.

        Those can only be restored once the rows are loaded.
        """
        try:
            self.filter_bar.filter = self.filter_bar.parse(state.filter)
        except FilterError as error:
            self.workspace.say(
                f"Saved filter not restored: {state.filter}: {error}",
                severity="warning",
            )

    def rows_loaded(self) -> None:
        """Restore columns, cursor and marks, once all rows are shown."""
        state = self._to_restore
        if state is None:
            return
        self._to_restore = None
        self.row_list.choose_columns(state.columns)
        if state.cursor is not None:
            self.row_list.move_to(state.cursor)
        self.row_list.marks = state.marks
        missing = len(state.marks) - len(self.row_list.marks)
        if missing:
            rows = format.plural(missing, "previously marked row")
            self.workspace.say(f"{rows} no longer listed")

    # --- what the screen's parts call

    def copy_formats(self) -> Sequence[CopyFormat]:
        """Return the formats in which the selected rows can be copied."""
        rows = self.row_list.selection
        if not rows:
            return []
        return [line_format(map(self.row_list.line, rows)), *self.copy_formats_of(rows)]

    def copy_formats_of(self, rows: Sequence[R]) -> Sequence[CopyFormat]:
        """Return the formats of these rows, in addition to their lines as text."""
        raise NotImplementedError

    def reference_time(self) -> float:
        """Return the time to which a filter's relative times refer.

        This is the time of the newest record, or now if there is none.
        """
        newest = self.workspace.view_model.newest
        if newest is None:
            return self.workspace.now()
        return newest

    def candidates(self) -> Sequence[R]:
        """Return the rows whose values are offered as completions."""
        return self._candidates

    def facet_rows(self) -> Sequence[R]:
        """Return the rows whose values the facets count: those that are shown."""
        return [row for row in self.shown_rows() if self.is_filterable(row)]

    def is_filterable(self, row: R) -> bool:  # noqa: ARG002
        """Return whether the filter applies to the row; it does not apply to headings."""
        return True

    def filter_changed(self) -> None:
        """Show the rows that match the changed filter."""
        self.show()

    def sort_by(self, column: str, reverse: bool) -> None:
        """Sort by a column; ignore one that does not exist."""

    def applies(self, binding: Binding) -> bool:
        """Return whether a key has something to act on now: a decision needs a row."""
        return binding.group is not TRIAGE or bool(self.row_list.rows)

    def targets(self) -> list[R]:
        """Return the rows that an action applies to now."""
        return self.row_list.selection

    def has_marks(self) -> bool:
        """Tell whether the targets are marked rows."""
        return bool(self.row_list.marks)

    def rows_to_compare(self) -> list[R]:
        """Return the marked rows; with one mark, also the row under the cursor.

        Headings have no fields to compare, so they are left out.
        """
        rows, keys = self.row_list, self.row_list.marks
        if len(keys) == 1 and rows.cursor_key is not None:
            keys |= {rows.cursor_key}
        chosen = [row for row, key in zip(rows.rows, rows.keys, strict=True) if key in keys]
        return [row for row in chosen if self.is_filterable(row)]

    def comparison_of(self, left: R, right: R) -> Comparison:
        """Compare two rows by the fields of the list."""
        titles = self.comparison_title(left), self.comparison_title(right)
        return Comparison(titles, compare_rows(self.fields, left, right))

    def comparison_title(self, row: R) -> str:
        """Return the title of a compared row: the text that its columns show."""
        return " ".join(self.row_list.line(row).split())

    def advance(self) -> bool:
        """Go to the next row; return False on the last one."""
        return self.row_list.advance()

    def clear_marks(self) -> None:
        """Clear the marks."""
        self.row_list.marks = ()

    # --- what is shown

    def matching(self, rows: Iterable[R]) -> list[R]:
        """Return the rows that match the filter, and count them."""
        self.filter_bar.renew()
        self._candidates = rows = list(rows)
        matching = [row for row in rows if self.filter(row)] if self.filter else rows
        self.filter_bar.counts = (len(matching), len(rows))
        return matching

    def show_rows(self, rows: Iterable[R], empty: str, is_complete: bool) -> None:
        """Show the rows that match, or the text ``empty`` if there are no rows.

        ``is_complete`` means that all rows are known, so cursor and marks can be restored.
        """
        matching = self.matching(rows)
        self.row_list.empty = empty
        if is_complete and self.filter:
            self.row_list.empty = self.nothing_matches()
        self.row_list.show(matching)
        if is_complete:
            self.rows_loaded()
        self.query_line.show_idle()

    def nothing_matches(self) -> str:
        """Return the text to show when no row matches the filter."""
        return f"No matches – {key_of('back')} clears the filter."

    @property
    def query_line(self) -> QueryLine:
        """The line under the list."""
        return self.query_one(QueryLine)

    def query_description(self) -> Content | None:
        """Return what the line under the list shows: the search, or else the filter."""
        return self.search.description() or self.filter_bar.description()

    def end_progress(self) -> None:
        """Replace the progress in the line under the list by the search or filter."""
        self.query_line.show_idle()
        self.filter_bar.show_counts()

    @on(RowList.NoMatch)
    def _no_match(self) -> None:
        self.query_line.complain("no match")

    @on(RowList.Matched)
    def _matched(self, event: RowList.Matched) -> None:
        self.search.show_position(event.position, event.total)

    @on(RowList.Searching)
    def _searching(self, event: RowList.Searching) -> None:
        if event.share is None:
            self.end_progress()
        else:
            self.query_line.show_progress("searching", event.share)

    @on(RowList.MarksChanged)
    @on(RowList.Highlighted)
    def _selection_changed(self) -> None:
        self.refresh_parts()

    # --- what is done

    def action_column(self, step: int) -> None:
        self.row_list.step_column(step)

    export_title = "rows"
    """The title of an export of the list."""

    export_noun = "row"

    def export_choice(self) -> ExportChoice:
        """Return how to export the rows: as the columns show them."""
        return column_choice(self.row_list.columns, self.export_title, self.export_noun)

    def rows_to_export(self) -> dict[str, Sequence[Any]]:
        """Return the sets of rows that can be exported, by label; the default comes first."""
        choices: dict[str, Sequence[Any]] = {}
        if self.has_marks():
            choices["marked"] = self.targets()
        choices["filtered" if self.filter else "all"] = self.shown_rows()
        return choices

    def shown_rows(self) -> Sequence[Any]:
        """Return everything that the list's rows represent."""
        return list(self.row_list.rows)

    def action_columns(self) -> None:
        rows = self.row_list
        self.workspace.routes.choose_columns(rows.columns, rows.chosen_columns, rows.choose_columns)

    def action_export(self) -> None:
        rows = self.rows_to_export()
        if any(rows.values()):
            self.workspace.routes.export_rows(self.export_choice(), rows)
        else:
            self.workspace.say("Nothing to export")

    def action_mark_all(self) -> None:
        self.row_list.marks = self.row_list.keys

    def action_back(self) -> None:
        if self.row_list.range_active:
            self.clear_marks()
        elif self.search.clear() or self.filter_bar.clear():
            pass
        elif self.row_list.marks:
            self.clear_marks()
        else:
            super().action_back()
