"""The calls of an alert: strip, list and raw record."""

from __future__ import annotations

import asyncio
import math

from detector.detection.alert import Alert
from detector.detection.event import Event
from detector.investigation.raw_record import EvidenceGone, raw_record
from detector.store import StateError
from tui.concurrency.worker import work
from tui.keymap import FIND, key
from tui.model.call_objects import call_objects
from tui.presentation.calls import event_key
from tui.screens.alert.call_runs import CallRuns
from tui.screens.alert.heat_strip_pane import AlertStrip
from tui.screens.base.screen import HuntScreen, ScreenPart
from tui.widgets.json_view import JsonView
from tui.widgets.pane_tabs import PaneBar
from tui.widgets.row_list import RowList

_MAX_OBJECTS = 200
"""Maximum number of calls whose records are read to show their objects."""


class CallViews(ScreenPart):
    """Reads the calls of an alert, and keeps list, strip and raw record in sync."""

    BINDINGS = [
        key(
            "calls.fold", "o", "fold_calls", "runs", "Fold equal calls in a row, or show each", FIND
        ),
    ]

    def __init__(self, screen: HuntScreen) -> None:
        super().__init__(screen)
        self._events: list[Event] = []
        self._folds = False
        self.runs = CallRuns((), folds=False)
        self._objects: dict[Event, str] = {}
        self._raw_key: str | None = None
        """The key of the call whose record the raw pane shows."""

    @property
    def _list(self) -> RowList[Event]:
        return self.screen.query_one("#calls", RowList)

    @property
    def current(self) -> Event | None:
        """The call under the cursor."""
        return self._list.cursor_row

    @work(exclusive=True, group="events")
    async def read(self, alert: Alert) -> None:
        """Read the calls of an alert and show them."""
        try:
            events = await asyncio.to_thread(self.workspace.store.alerts.events, alert.alert_id)
        except StateError as error:
            self.workspace.say(str(error), severity="error")
            return
        self._events = events
        self._list.empty = "No calls of this alert are stored."
        self._show_runs()
        self.screen.query_one(AlertStrip).show(alert, events)
        self.screen.remove_class("-unread")
        self.show_current()
        self._objects = await asyncio.to_thread(call_objects, events[:_MAX_OBJECTS])
        if self._objects:
            self._list.redraw()

    def _show_runs(self) -> None:
        self.runs = CallRuns(self._events, folds=self._folds)
        self._list.show(self.runs.shown)

    def action_fold_calls(self) -> None:
        """Fold runs of calls that differ only in region, or show each call."""
        call = self.current
        self._folds = not self._folds
        self._show_runs()
        if call is not None:
            self.go_to(call)

    def object_of(self, call: Event) -> str:
        """Return the object of a call, ``""`` if its record has not been read."""
        return self._objects.get(call, "")

    def first(self, region: str, start: float = -math.inf, end: float = math.inf) -> Event | None:
        """Return the first call of a region in ``[start, end)``, or None."""
        calls = (call for call in self._events if call.region == region)
        return next((call for call in calls if start <= call.time < end), None)

    def go_to(self, call: Event) -> None:
        """Put the cursor on a call."""
        self._list.move_to(event_key(self.runs.row_of(call)))

    def show_current(self) -> None:
        """Show the current call in the strip and in the raw pane.

        The record is read only while the raw pane is in front.
        """
        strip, call = self.screen.query_one(AlertStrip), self.current
        if call is not None and not strip.has_focus:
            strip.select(call.region, call.time)
        if self.screen.query_one(PaneBar).front == "raw":
            self.show_raw()

    def show_raw(self) -> None:
        """Show the record of the current call, unless it is already shown."""
        call = self.current
        if call is not None and event_key(call) != self._raw_key:
            self._raw_key = event_key(call)
            self._read_raw(call)

    def forget_raw(self) -> None:
        """Make the next ``show_raw`` reread the record, since the calls have changed."""
        self._raw_key = None

    @work(exclusive=True, group="raw")
    async def _read_raw(self, call: Event) -> None:
        view = self.screen.query_one(JsonView)
        try:
            view.show(await asyncio.to_thread(raw_record, call))
        except EvidenceGone as error:
            view.show(None, empty=str(error))
