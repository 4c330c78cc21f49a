"""When the alerts came, by severity; what is brushed here, the list of alerts is filtered to."""

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
from tui.screens.alerts.columns import COLUMNS
from tui.screens.base.loading import LoadingScreen
from tui.widgets.charts.histogram import Histogram
from tui.widgets.row_list import RowList


@dataclass(frozen=True)
class Ordered:
    """Alerts in order of their first events, which are ``times``; ``severities`` has them by
    severity."""

    alerts: Sequence[Alert]
    times: Sequence[int]
    severities: Mapping[str, Sequence[int]]

    @classmethod
    def of(cls, alerts: Iterable[Alert]) -> Ordered:
        ordered = sorted(alerts, key=lambda alert: (alert.first_event, alert.alert_id))
        severities: dict[str, list[int]] = defaultdict(list)
        for alert in ordered:
            severities[alert.severity].append(alert.first_event)
        return cls(ordered, [alert.first_event for alert in ordered], severities)

    def between(self, start: int, end: int) -> Sequence[Alert]:
        """Those in ``[start, end)``, the newest first."""
        return self.alerts[bisect_left(self.times, start) : bisect_left(self.times, end)][::-1]


class TimelineScreen(LoadingScreen[Ordered]):
    """``alerts`` gives those that there are now, in a thread; ``choose`` hears of the ``[start,
    end)`` to narrow to."""

    BINDINGS = [
        key("timeline.close", "i", "leave", "list", "Back to the list of alerts", OPEN, show=True)
    ]

    AUTO_FOCUS = "Histogram"

    def __init__(
        self, alerts: Callable[[], Iterable[Alert]], choose: Callable[[int, int], object]
    ) -> None:
        super().__init__()
        self._alerts = alerts
        self._choose = choose
        self._ordered = Ordered.of(())

    def screen_title(self) -> str:
        return "Alerts › over time"

    def compose_body(self) -> Iterable[Widget]:
        yield Histogram()
        yield Static("", id="brushed", classes="line")
        rows = RowList(COLUMNS, key=lambda alert: alert.alert_id, empty="No alert in this time.")
        rows.can_focus = False
        yield rows

    def loader(self) -> Callable[[], Ordered]:
        return lambda: Ordered.of(self._alerts())

    def show_content(self, content: Ordered) -> None:
        self._ordered = content
        histogram = self.query_one(Histogram)
        histogram.load(self._ordered.severities)
        histogram.styles.height = histogram.HEADER + max(1, len(self._ordered.severities))
        self._show_brushed(*(histogram.brushed or histogram.span))

    @on(Histogram.Moved)
    def _moved(self, event: Histogram.Moved) -> None:
        self._show_brushed(event.start, event.end)

    def _show_brushed(self, start: int, end: int) -> None:
        inside, counted = (
            self._ordered.between(start, end),
            self.query_one(Histogram).counted(start, end),
        )
        told = ", ".join(
            f"{format.number(counted[word])} {word}"
            for word in reversed(SEVERITIES)
            if word in counted
        )
        words = " · ".join(
            filter(None, (format.time_range(start, end), format.plural(len(inside), "alert"), told))
        )
        self.query_one("#brushed", Static).update(safe.text(words))
        self.query_one(RowList).show(inside)

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
