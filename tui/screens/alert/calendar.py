"""The sweeps of one principal on a calendar, and the rhythm that they come in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from textual import on
from textual.widget import Widget
from textual.widgets import Static

from detector.detection.alert import Alert
from detector.detection.sweeps import Recurrence, Sweep, group_sweeps, recurrence_of, sweep_keys
from tui.keymap import OPEN, key, key_of
from tui.presentation import format, safe
from tui.screens.base.breadcrumbs import breadcrumbs
from tui.screens.base.loading import LoadingScreen
from tui.widgets.charts.calendar import Calendar
from tui.widgets.line import CellContent


class CalendarScreen(LoadingScreen[Sequence[Sweep]]):
    """The sweeps of who is behind ``alert``, among the ``alerts`` that there are now."""

    BINDINGS = [
        key(
            "calendar.close",
            "D",
            "leave",
            "close",
            "Back to where the calendar was opened",
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
        self.query_one("#rhythm", Static).update(safe.text(_told(recurrence_of(content), content)))
        self._describe()

    @on(Calendar.Moved)
    def _describe(self) -> None:
        here = self.query_one(Calendar).cursor_sweeps
        lines = [
            f"{format.time_range(sweep.first_event, sweep.last_event)}  {format.severity_label(sweep.worst.severity)}  "
            f"{format.plural(len(sweep.regions), 'region')}, {format.plural(len(sweep.alerts), 'alert')}"
            for sweep in here
        ]
        if len(lines) > _LINES:
            lines = [
                *lines[: _LINES - 1],
                f"and {format.plural(len(lines) - _LINES + 1, 'more sweep')}",
            ]
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
"""Lines for the sweeps under the cursor."""


def _sweeps_like(alert: Alert, alerts: Iterable[Alert]) -> Sequence[Sweep]:
    """The sweeps of those alerts that share a name with ``alert``, which is one of them, in order
    of time."""
    names = sweep_keys(alert)
    alike = {one.alert_id: one for one in alerts if not names.isdisjoint(sweep_keys(one))}
    return sorted(
        group_sweeps({alert.alert_id: alert, **alike}.values()), key=lambda sweep: sweep.first_event
    )


def _told(content: Recurrence, sweeps: Sequence[Sweep]) -> str:
    """``every hour, 17 regions, 31 times · the next about 2026-03-01 13:00:02Z``."""
    after = (
        f" · the next about {format.full_time(sweeps[-1].first_event + content.period)}"
        if content.period
        else " · no rhythm"
        if content.times > 1
        else ""
    )
    return f"{content}{after}"
