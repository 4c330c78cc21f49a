"""The sweeps of one principal by day and hour."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from textual import on
from textual.widget import Widget
from textual.widgets import Static

from detector.detection.alert import Alert
from detector.detection.sweeps import Recurrence, Sweep, group_sweeps, recurrence_of, sweep_keys
from tui.keymap import OPEN, key, key_of
from tui.presentation import format, safe
from tui.screens.base.loading import LoadingScreen
from tui.screens.base.screen import breadcrumbs
from tui.widgets.charts.calendar import Calendar
from tui.widgets.line import CellContent


class CalendarScreen(LoadingScreen[Sequence[Sweep]]):
    """The sweeps of an alert's principal on a calendar.

    ``alerts`` returns all current alerts.
    """

    BINDINGS = [
        key(
            "calendar.close",
            "D",
            "leave",
            "close",
            "Back",
            OPEN,
            show=True,
        )
    ]

    AUTO_FOCUS = "Calendar"

    def __init__(self, alert: Alert, alerts: Callable[[], Iterable[Alert]]) -> None:
        super().__init__()
        self._alert = alert
        self._alerts = alerts

    def screen_title(self) -> CellContent:
        return breadcrumbs(("Alerts", format.principal(self._alert), "calendar"), self.size.width)

    def compose_body(self) -> Iterable[Widget]:
        yield Static("", id="rhythm", classes="line")
        yield Calendar()
        yield Static("", id="sweeps")

    def loader(self) -> Callable[[], Sequence[Sweep]]:
        alerts = list(self._alerts())
        return lambda: _sweeps_like(self._alert, alerts)

    def show_content(self, content: Sequence[Sweep]) -> None:
        self.query_one(Calendar).load(content)
        summary = _summary(recurrence_of(content), content)
        self.query_one("#rhythm", Static).update(safe.text(summary))
        self._describe()

    @on(Calendar.Moved)
    def _describe(self) -> None:
        lines = list(map(_line, self.query_one(Calendar).cursor_sweeps))
        if len(lines) > _LINES:
            others = format.plural(len(lines) - _LINES + 1, "more sweep")
            lines = [*lines[: _LINES - 1], f"and {others}"]
        self.query_one("#sweeps", Static).update(
            safe.text("\n".join(lines) or "No sweep here.", lines=True)
        )

    @on(Calendar.Opened)
    def _opened(self, event: Calendar.Opened) -> None:
        if not event.sweeps:
            self.workspace.say(f"No sweep here: {key_of('calendar.next')} goes to the next one")
            return
        worst = max((sweep.worst for sweep in event.sweeps), key=lambda alert: alert.score)
        order = [alert.alert_id for sweep in event.sweeps for alert in sweep.alerts]
        self.workspace.routes.open_alert(worst.alert_id, order)


_LINES = 3
"""Maximum number of lines that describe the sweeps under the cursor."""


def _line(sweep: Sweep) -> str:
    times = format.time_range(sweep.first_event, sweep.last_event)
    severity = format.severity_label(sweep.worst.severity)
    regions = format.plural(len(sweep.regions), "region")
    alerts = format.plural(len(sweep.alerts), "alert")
    return f"{times}  {severity}  {regions}, {alerts}"


def _sweeps_like(alert: Alert, alerts: Iterable[Alert]) -> Sequence[Sweep]:
    """Return the sweeps of the alert's principal in order of time.

    They are grouped from the alerts that share a sweep key with ``alert``, and ``alert`` itself.
    """
    keys = sweep_keys(alert)
    alike = {each.alert_id: each for each in alerts if not keys.isdisjoint(sweep_keys(each))}
    sweeps = group_sweeps({alert.alert_id: alert, **alike}.values())
    return sorted(sweeps, key=lambda sweep: sweep.first_event)


def _summary(recurrence: Recurrence, sweeps: Sequence[Sweep]) -> str:
    """Return ``every hour, 17 regions, 31 times · next expected 2026-03-01 13:00:02Z``."""
    if recurrence.period:
        following = sweeps[-1].first_event + recurrence.period
        return f"{recurrence} · next expected {format.full_time(following)}"
    if recurrence.times > 1:
        return f"{recurrence} · irregular"
    return str(recurrence)
