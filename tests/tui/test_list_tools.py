"""Facets, chosen columns, search positions, the preview and the bell."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from detector.detection.alert import Risk
from detector.filter.schemas import ALERTS
from tests.hostile.payloads import screen_text
from tests.tui.build import alert, update
from tests.tui.stage import CAT, Hunt, press, until
from tui.app.alert_bell import AlertBell
from tui.app.app import HuntApp
from tui.model.view_model import ViewModel
from tui.screens.alerts.preview import AlertPreview
from tui.screens.dialogs.facets import facet_rows
from tui.widgets.row_list import RowList


@pytest.fixture
def hunt(tmp_path: Path) -> Hunt:
    return Hunt(tmp_path)


def test_facets_count_values_and_those_missing() -> None:
    rows = [alert("a"), alert("b"), alert("c", severity="high", access_keys=[])]
    found = {(row.field, row.value): (row.count, row.term) for row in facet_rows(ALERTS, rows)}
    assert found["severity", "low"] == (2, "severity=low")
    assert found["severity", "high"] == (1, "severity=high")
    assert found["key", "none"] == (1, 'key=""')
    assert not any(field in ("time", "calls", "id") for field, _ in found)


def test_facet_filters_the_list(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "f2")
        await until(pilot, lambda: bool(app.screen.query_one(RowList).rows))
        facets = app.screen.query_one(RowList)
        facets.move_to(next(row.key for row in facets.rows if row.term == "severity=critical"))
        await press(pilot, "enter")
        await until(pilot, lambda: len(app.screen.query_one(RowList).rows) == 1)
        assert "severity=critical" in screen_text(app)
        await press(pilot, "escape", "slash", "'user", "enter")
        await until(pilot, lambda: "1 of 3" in screen_text(app))
        await press(pilot, "n")
        await until(pilot, lambda: "2 of 3" in screen_text(app))

    hunt.play(journey, size=(120, 40))


def test_chosen_columns_are_shown(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "C")
        chooser = app.screen.query_one(RowList)
        chooser.marks = ["risk", "principal", "source"]
        await press(pilot, "enter")
        await pilot.pause()
        header = screen_text(app).splitlines()[2].split()
        assert header == ["risk↓", "principal", "source"]

    hunt.play(journey)


def test_preview_stands_beside_the_list_where_there_is_room(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "principal  arn:aws:iam" in screen_text(app))
        assert app.screen.query_one(AlertPreview).is_shown
        assert CAT[:20] in screen_text(app)
        await pilot.resize_terminal(120, 40)
        await until(pilot, lambda: not app.screen.query_one(AlertPreview).is_shown)

    hunt.play(journey, size=(160, 48))


class Ringing:
    """An app that counts its bells."""

    is_headless = True
    _driver = None

    def __init__(self) -> None:
        self.bells = 0

    def bell(self) -> None:
        self.bells += 1


CRITICAL = Risk(100, "critical", [("rule", 100)])


@pytest.mark.parametrize(
    ("severity", "live", "bells"),
    [("critical", True, 1), ("high", True, 1), ("off", True, 0), ("critical", False, 0)],
)
def test_bell_rings_once_for_new_alerts(severity: str, live: bool, bells: int) -> None:
    app, view_model = Ringing(), ViewModel()
    view_model.live = live
    bell = AlertBell(app, severity)  # type: ignore[arg-type]
    for _ in range(2):
        bell.ring(update(alert("a", risk=CRITICAL), alert("b")), view_model)
    bell.ring(update(alert("s", risk=CRITICAL, suppressed_by="s")), view_model)
    assert app.bells == bells
