"""The calendar of the sweeps of one principal."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot

from tests.detector.trail import ANA, START, sweep
from tests.hostile.payloads import screen_text
from tests.tui.stage import Hunt, press, said, until
from tui.app.app import HuntApp
from tui.screens.alert.calendar import CalendarScreen
from tui.screens.alert.screen import AlertScreen
from tui.screens.alerts.screen import AlertsScreen
from tui.widgets.charts.calendar import Calendar

BEN = {
    "type": "IAMUser",
    "accountId": "111122223333",
    "arn": "arn:aws:iam::111122223333:user/ben",
    "accessKeyId": "AKIABENSOWN",
}


def test_calendar_shows_recurrence_and_opens_alert(tmp_path: Path) -> None:
    hunt = Hunt(
        tmp_path,
        trail=[
            *(record for hour in range(4) for record in sweep(10, at=3_600 * hour)),
            *sweep(12, at=600, userIdentity=BEN),
        ],
    )

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "D")
        await until(
            pilot,
            lambda: (
                isinstance(app.screen, CalendarScreen)
                and app.screen.query_one(Calendar).cursor_sweeps
            ),
        )
        text = screen_text(app)
        assert "every hour, 10 regions, 4 times · next expected 2026-03-01 14:00:00Z" in text
        assert text.count("○") >= 4
        assert "10 regions, 1 alert" in text
        await press(pilot, "l", "enter")
        assert said(app) == "No sweep here: } goes to the next one"
        await press(pilot, *["left_curly_bracket"] * 9, "enter")
        assert isinstance(app.screen, AlertScreen)
        assert app.screen.alert is not None
        assert (app.screen.alert.principal, app.screen.alert.first_event) == (ANA, START)
        await press(pilot, "D")
        await until(
            pilot,
            lambda: (
                isinstance(app.screen, CalendarScreen)
                and app.screen.query_one(Calendar).cursor_sweeps
            ),
        )
        await press(pilot, "D", "escape", "escape")
        await press(pilot, "G", "k", "D")
        await until(
            pilot,
            lambda: (
                isinstance(app.screen, CalendarScreen)
                and app.screen.query_one(Calendar).cursor_sweeps
            ),
        )
        assert "single occurrence, 12 regions" in screen_text(app)
        await press(pilot, "escape")
        assert isinstance(app.screen, AlertsScreen)

    hunt.play(journey)
