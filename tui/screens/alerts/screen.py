"""The list of alerts: live, and still under the analyst's hands."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

from msgspec.structs import replace as replace_fields
from textual import on
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from detector.detection.alert import Alert
from detector.detection.event import Event
from detector.filter.quoting import quote_value
from detector.filter.schemas import ALERTS
from detector.store import StateError
from detector.text.time import format_time
from tui.concurrency.job import Job
from tui.concurrency.worker import work
from tui.keymap import FIND, LIVE, MOVE, OPEN, key, key_of
from tui.presentation import format, safe
from tui.presentation.calls import rare_regions
from tui.presentation.copy_formats import CopyFormat, alert_formats
from tui.screens.alerts.columns import COLUMNS, ORDERS
from tui.screens.alerts.rows import NO_ROWS, AlertRowBuilder, AlertRows, RowQuery
from tui.screens.alerts.sweep_groups import FoldState
from tui.screens.base.alert_actions import TriageScreen
from tui.screens.base.background_list import ArrangedScreen
from tui.screens.base.menu import Menu
from tui.screens.base.query_line import QueryLine
from tui.screens.base.screen import WIDE
from tui.screens.base.triage_actions import DecidingListScreen
from tui.settings.session_file import ListState
from tui.widgets.charts.sparkline import TimeSparkline
from tui.widgets.line import CellContent
from tui.widgets.region_line import RegionLine
from tui.widgets.row_list import RowList
from tui.widgets.wrapped_text import WrappedText

_DAY = 86_400
_REST_SECONDS = 0.15
_SERIOUS = ("high", "critical")


class AlertsScreen(TriageScreen, DecidingListScreen[Alert], ArrangedScreen[Alert, AlertRows]):
    BINDINGS = [
        key(
            "alerts.hidden",
            "H",
            "toggle_hidden",
            "hidden",
            "Show or hide what is closed or suppressed",
            FIND,
        ),
        key("alerts.sort", "s", "sort", "sort", "Choose what the list is sorted by", FIND),
        key("alerts.reverse", "S", "reverse", "reverse", "Turn the order round", FIND),
        key(
            "alerts.fold",
            "o",
            "fold",
            "fold sweep",
            "Make the alerts of a sweep one row, or unfold them",
            FIND,
        ),
        key(
            "alerts.fold_all",
            "O",
            "fold_all",
            "fold all",
            "Unfold every sweep, or make each one row again",
            FIND,
        ),
        key(
            "timeline",
            "i",
            "timeline",
            "over time",
            "When the alerts came; brush a time to filter by",
            OPEN,
        ),
        key(
            "board", "b", "board", "regions", "The regions by geography: how many, how usual", OPEN
        ),
        key(
            "alerts.follow",
            "F",
            "toggle_follow",
            "follow",
            "Stay on the first alert as new ones come",
            LIVE,
        ),
        key(
            "alerts.pause",
            "P",
            "toggle_pause",
            "pause",
            "Hold the list still while reading goes on",
            LIVE,
        ),
        key(
            "alerts.serious",
            "e",
            "serious(1)",
            "next serious",
            "Go to the next alert that is high or critical",
            MOVE,
        ),
        key(
            "alerts.serious-before",
            "E",
            "serious(-1)",
            "previous serious",
            "Go to the previous alert that is high or critical",
            MOVE,
        ),
    ]

    area = "alerts"
    fields = ALERTS

    def __init__(self) -> None:
        super().__init__()
        self._order = ORDERS[0]
        self._reversed = False
        self._show_hidden = False
        self._begun = False
        self.paused = False
        self._at: str | None = None
        self._folds = FoldState()
        self._row_builder = AlertRowBuilder()
        self._seen = NO_ROWS
        self._go_when_there = ""
        self._brushed = ""
        """The part of the filter that was brushed in the timeline, which another brush takes the
        place of."""

    # --- what is shown

    def screen_title(self) -> str:
        return "trailhound › Alerts"

    def status_items(self) -> Sequence[CellContent]:
        return self.live_state(self.paused), self.workspace.source_label

    def compose_body(self) -> Iterable[Widget]:
        with Horizontal(classes="line"):
            yield TimeSparkline()
            yield Static("", id="counts")
        columns = [
            replace(column, cell=self._who) if column.key == "principal" else column
            for column in COLUMNS
        ]
        yield RowList(columns, key=lambda alert: self._seen.key(alert), row_style=_row_style)
        yield QueryLine()
        yield WrappedText(Content(""), id="why")
        yield RegionLine()

    @property
    def _holding(self) -> bool:
        """Whether rows must neither come nor move: the analyst paused the list, or is choosing
        among them."""
        return self.paused or bool(self.row_list.marks)

    @property
    def _shows_hidden(self) -> bool:
        """Whether what is closed or suppressed is in the list: it was asked for, or the filter
        speaks of that."""
        return self._show_hidden or not self.filter.names.isdisjoint(("status", "suppressed", "id"))

    def candidates(self) -> Sequence[Alert]:
        return self._seen.shown

    def row_count(self) -> int:
        return len(self.workspace.view_model.alerts)

    def arranging(self) -> Callable[[Job], AlertRows]:
        self.renew_filter()
        alerts = self.workspace.view_model.alerts.copy()
        held = self.row_list.keys if self._holding and not self._asked else None
        query = RowQuery(
            alerts,
            _any if self._shows_hidden else _open_to_see,
            self.filter or None,
            self._folds,
            self._order,
            self._reversed,
            held,
        )
        return partial(self._row_builder.build, query)

    def fits(self, result: AlertRows) -> bool:
        return result.is_held or self._asked or not self._holding

    def arranged(self, result: AlertRows) -> None:
        self._seen = result
        self.matched = len(result.matching), len(result.shown)
        self.row_list.empty = self._empty()
        self.row_list.show(result.rows, result.keys)
        self.row_list.show_sort(self._order.column, self._order.descending is not self._reversed)
        if self._go_when_there:
            self._go_to(self._go_when_there)
            self._go_when_there = ""
        self._show_counts()
        self._show_spark()
        if self.workspace.view_model.loaded and bool(result.total) == bool(
            self.workspace.view_model.alerts
        ):
            self.rows_are_here()
        if self.workspace.view_model.live and not self._begun:
            self._begin()
        self._show_highlighted()

    def _begin(self) -> None:
        """All that was there has been read: who has not moved yet begins at the first alert, not
        where reading did."""
        self._begun = True
        if self.row_list.keys and not self.row_list.was_moved:
            self.row_list.move_to(self.row_list.keys[0])

    def wish(self) -> object:
        return self.filter, self._order, self._reversed, self._show_hidden, self._folds

    def take_back(self, wish: Any) -> None:
        self.filter, self._order, self._reversed, self._show_hidden, self._folds = wish

    def _show_counts(self) -> None:
        """How many there are, and where those are that the list does not show."""
        total, closed, suppressed = self._seen.total, self._seen.closed, self._seen.suppressed
        here, marked = len(self.row_list.rows), len(self.row_list.marks)
        parts = [
            (
                f"+{format.number(self._seen.held_back)} new",
                "$text-accent bold",
                self._seen.held_back,
            ),
            (f"{format.number(marked)} marked", "$text-accent bold", marked),
            ("follow", "$text-accent", self.row_list.follow_top),
            (format.plural(total, "alert"), "", True),
            (f"{format.number(here)} here", "$foreground-muted", here != total),
            (f"{format.number(closed)} closed", "$foreground-muted", closed),
            (f"{format.number(suppressed)} suppressed", "$foreground-muted", suppressed),
            (
                f"{key_of('alerts.hidden')} {'hides' if self._show_hidden else 'shows'} them",
                "$foreground-muted",
                closed or suppressed,
            ),
        ]
        self.query_one("#counts", Static).update(
            Content(" · ").join(
                Content.styled(words, style) for words, style, said in parts if said
            )
        )

    def on_resize(self) -> None:
        self.call_after_refresh(self._show_spark)

    def _show_spark(self) -> None:
        times = self._seen.times
        newest = max(times, default=0)
        label = f"24 h to {format.date_time(newest)}" if self.size.width >= WIDE else "24 h"
        self.query_one(TimeSparkline).load(
            times, newest + 1 - _DAY, newest + 1, label if times else ""
        )

    def _empty(self) -> str:
        view_model = self.workspace.view_model
        if self._seen.shown:
            return self.nothing_matches()
        if self._seen.total:
            return f"Every alert is closed or suppressed.\n{key_of('alerts.hidden')} shows them."
        if view_model.error:
            return f"Reading stopped.\n{view_model.error}"
        if not view_model.loaded or not (view_model.live or self.workspace.store.read_only):
            return f"Reading {self.workspace.source_label} …\nAlerts appear here as soon as a rule fires."
        return (
            f"No alert so far in {self.workspace.source_label}.\nNew files are read as they come. "
            f"{key_of('area.sources')} shows what was read."
        )

    def _who(self, alert: Alert) -> str:
        row, who = self._seen.folded_group(alert), format.principal(alert)
        return f"×{len(row.alert_ids)} {who} {row.recurrence.pace}".rstrip() if row else who

    @on(RowList.Highlighted)
    def _show_highlighted(self) -> None:
        alert = self.row_list.cursor_row
        self._say_why(alert)
        if alert and alert.flags:
            self._say_then(alert)
        self.query_one(RegionLine).show(
            alert.facets.regions if alert else [], rare_regions(alert) if alert else []
        )

    def _say_why(
        self, alert: Alert | None, signals: Mapping[str, Sequence[Event]] = MappingProxyType({})
    ) -> None:
        why = format.why(alert, self.workspace.rules.get(alert.rule.id), signals) if alert else ""
        together = self._seen.folded_group(alert) if alert else None
        self.query_one(WrappedText).update(
            safe.text(f"{together}; {key_of('alerts.fold')} unfolds. {why}" if together else why)
        )

    @work(exclusive=True, group="then")
    async def _say_then(self, alert: Alert) -> None:
        """Say what the principal did then, once the cursor rests."""
        await asyncio.sleep(_REST_SECONDS)
        with contextlib.suppress(StateError):  # the sentence stands without it
            signals = await asyncio.to_thread(self.workspace.store.context.signals, alert.alert_id)
            if self.row_list.cursor_row is alert:
                self._say_why(alert, signals)

    @on(RowList.MarksChanged)
    def _marks_changed(self) -> None:
        if not self._holding and self._seen.is_held:
            self.show()  # what was held back
        elif self._holding and not self._seen.is_held:
            self.hold_rows()
            self.show()
        self._show_counts()

    @on(RowList.CursorMoved)
    def _cursor_moved(self, event: RowList.CursorMoved) -> None:
        if event.lost and self._at not in self.workspace.view_model.alerts:
            self.workspace.say(
                "Late data took the alert under the cursor away; the cursor is on its neighbour"
            )
        self._at = event.key
        self._show_counts()

    # --- what is done

    def targets(self) -> list[Alert]:
        return [member for alert in self.row_list.selection for member in self._seen.members(alert)]

    def copy_formats_of(self, rows: Sequence[Alert]) -> Sequence[CopyFormat]:
        return alert_formats([member for alert in rows for member in self._seen.members(alert)])

    def at_cursor(self) -> Alert | None:
        return self.row_list.cursor_row

    @property
    def view(self) -> ListState:
        left = super().view
        return self._left or replace_fields(
            left,
            order=self._order.column,
            reversed=self._reversed,
            hidden=self._show_hidden,
            unfolded=self._folds.unfolded,
        )

    def take_up(self, left: ListState) -> None:
        super().take_up(left)
        self.order_by(left.order, left.reversed)
        self._show_hidden = left.hidden
        if left.unfolded:
            self._folds = self._folds.toggle_all()

    def rows_are_here(self) -> None:
        super().rows_are_here()
        self.workspace.restore_session()

    @on(RowList.Opened)
    def _open(self) -> None:
        alert = self.row_list.cursor_row
        if alert is not None:
            self.open_alert(alert.alert_id)

    def open_alert(self, alert_id: str, pane: str = "calls") -> None:
        order = [
            member.alert_id for row in self.row_list.rows for member in self._seen.members(row)
        ]
        self.workspace.routes.open_alert(alert_id, order, self._go_to, pane)

    def _go_to(self, alert_id: str) -> None:
        if alert := self.workspace.view_model.alerts.get(alert_id):
            self.row_list.move_to(self._seen.key(alert))

    def action_fold(self) -> None:
        alert = self.row_list.cursor_row
        if alert is None:
            return
        if (row := self._seen.group(alert)) is not None:
            self._fold(self._folds.toggle(row), alert)
        else:
            self.workspace.say("This alert is a sweep of its own")

    def action_fold_all(self) -> None:
        self._fold(self._folds.toggle_all(), self.row_list.cursor_row)
        self.workspace.say(
            "Every alert is a row of its own"
            if self._folds.unfolded
            else f"Each sweep is one row; {key_of('alerts.fold')} unfolds one"
        )

    def _fold(self, folds: FoldState, here: Alert | None) -> None:
        self._folds = folds
        self._go_when_there = here.alert_id if here else ""
        self.rearrange()

    def rearrange(self) -> None:
        self.paused = False
        super().rearrange()

    def action_timeline(self) -> None:
        def alerts() -> list[Alert]:
            shows = _any if self._shows_hidden else _open_to_see
            return [
                alert for alert in self.workspace.view_model.alerts.copy().values() if shows(alert)
            ]

        def narrow_to(start: int, end: int) -> None:
            self.filter = self._parsed(self.filter.text.replace(self._brushed, "").strip())
            self._brushed = f"time:{format_time(start)[:-1]}..{format_time(end - 1)[:-1]}"
            self._add_term(self._brushed)

        self.workspace.routes.open_timeline(alerts, narrow_to)

    def action_board(self) -> None:
        def narrow_to(region: str) -> None:
            self._add_term(f"region={quote_value(region)}")

        self.workspace.routes.open_regions(list(self._seen.matching.values()), narrow_to)

    def action_toggle_hidden(self) -> None:
        self._show_hidden = not self._show_hidden
        self.rearrange()

    def action_toggle_follow(self) -> None:
        self.row_list.follow_top = not self.row_list.follow_top
        self.show()

    def action_toggle_pause(self) -> None:
        self.paused = not self.paused
        if self.paused:
            self.hold_rows()
            self.workspace.say(
                f"The list is held still; reading goes on. {key_of('alerts.pause')} goes on"
            )
        self._changed()

    def action_sort(self) -> None:
        options = [(order.column, order.label) for order in ORDERS]
        self.app.push_screen(Menu("Sort by", options, self._order.column), self._sort_by)

    def _sort_by(self, column: str | None) -> None:
        if column is not None:
            self._order, self._reversed = (
                next(order for order in ORDERS if order.column == column),
                False,
            )
            self.rearrange()

    def order_by(self, column: str, reverse: bool) -> None:
        if found := next((order for order in ORDERS if order.column == column), None):
            self._order, self._reversed = found, reverse

    def action_reverse(self) -> None:
        self._reversed = not self._reversed
        self.rearrange()

    def action_serious(self, step: int) -> None:
        rows, start = self.row_list.rows, self.row_list.cursor_index or 0
        for away in range(1, len(rows)):
            alert = rows[(start + step * away) % len(rows)]
            if alert.severity in _SERIOUS:
                self._go_to(alert.alert_id)
                return
        self.workspace.say("No other alert here is high or critical")


def _any(_: Alert) -> bool:
    return True


def _open_to_see(alert: Alert) -> bool:
    return alert.status != "closed" and not alert.suppressed_by


def _row_style(alert: Alert) -> str:
    return "$foreground-muted" if alert.status != "open" or alert.suppressed_by else ""
