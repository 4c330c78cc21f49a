"""The Events screen: all calls that match a filter, streamed from the newest files first."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec
from textual.timer import Timer
from textual.widgets import Static

from detector.detection.alert import Alert
from detector.detection.indicator import IndicatorList
from detector.filter import Filter, FilterError
from detector.filter.event_selector import EventQuery
from detector.filter.schemas import EVENTS
from detector.investigation.activity_export import EVENT_EXPORT
from detector.investigation.indicators import IndicatorCounts, IndicatorSelector
from detector.investigation.pivot import EventRow, Pivot
from detector.investigation.selectors import AllOf
from detector.triage.caller import Caller
from tui.concurrency.job import Job
from tui.keymap import FIND, key, key_of
from tui.model.callers import caller_of_event
from tui.model.export_choices import list_choice
from tui.model.workspace import ExportChoice
from tui.presentation import format, safe
from tui.screens.base.alert_actions import LIST_BINDINGS, AlertActions
from tui.screens.base.row_actions import AlertsOfRows
from tui.screens.base.watch_action import Offer, offer_of_all
from tui.screens.pivot.columns import event_columns
from tui.screens.pivot.event_rows import EventOrder, build_event_lines, described
from tui.screens.pivot.rows import PivotLine, PivotLines, line_key
from tui.screens.pivot.screen import PivotScreen
from tui.settings.session_file import ListState
from tui.widgets.columns import Column

EVENT_SPANS: tuple[tuple[str, int | None], ...] = (
    ("15 min", 900),
    ("1 h", 3_600),
    ("2 h", 2 * 3_600),
    ("24 h", 86_400),
    ("7 d", 7 * 86_400),
    ("31 d", 31 * 86_400),
    ("all logs", None),
)
"""The spans before the newest event, in seconds; None: all."""
_USUAL_SPAN = 2
_ALL = len(EVENT_SPANS) - 1
_TYPING_REST = 0.5
"""Seconds without a key after which the logs are read by the filter that is being typed."""


class EventsScreen(PivotScreen):
    """The events of a filter; ``since`` and ``until`` in epoch seconds, 0: the usual span."""

    BINDINGS = [
        *LIST_BINDINGS,
        key(
            "events.writes",
            "W",
            "writes",
            "writes only",
            "Only calls that are not read-only, or all again",
            FIND,
            show=True,
        ),
        key(
            "events.errors",
            "X",
            "errors",
            "errors only",
            "Only calls that failed, or all again",
            FIND,
            show=True,
        ),
        key(
            "events.indicators",
            "I",
            "indicators",
            "indicators",
            "Look for a list of addresses, networks, keys, ARNs, accounts, event ids",
            FIND,
            show=True,
        ),
    ]

    area = "events"
    fields = EVENTS
    reads_at_once = False

    def __init__(
        self,
        filter_text: str = "",
        since: int = 0,
        until: int = 0,
        indicators: IndicatorList | None = None,
    ) -> None:
        everything = EventQuery(Filter("", None)).pivot(0)
        super().__init__((), None, everything)
        if filter_text or indicators:
            self.area = ""  # opened from a principal, which the title then names
        self._trail = ("Events",)
        self.alert_actions = AlertActions(
            self, AlertsOfRows(self, self, self._alerts_of), lambda: None, self._callers
        )
        self._filter_text = filter_text
        self._since, self._until = since, until
        self._span = _USUAL_SPAN
        self._writes = self._errors = False
        self._indicators: IndicatorCounts | None = None
        self._wanted = indicators
        if indicators is not None:
            self._span = _ALL
        self._typing: Timer | None = None
        self._question: object = None

    def line_columns(self) -> tuple[Column[PivotLine], ...]:
        return event_columns(self.workspace.rules)

    def reference_time(self) -> float:
        newest = self.workspace.view_model.newest
        if newest is None:
            return self.workspace.now()
        return newest

    def on_mount(self) -> None:
        super().on_mount()
        if self._filter_text:
            try:
                self.filter_bar.filter = self.filter_bar.parse(self._filter_text)
            except FilterError as error:
                self.workspace.say(f"Not filtered: {error}", severity="warning")
        self.ask()

    def restore_options(self, state: ListState) -> None:
        super().restore_options(state)
        if state.order in (name for name, _ in EVENT_SPANS):
            self._span = [name for name, _ in EVENT_SPANS].index(state.order)

    @property
    def list_state(self) -> ListState:
        return msgspec.structs.replace(super().list_state, order=EVENT_SPANS[self._span][0])

    def export_choice(self) -> ExportChoice:
        return list_choice(EVENT_EXPORT, "events", "events")

    # --- the question

    def ask(self) -> None:
        """Search the logs for the current question, unless it was already the last one asked."""
        newest = int(self.reference_time())
        question = (
            self.filter.text,
            self._span,
            self._writes,
            self._errors,
            self._wanted,
            self._since,
        )
        if question == self._question:
            return
        self._question = question
        self._rows = {}
        if self._wanted is not None:
            self._indicators = IndicatorCounts(self._wanted.indicators)
        self._begin(self._bounds(newest))
        self.show()

    def _bounds(self, newest: int) -> Pivot:
        """Return the pivot for the question; the reading thread narrows it further."""
        since, until = self._since or None, self._until or None
        _, seconds = EVENT_SPANS[self._span]
        if since is None and seconds is not None and not self._names_time():
            since = newest - seconds
        query = EventQuery(self.filter, since, until, self._writes, self._errors)
        return query.pivot(newest)

    def _names_time(self) -> bool:
        """Return whether the filter itself specifies times."""
        return bool(self.filter.time_descriptions) or "time" in self.filter.names

    def narrowed(self, wanted: Pivot) -> Pivot:
        """Return the pivot narrowed by what the store knows of its filter; called in a thread."""
        store = self.workspace.store
        query = EventQuery(self.filter, wanted.start, wanted.end, self._writes, self._errors)
        narrowed = query.pivot(wanted.around, store)
        if self._wanted is None:
            return narrowed
        sought = IndicatorSelector(self._wanted.indicators, store)
        return msgspec.structs.replace(narrowed, selector=AllOf((narrowed.selector, sought)))

    def filter_changed(self) -> None:
        self.background.recompute()
        if self._typing is not None:
            self._typing.stop()
        self._typing = self.set_timer(_TYPING_REST, self.ask)

    # --- what is shown

    def row_build(self) -> Callable[[Job], PivotLines]:
        if self._grouped:
            return super().row_build()
        self.filter_bar.renew()
        order = EventOrder(self._folds, self._indicators, self._folded)
        return partial(build_event_lines, self._rows.copy(), self.filter or None, order)

    def _show_asked(self) -> None:
        what = EVENT_SPANS[self._span][0]
        pivot = self._pivot
        if self._since or self._names_time():
            what = format.time_range(pivot.start, min(pivot.end - 1, int(self.reference_time())))
        elif EVENT_SPANS[self._span][1] is not None:
            what = f"last {what}"
        said = [what]
        if self._writes:
            said.append("writes only")
        if self._errors:
            said.append("errors only")
        if self._grouped:
            said.append("by question")
        else:
            said.append(described(self._folds, self._indicators))
        self.query_one("#asked", Static).update(safe.text(" · ".join(said), "$foreground-muted"))

    def _empty_text(self) -> str:
        if self._state == "reading":
            return "Reading the logs, newest files first …"
        return f"No such event in this span.\n{key_of('pivot.wider')} widens the time window."

    # --- what is done

    def action_resize(self, step: int) -> None:
        if self._since:
            self._since = self._until = 0
            self._span = _ALL
        elif self._names_time():
            self.workspace.say("The filter sets the time window")
            return
        elif not 0 <= self._span + step < len(EVENT_SPANS):
            self.workspace.say("All logs" if step > 0 else "Minimum range")
            return
        else:
            self._span += step
        self.ask()

    def action_writes(self) -> None:
        self._writes = not self._writes
        self.ask()

    def action_errors(self) -> None:
        self._errors = not self._errors
        self.ask()

    def action_indicators(self) -> None:
        self.workspace.routes.ask_indicators(self._look_for)

    def _look_for(self, indicators: IndicatorList) -> None:
        self._wanted = indicators
        self._span = _ALL
        self._since = self._until = 0
        self.ask()

    def row_id(self, row: EventRow) -> str:
        return line_key(row)

    def _alerts_of(self, row: EventRow) -> list[Alert]:
        """Return the alerts of an event's caller."""
        if not isinstance(row, EventRow):  # a run, or an indicator
            return []
        alerts, arn = self.workspace.view_model.alerts.values(), row.event.arn
        return [alert for alert in alerts if arn in alert.facets.arns]

    def _callers(self) -> list[Caller]:
        """Return the distinct callers of the chosen events, each with its first event."""
        callers = map(caller_of_event, self.targets())
        return list({caller.context.principal: caller for caller in callers}.values())

    def watch_offers(self) -> list[Offer]:
        offers = super().watch_offers()
        if self._wanted is not None:
            offers.insert(0, offer_of_all(self._wanted.indicators))
        return offers

    def action_back(self) -> None:
        if self._wanted is not None and self._state != "reading" and not self.filter:
            self._wanted = self._indicators = None
            self._span = _USUAL_SPAN
            self.ask()
            return
        super().action_back()
