"""The board of regions, of an alert and of the list."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from detector.detection.baseline import ENOUGH_HISTORY
from tests.detector.trail import ANA, START, call, sweep
from tests.hostile.payloads import screen_text
from tests.tui.stage import Hunt, press, said, until
from tui.app.app import HuntApp
from tui.screens.alert.region_board import RegionBoardScreen
from tui.screens.alert.screen import AlertScreen
from tui.screens.alerts.screen import AlertsScreen
from tui.widgets.charts.region_board import RegionBoard
from tui.widgets.row_list import RowList

EARLIER = -ENOUGH_HISTORY - 60


def history() -> list[dict[str, object]]:
    """Return records of ANA.

    She changed something in one region long ago and only looked at another; now she is in twelve.
    """
    return [
        call(EARLIER, "ap-northeast-1", eventName="RunInstances", readOnly=False),
        call(EARLIER, "ap-south-1", eventName="DescribeVolumes"),
        *sweep(12),
    ]


@pytest.fixture
def hunt(tmp_path: Path) -> Hunt:
    return Hunt(tmp_path, trail=history())


async def open_board(app: HuntApp, pilot: Pilot[None]) -> RegionBoard:
    await until(
        pilot,
        lambda: (
            isinstance(app.screen, RegionBoardScreen)
            and app.screen.query_one(RegionBoard).cursor_region
        ),
    )
    return app.screen.query_one(RegionBoard)


def line_of(app: HuntApp, region: str) -> str:
    """Return the line and column of a region."""
    return next(
        line[line.index(region) :][:18].rstrip()
        for line in screen_text(app).splitlines()[1:]
        if region in line
    )


def test_board_of_alert_labels_each_region(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "enter", "b")
        board = await open_board(app, pilot)
        text = screen_text(app)
        assert "12 regions, 12 calls" in text
        assert line_of(app, "ap-ne-1").split() == ["ap-ne-1", "1", "used"]
        assert line_of(app, "ap-s-1").split() == ["ap-s-1", "1", "!"]
        assert line_of(app, "ap-ne-2").split() == ["ap-ne-2", "1", "new"]
        assert line_of(app, "af-s-1").split() == ["af-s-1", "+"]
        await press(pilot, *"hhhhkkkkkkkkkkk")
        assert board.cursor_region.name == "us-west-2"
        await press(pilot, "enter")
        assert said(app) == "No calls in us-west-2"
        await press(pilot, *"llljjjjj", "enter")
        assert isinstance(app.screen, AlertScreen)
        row = app.screen.query_one("#calls", RowList).cursor_row
        assert row.region == "ap-south-1", "enter goes to its first call there"

    hunt.play(journey)


def test_board_of_list_counts_alerts_and_filters(tmp_path: Path) -> None:
    hunt = Hunt(tmp_path, trail=[*history(), *sweep(10, at=7_200)])

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "b")
        board = await open_board(app, pilot)
        assert "12 regions, 2 alerts" in screen_text(app)
        while board.cursor_region.name != "sa-east-1":
            await press(pilot, "j" if board.cursor_region.geography == "Americas" else "h")
        assert line_of(app, "sa-e-1").split() == ["sa-e-1", "1", "!"]
        await press(pilot, "enter")
        assert isinstance(app.screen, AlertsScreen)
        assert [row.first_event for row in app.screen.row_list.rows] == [START]
        assert "1 of 2" in screen_text(app)
        await press(pilot, "escape", "b", "b")
        assert isinstance(app.screen, AlertsScreen)

    hunt.play(journey)
    assert hunt.alert(ANA)
