"""The list of alerts: live, and still under the analyst's hands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from msgspec.structs import replace as replace_fields
from textual import on
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from detector.detection.alert import Alert
from detector.filter import Filter
from detector.filter.quoting import quote_value
from detector.filter.schemas import ALERTS
from detector.text.time import format_time
from tui.concurrency.job import Job
from tui.keymap import LIVE, MOVE, OPEN, key, key_of
from tui.model.comparison import Comparison
from tui.model.export_choices import ALERT_CHOICE
from tui.model.workspace import ExportChoice
from tui.presentation.copy_formats import CopyFormat, alert_formats
from tui.screens.alerts.columns import columns_of_rows, row_style
from tui.screens.alerts.comparison import compare_alerts
from tui.screens.alerts.header import AlertsHeader, empty_text
from tui.screens.alerts.highlighted import HighlightedAlert
from tui.screens.alerts.preview import AlertPreview
from tui.screens.alerts.rows import (
    NO_ROWS,
    AlertRowBuilder,
    AlertRows,
    RowQuery,
    is_any,
    is_unhidden,
)
from tui.screens.alerts.sweep_groups import SweepGroup
from tui.screens.alerts.view_options import ViewActions, ViewOptions
from tui.screens.base.alert_actions import AlertActions
from tui.screens.base.background_list import BackgroundRows
from tui.screens.base.filtered_list import ListScreen
from tui.screens.base.hunts.attach_action import AttachAction, alert_findings
from tui.screens.base.query_line import QueryLine
from tui.screens.base.row_actions import RowActions
from tui.screens.base.watch_action import WatchAction
from tui.settings.session_file import ListState
from tui.widgets.labelled_lines import LabelledLines
from tui.widgets.row_list import RowList

_SERIOUS = ("high", "critical")


class AlertsScreen(ListScreen[Alert]):
    """The list of alerts, which is built in the background."""

    BINDINGS = [
        *RowActions.BINDINGS,
        *AlertActions.BINDINGS,
        *WatchAction.BINDINGS,
        *AttachAction.BINDINGS,
        *ViewActions.BINDINGS,
        key(
            "timeline",
            "i",
            "timeline",
            "over time",
            "Alerts over time; select a span to filter",
            OPEN,
        ),
        key(
            "board",
            "b",
            "board",
            "regions",
            "Regions by geography: calls, first seen, unusual",
            OPEN,
        ),
        key(
            "alerts.follow",
            "F",
            "toggle_follow",
            "follow",
            "Follow: stay on the first row as alerts arrive",
            LIVE,
        ),
        key(
            "alerts.pause",
            "P",
            "toggle_pause",
            "pause",
            "Pause the list; ingest continues",
            LIVE,
        ),
        key(
            "alerts.serious",
            "e",
            "serious(1)",
            "next serious",
            "Next high or critical alert",
            MOVE,
        ),
        key(
            "alerts.serious-before",
            "E",
            "serious(-1)",
            "previous serious",
            "Previous high or critical alert",
            MOVE,
        ),
    ]

    area = "alerts"
    fields = ALERTS

    def __init__(self) -> None:
        super().__init__()
        self.background = BackgroundRows(self, self)
        self.row_actions = RowActions(self, self, "alert")
        self.alert_actions = AlertActions(self, self.row_actions, lambda: self.row_list.cursor_row)
        self.watch_action = WatchAction(self, self.alert_actions.watch_offers)
        self.attaching = AttachAction(self, lambda: alert_findings(self.row_actions.targets()))
        self.view_actions = ViewActions(self, self)
        self.header = AlertsHeader(self)
        self.highlighted = HighlightedAlert(self, self.folded_group)
        self.paused = False
        self._row_builder = AlertRowBuilder()
        self._shown = NO_ROWS
        self._has_begun = False
        self._cursor_key: str | None = None
        self._go_to_when_shown = ""
        """The id of the alert to which the cursor goes once the next build is shown."""
        self._brushed = ""
        """The filter term that the timeline added; the timeline's next term replaces it."""

    @property
    def options(self) -> ViewOptions:
        """The analyst's view options: everything that selects and arranges rows but the filter."""
        return self.view_actions.options

    # --- what is shown

    def compose_body(self) -> Iterable[Widget]:
        yield from self.header.compose()
        columns = columns_of_rows(
            lambda alert: self._shown.folded_group(alert), lambda alert: self._shown.members(alert)
        )
        with Horizontal(id="panes"):
            with Vertical():
                yield RowList(
                    columns, key=lambda alert: self._shown.key(alert), row_style=row_style
                )
                yield QueryLine(self.query_description)
            yield AlertPreview()
        yield LabelledLines(("why", "then", "new"), id="why")

    def show(self) -> None:
        self.background.update()

    def on_resize(self) -> None:
        self.call_after_refresh(lambda: self.header.show_sparkline(self._shown))

    def _show_counts(self) -> None:
        self.header.show_counts(self._shown, hidden_shown=self.options.show_hidden)

    def group(self, alert: Alert) -> SweepGroup | None:
        """Return the group that the alert can be folded into."""
        return self._shown.group(alert)

    def folded_group(self, alert: Alert) -> SweepGroup | None:
        """Return the alert's group if it is folded, else None."""
        return self._shown.folded_group(alert)

    @on(RowList.Highlighted)
    def _show_highlighted(self) -> None:
        self.highlighted.show(self.row_list.cursor_row)

    # --- building the rows

    @property
    def _holds_rows(self) -> bool:
        """Whether the rows are held, because the list is paused or has marks."""
        return self.paused or bool(self.row_list.marks)

    @property
    def _is_shown(self) -> Callable[[Alert], bool]:
        """The predicate for the alerts to which the filter is applied.

        It excludes closed and suppressed alerts, unless the analyst shows hidden alerts or the
        filter names status, suppression or id.
        """
        names_hidden = not self.filter.names.isdisjoint(("status", "suppressed", "id"))
        if self.options.show_hidden or names_hidden:
            return is_any
        return is_unhidden

    def candidates(self) -> Sequence[Alert]:
        return self._shown.shown

    def row_count(self) -> int:
        """Return how many alerts a build has to go through."""
        return len(self.workspace.view_model.alerts)

    def row_build(self) -> Callable[[Job], AlertRows]:
        """Return the build for the current filter, options and held rows."""
        self.filter_bar.renew()
        alerts = self.workspace.view_model.alerts.copy()
        held_keys = (
            self.row_list.keys if self._holds_rows and not self.background.requested else None
        )
        options = self.options
        query = RowQuery(
            alerts,
            self._is_shown,
            self.filter or None,
            options.folds,
            options.order,
            options.reverse,
            held_keys,
        )
        return partial(self._row_builder.build, query)

    def accepts(self, result: AlertRows) -> bool:
        """Return whether the rows may be shown now.

        True if they were built with held rows, if the analyst requested them, or if no rows are
        held.
        """
        return result.is_held or self.background.requested or not self._holds_rows

    def apply(self, result: AlertRows) -> None:
        """Show the rows."""
        self._shown = result
        self.filter_bar.counts = len(result.matching), len(result.shown)
        view_model, order = self.workspace.view_model, self.options.order
        self.row_list.empty = self._empty_text()
        self.row_list.show(result.rows, result.keys)
        self.row_list.show_sort(order.column, order.descending is not self.options.reverse)
        if self._go_to_when_shown:
            self._go_to(self._go_to_when_shown)
            self._go_to_when_shown = ""
        self._show_counts()
        self.header.show_sparkline(result)
        if view_model.loaded and bool(result.total) == bool(view_model.alerts):
            self.rows_loaded()
        if view_model.live and not self._has_begun:
            self._begin()
        self._show_highlighted()

    def view_state(self) -> tuple[Filter[Alert], ViewOptions]:
        """Return the filter and the view options."""
        return self.filter, self.options

    def restore(self, state: tuple[Filter[Alert], ViewOptions]) -> None:
        """Restore the filter and the view options."""
        self.filter_bar.filter, self.view_actions.options = state

    def recompute(self, go_to: Alert | None = None) -> None:
        """Rebuild the rows because the analyst has changed the view.

        This resumes a paused list. Afterwards the cursor goes to ``go_to``.
        """
        if go_to is not None:
            self._go_to_when_shown = go_to.alert_id
        self.paused = False
        self.background.recompute()

    def filter_changed(self) -> None:
        self.recompute()

    def _begin(self) -> None:
        """Go to the first alert, unless the analyst has moved the cursor.

        Called once, when all existing data has been read.
        """
        self._has_begun = True
        if self.row_list.keys and not self.row_list.was_moved:
            self.row_list.move_to(self.row_list.keys[0])

    def _empty_text(self) -> str:
        if self._shown.shown:
            return self.nothing_matches()
        return empty_text(self.workspace, self._shown.total)

    @on(RowList.MarksChanged)
    def _marks_changed(self) -> None:
        if not self._holds_rows and self._shown.is_held:
            self.show()  # add the rows that were held back
        elif self._holds_rows and not self._shown.is_held:
            self.background.discard()
            self.show()
        self._show_counts()

    @on(RowList.CursorMoved)
    def _cursor_moved(self, event: RowList.CursorMoved) -> None:
        if event.lost and self._cursor_key not in self.workspace.view_model.alerts:
            self.workspace.say("Late data merged this alert into another; moved to the next row")
        self._cursor_key = event.key
        self._show_counts()

    # --- the state of the list in the session

    @property
    def list_state(self) -> ListState:
        if self._to_restore is not None:
            return self._to_restore
        return replace_fields(
            super().list_state,
            order=self.options.order.column,
            reversed=self.options.reverse,
            hidden=self.options.show_hidden,
            unfolded=self.options.folds.unfolded,
        )

    def restore_options(self, state: ListState) -> None:
        super().restore_options(state)
        self.view_actions.restore(state)

    def rows_loaded(self) -> None:
        super().rows_loaded()
        self.workspace.restore_session()

    # --- what is done

    def row_id(self, row: Alert) -> str:
        return row.alert_id

    def targets(self) -> list[Alert]:
        """Return the alerts that the selected rows represent."""
        return self._members(self.row_list.selection)

    def export_choice(self) -> ExportChoice:
        return ALERT_CHOICE

    def shown_rows(self) -> list[Alert]:
        """Return the alerts that all rows represent."""
        return self._members(self.row_list.rows)

    def copy_formats_of(self, rows: Sequence[Alert]) -> Sequence[CopyFormat]:
        return alert_formats(self._members(rows))

    def comparison_of(self, left: Alert, right: Alert) -> Comparison:
        return compare_alerts(self.workspace.store, left, right)

    def _members(self, rows: Sequence[Alert]) -> list[Alert]:
        members: list[Alert] = []
        for row in rows:
            members += self._shown.members(row)
        return members

    @on(RowList.Opened)
    def _open(self) -> None:
        alert = self.row_list.cursor_row
        if alert is not None:
            self.open_alert(alert.alert_id)

    def open_alert(self, alert_id: str, pane: str = "calls") -> None:
        """Open an alert; from there, the analyst can step through the whole list."""
        order = [alert.alert_id for alert in self._members(self.row_list.rows)]
        self.workspace.routes.open_alert(alert_id, order, self._go_to, pane)

    def _go_to(self, alert_id: str) -> None:
        alert = self.workspace.view_model.alerts.get(alert_id)
        if alert is not None:
            self.row_list.move_to(self._shown.key(alert))

    def action_timeline(self) -> None:
        def alerts() -> list[Alert]:
            is_shown = self._is_shown
            alerts = self.workspace.view_model.alerts.copy()
            return [alert for alert in alerts.values() if is_shown(alert)]

        def narrow_to(start: int, end: int) -> None:
            term = f"time:{format_time(start)[:-1]}..{format_time(end - 1)[:-1]}"
            self.filter_bar.replace_term(self._brushed, term)
            self._brushed = term

        self.workspace.routes.open_timeline(alerts, narrow_to)

    def action_board(self) -> None:
        def narrow_to(region: str) -> None:
            self.filter_bar.add_term(f"region={quote_value(region)}")

        self.workspace.routes.open_regions(list(self._shown.matching.values()), narrow_to)

    def action_toggle_follow(self) -> None:
        self.row_list.follow_top = not self.row_list.follow_top
        self.show()

    def action_toggle_pause(self) -> None:
        self.paused = not self.paused
        if self.paused:
            self.background.discard()
            self.workspace.say(f"Paused – still ingesting. {key_of('alerts.pause')} goes on")
        self.show_if_in_front()

    def sort_by(self, column: str, reverse: bool) -> None:
        self.view_actions.options = self.options.sorted_by(column, reverse)

    def action_serious(self, step: int) -> None:
        rows, start = self.row_list.rows, self.row_list.cursor_index or 0
        for distance in range(1, len(rows)):
            alert = rows[(start + step * distance) % len(rows)]
            if alert.severity in _SERIOUS:
                self._go_to(alert.alert_id)
                return
        self.workspace.say("No other high or critical alert")

    def action_back(self) -> None:
        if not self.background.give_up():
            super().action_back()
