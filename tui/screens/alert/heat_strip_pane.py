"""The strip of an alert: its calls; and once more time is in view than its own, what else is held of its principal."""

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
    def __init__(self) -> None:
        super().__init__()
        self._alert: Alert | None = None
        self._events: Sequence[Event] = ()
        self._around: Sequence[Event] = ()
        self._asked = False

    def show(self, alert: Alert, events: Sequence[Event]) -> None:
        """Show this alert, which rests on ``events``."""
        if self._alert is None or self._alert.alert_id != alert.alert_id:
            self._around, self._asked = (), False
        self._alert, self._events = alert, events
        self._load(alert)

    def _load(self, alert: Alert) -> None:
        start = alert.start
        end = max(alert.window.end if alert.window else 0, alert.last_event + 1)
        self.load(
            regions_by_first_call(self._events),
            _where_and_when(self._events),
            start,
            end,
            rare=rare_regions(alert),
            nearby=_where_and_when(self._around),
        )

    def widened(self) -> None:
        if self._alert is not None and not self._asked:
            self._asked = True
            self._read_around(self._alert)

    @work(exclusive=True)
    async def _read_around(self, alert: Alert) -> None:
        workspace = cast(Workspace, self.app)
        try:
            around = await asyncio.to_thread(
                workspace.store.context.nearby_events, alert.alert_id, MARGIN
            )
        except StateError as error:
            workspace.say(str(error), severity="error")
            return
        if self._alert is not None and self._alert.alert_id == alert.alert_id:
            self._around = around
            self._load(self._alert)


def _where_and_when(events: Iterable[Event]) -> Iterable[tuple[str, float]]:
    return ((event.region, event.time) for event in events)
