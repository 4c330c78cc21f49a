"""The timeline of alerts, and its brush."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot

from tests.detector.trail import ANA, START
from tests.hostile.payloads import screen_text
from tests.tui.stage import BEN, CAT, Hunt, press, until
from tui.app.app import HuntApp
from tui.screens.alert.screen import AlertScreen
from tui.screens.alerts.screen import AlertsScreen
from tui.screens.alerts.timeline import TimelineScreen
from tui.widgets.charts.histogram import Histogram
from tui.widgets.row_list import RowList


async def over_time(app: HuntApp, pilot: Pilot[None]) -> Histogram:
    await press(pilot, "i")
    await until(
        pilot,
        lambda: isinstance(app.screen, TimelineScreen) and bool(app.screen.query_one(RowList).rows),
    )
    return app.screen.query_one(Histogram)


def principals(app: HuntApp) -> list[str]:
    return [row.principal for row in app.screen.query_one(RowList).rows]


def test_brushed_time_filters_list(tmp_path: Path) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        histogram = await over_time(app, pilot)
        assert principals(app) == [CAT, CAT], "the bucket of the newest"
        await press(pilot, "left_curly_bracket")
        assert principals(app) == [ANA]
        await press(pilot, "space", "left_curly_bracket", "space")
        assert principals(app) == [ANA, BEN]
        assert "2 alerts · 2 low" in screen_text(app)
        assert histogram.brushed is not None
        start, end = histogram.brushed
        assert start <= START
        assert START + 3_600 < end <= START + 7_200
        await press(pilot, "enter")
        assert isinstance(app.screen, AlertsScreen)
        await until(pilot, lambda: principals(app) == [ANA, BEN])
        assert "2 of 4" in screen_text(app)
        assert "esc clears" in screen_text(app)
        await press(pilot, "escape")
        await until(pilot, lambda: len(principals(app)) == 4)

    Hunt(tmp_path).play(journey)


def test_timeline_follows_updates(tmp_path: Path) -> None:
    hunt = Hunt(tmp_path)

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        histogram = await over_time(app, pilot)
        await press(pilot, "space", "h")
        assert histogram.brushed
        await press(pilot, "escape")
        assert not histogram.brushed
        await hunt.arrive(app, pilot, hunt.update(withdrawn=[hunt.alert(BEN).alert_id]))
        await until(pilot, lambda: sum(histogram.counted(0, 2**40).values()) == 3)
        await press(pilot, "right_curly_bracket")
        await pilot.double_click(RowList, offset=(5, 1))
        assert isinstance(app.screen, AlertScreen)
        await press(pilot, "escape", "i")
        assert isinstance(app.screen, AlertsScreen)
        assert len(principals(app)) == 3, "nothing is filtered"

    hunt.play(journey)
