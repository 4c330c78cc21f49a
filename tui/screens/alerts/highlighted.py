"""Why the alert under the cursor fired, and in which regions."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from detector.detection.alert import Alert
from detector.detection.event import Event
from detector.store import StateError
from tui.concurrency.worker import work
from tui.keymap import key_of
from tui.presentation import format, safe
from tui.presentation.calls import rare_regions
from tui.screens.alerts.sweep_groups import SweepGroup
from tui.screens.base.screen import HuntScreen, ScreenPart
from tui.widgets.region_line import RegionLine
from tui.widgets.row_list import RowList
from tui.widgets.wrapped_text import WrappedText

_REST_SECONDS = 0.15
"""Seconds that the cursor rests on an alert before its signals are read."""


class HighlightedAlert(ScreenPart):
    """Shows one alert in the WrappedText and the RegionLine of the screen."""

    def __init__(
        self, screen: HuntScreen, folded_group: Callable[[Alert], SweepGroup | None]
    ) -> None:
        super().__init__(screen)
        self._folded_group = folded_group

    def show(self, alert: Alert | None) -> None:
        """Show this alert."""
        self._show_why(alert)
        if alert and alert.flags:
            self._read_signals(alert)
        regions = self.screen.query_one(RegionLine)
        if alert is None:
            regions.show([], [])
        else:
            regions.show(alert.facets.regions, rare_regions(alert))

    def _show_why(
        self, alert: Alert | None, signals: Mapping[str, Sequence[Event]] = MappingProxyType({})
    ) -> None:
        text = ""
        if alert is not None:
            text = format.why(alert, self.workspace.rules.get(alert.rule.id), signals)
            group = self._folded_group(alert)
            if group is not None:
                text = f"{group} – {key_of('alerts.fold')} expands. {text}"
        self.screen.query_one(WrappedText).update(safe.text(text))

    @work(exclusive=True, group="then")
    async def _read_signals(self, alert: Alert) -> None:
        """Add what the principal did then, once the cursor rests."""
        await asyncio.sleep(_REST_SECONDS)
        with contextlib.suppress(StateError):  # the sentence stands without it
            signals = await asyncio.to_thread(self.workspace.store.context.signals, alert.alert_id)
            if self.screen.query_one(RowList).cursor_row is alert:
                self._show_why(alert, signals)
