"""The alerts over time, by severity."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from textual import on
from textual.widget import Widget
from textual.widgets import Static

from detector.detection.alert import SEVERITIES, Alert
from tui.keymap import OPEN, key
from tui.presentation import format, safe
from tui.screens.alerts.columns import ALERT_COLUMNS
from tui.screens.base.loading import LoadingScreen
from tui.widgets.charts.histogram import Histogram
from tui.widgets.row_list import RowList


@dataclass(frozen=True)
class AlertTimes:
    """Alerts in order of their first events, with these events' times."""

    alerts: Sequence[Alert]
    times: Sequence[int]
    by_severity: Mapping[str, Sequence[int]]

    @classmethod
    def of(cls, alerts: Iterable[Alert]) -> AlertTimes:
        """Sort alerts by their first events."""
        ordered = sorted(alerts, key=lambda alert: (alert.first_event, alert.alert_id))
        by_severity: dict[str, list[int]] = defaultdict(list)
        for alert in ordered:
            by_severity[alert.severity].append(alert.first_event)
        return cls(ordered, [alert.first_event for alert in ordered], by_severity)

    def between(self, start: int, end: int) -> Sequence[Alert]:
        """Return the alerts whose times are in ``[start, end)``, newest first."""
        return self.alerts[bisect_left(self.times, start) : bisect_left(self.times, end)][::-1]


class TimelineScreen(LoadingScreen[AlertTimes]):
    """A histogram of alerts, with a list of the alerts in the brushed span.

    ``alerts`` returns the current alerts and is called in a thread; ``choose`` is called with the
    span ``[start, end)`` to which the analyst narrows.
    """

    BINDINGS = [key("timeline.close", "i", "leave", "list", "Back to the alerts", OPEN, show=True)]

    AUTO_FOCUS = "Histogram"

    def __init__(
        self, alerts: Callable[[], Iterable[Alert]], choose: Callable[[int, int], object]
    ) -> None:
        super().__init__()
        self._alerts = alerts
        self._choose = choose
        self._alert_times = AlertTimes.of(())

    def screen_title(self) -> str:
        return "Alerts › over time"

    def compose_body(self) -> Iterable[Widget]:
        yield Histogram()
        yield Static("", id="brushed", classes="line")
        rows = RowList(
            ALERT_COLUMNS, key=lambda alert: alert.alert_id, empty="No alerts in this period."
        )
        rows.can_focus = False
        yield rows

    def loader(self) -> Callable[[], AlertTimes]:
        return lambda: AlertTimes.of(self._alerts())

    def show_content(self, content: AlertTimes) -> None:
        self._alert_times = content
        histogram = self.query_one(Histogram)
        histogram.load(content.by_severity)
        histogram.styles.height = histogram.HEADER + max(1, len(content.by_severity))
        self._show_brushed(*(histogram.brushed or histogram.span))

    @on(Histogram.Moved)
    def _moved(self, event: Histogram.Moved) -> None:
        self._show_brushed(event.start, event.end)

    def _show_brushed(self, start: int, end: int) -> None:
        alerts = self._alert_times.between(start, end)
        counts = self.query_one(Histogram).counted(start, end)
        severities = [
            f"{format.number(counts[severity])} {severity}"
            for severity in reversed(SEVERITIES)
            if severity in counts
        ]
        parts = [format.time_range(start, end), format.plural(len(alerts), "alert")]
        if severities:
            parts.append(", ".join(severities))
        self.query_one("#brushed", Static).update(safe.text(" · ".join(filter(None, parts))))
        self.query_one(RowList).show(alerts)

    @on(Histogram.Chosen)
    def _chosen(self, event: Histogram.Chosen) -> None:
        event.stop()
        self.workspace.leave()
        self._choose(event.start, event.end)

    @on(RowList.Opened)
    def _open(self, event: RowList.Opened) -> None:
        order = [alert.alert_id for alert in self.query_one(RowList).rows]
        self.workspace.routes.open_alert(event.row.alert_id, order)

    def action_back(self) -> None:
        if not self.query_one(Histogram).clear_brush():
            super().action_back()
