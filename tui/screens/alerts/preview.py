"""The alert under the cursor, to the right of the list."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from detector.detection.alert import Alert
from detector.detection.event import Event
from tui.presentation import format, safe
from tui.presentation.calls import rare_regions, regions_by_first_call
from tui.presentation.theme import SEVERITY_STYLE
from tui.screens.base.alert_facts import alert_facts
from tui.screens.base.fact_list import FactList
from tui.widgets.charts.heat_strip import HeatStrip


class AlertPreview(Vertical):
    """The heat strip and the facts of one alert; shown only in a wide terminal."""

    def compose(self) -> ComposeResult:
        yield Static("", id="preview-title")
        strip = HeatStrip()
        strip.can_focus = False
        yield strip
        yield FactList()

    @property
    def is_shown(self) -> bool:
        """Whether the terminal is wide enough for the preview."""
        return bool(self.display) and self.size.width > 0

    def show(self, alert: Alert, events: Sequence[Event], places: format.Places) -> None:
        """Show an alert with its calls."""
        title = format.principal(alert)
        self.query_one("#preview-title", Static).update(
            safe.text(title, SEVERITY_STYLE.get(alert.severity, ""))
        )
        strip = self.query_one(HeatStrip)
        strip.display = bool(events)
        if events:
            start, end = alert.shown_extent
            strip.load(
                regions_by_first_call(events),
                [(event.region, event.time) for event in events],
                start,
                end,
                rare=rare_regions(alert),
            )
            first = min(events, key=lambda event: event.time)
            strip.select(first.region, first.time)  # not the previous cell
            strip.styles.height = len(alert.facets.regions) + 1
        self.query_one(FactList).show(alert_facts(alert, places))

    def clear(self) -> None:
        """Show nothing."""
        self.query_one("#preview-title", Static).update("")
        self.query_one(HeatStrip).display = False
        self.query_one(FactList).show([])
