"""The alert under the cursor: why it fired, what followed, what was new, and its preview."""

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
from tui.model.call_objects import objects_of_signals
from tui.presentation.explanation import new_line, technique_tags, then_line, why_line
from tui.screens.alerts.preview import AlertPreview
from tui.screens.alerts.sweep_groups import SweepGroup
from tui.screens.base.screen import HuntScreen, ScreenPart
from tui.widgets.labelled_lines import LabelledLine, LabelledLines
from tui.widgets.row_list import RowList

_REST_SECONDS = 0.15
"""Seconds that the cursor must rest on an alert before its signals are read."""


class HighlightedAlert(ScreenPart):
    """Shows one alert in the LabelledLines of the screen, and in its preview if there is room."""

    def __init__(
        self, screen: HuntScreen, folded_group: Callable[[Alert], SweepGroup | None]
    ) -> None:
        super().__init__(screen)
        self._folded_group = folded_group
        self._shown: Alert | None = None

    def show(self, alert: Alert | None) -> None:
        """Show an alert, or nothing for None."""
        lines = self.screen.query_one(LabelledLines)
        if alert is None:
            lines.clear()
            self.screen.query_one(AlertPreview).clear()
            self._shown = None
            return
        group, group_tags = self._folded_group(alert), ("", "")
        if group is not None:
            expands = f"{key_of('alerts.fold')} expands"
            group_tags = f"{group} – {expands}", expands
        rule = self.workspace.rules.get(alert.rule.id)
        lines.show(
            LabelledLine("why", why_line(alert, rule), *technique_tags(alert)),
            LabelledLine("new", new_line(alert), *group_tags),
        )
        if self._shown is None or self._shown.alert_id != alert.alert_id:
            lines.show(LabelledLine("then", ""))
        if self._shown is not alert:
            self._shown = alert
            self._read(alert)

    @work(exclusive=True, group="then")
    async def _read(self, alert: Alert) -> None:
        """Once the cursor rests, read what the principal did after the alert."""
        await asyncio.sleep(_REST_SECONDS)
        store = self.workspace.store
        preview = self.screen.query_one(AlertPreview)
        signals: Mapping[str, Sequence[Event]] = MappingProxyType({})
        with contextlib.suppress(StateError):  # the other lines are shown without it
            signals = await asyncio.to_thread(store.context.signals, alert.alert_id)
            self._show_then(alert, then_line(alert, signals))
            # Fill the preview even if it is hidden, so that a wider terminal shows it at once.
            events = await asyncio.to_thread(store.alerts.events, alert.alert_id)
            if self._is_current(alert):
                preview.show(alert, events, self.workspace.rules)
        objects = await asyncio.to_thread(objects_of_signals, alert, signals)
        if objects:
            self._show_then(alert, then_line(alert, signals, lambda event: objects.get(event, "")))

    def _show_then(self, alert: Alert, text: str) -> None:
        if self._is_current(alert) and alert.baseline is not None:
            self.screen.query_one(LabelledLines).show(LabelledLine("then", text))

    def _is_current(self, alert: Alert) -> bool:
        return self.screen.query_one(RowList).cursor_row is alert
