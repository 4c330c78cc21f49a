"""The calls of an alert by region and time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import cast

from detector.detection.alert import Alert
from detector.detection.event import Event
from detector.store import StateError
from tui.concurrency.worker import work
from tui.model.workspace import Workspace
from tui.presentation.calls import rare_regions, regions_by_first_call
from tui.widgets.charts.heat_strip import MARGIN, HeatStrip


class AlertStrip(HeatStrip):
    """The heat strip of an alert.

    Once the strip is zoomed out, it also shows the other calls of the alert's principal.
    """

    def __init__(self) -> None:
        super().__init__()
        self._alert: Alert | None = None
        self._events: Sequence[Event] = ()
        self._nearby: Sequence[Event] = ()
        self._has_read_nearby = False

    def show(self, alert: Alert, events: Sequence[Event]) -> None:
        """Show an alert and its events."""
        if self._alert is None or self._alert.alert_id != alert.alert_id:
            self._nearby, self._has_read_nearby = (), False
        self._alert, self._events = alert, events
        self._load(alert)

    def _load(self, alert: Alert) -> None:
        start = alert.start
        end = max(alert.window.end if alert.window else 0, alert.last_event + 1)
        self.load(
            regions_by_first_call(self._events),
            _regions_and_times(self._events),
            start,
            end,
            rare=rare_regions(alert),
            nearby=_regions_and_times(self._nearby),
        )

    def widened(self) -> None:
        if self._alert is not None and not self._has_read_nearby:
            self._has_read_nearby = True
            self._read_nearby(self._alert)

    @work(exclusive=True)
    async def _read_nearby(self, alert: Alert) -> None:
        workspace = cast(Workspace, self.app)
        try:
            nearby = await asyncio.to_thread(
                workspace.store.context.nearby_events, alert.alert_id, MARGIN
            )
        except StateError as error:
            workspace.say(str(error), severity="error")
            return
        if self._alert is not None and self._alert.alert_id == alert.alert_id:
            self._nearby = nearby
            self._load(self._alert)


def _regions_and_times(events: Iterable[Event]) -> Iterable[tuple[str, float]]:
    return ((event.region, event.time) for event in events)
