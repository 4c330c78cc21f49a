"""Filters by keyboard: typed, from a cell, saved."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from detector.detection.alert import Alert
from tests.detector.trail import ANA
from tests.hostile.payloads import PAYLOADS, harm, screen_text
from tests.tui.build import alert
from tests.tui.stage import BEN, CAT, Hunt, press, said, until
from tui.app.app import HuntApp
from tui.screens.alerts.screen import AlertsScreen
from tui.screens.base.menu import Menu
from tui.screens.base.query_line import QueryInput
from tui.screens.pivot.screen import PivotScreen
from tui.settings import config, saved_views
from tui.widgets.row_list import RowList


@pytest.fixture
def hunt(tmp_path: Path) -> Hunt:
    return Hunt(tmp_path)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the configuration folder."""
    monkeypatch.setattr(config, "user_config_path", lambda _: tmp_path / "config")
    return tmp_path / "config"


def principals(app: HuntApp) -> list[str]:
    rows: RowList[Alert] = app.screen.query_one(RowList)
    return [one.principal for one in rows.rows]


def typed(app: HuntApp) -> str:
    return app.screen.query_one(QueryInput).value


def test_filter_is_completed_and_errors_are_shown(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "f", "'sev", "tab", "tab", "tab")
        assert typed(app) == "severity:medium"
        await press(pilot, "shift+tab")
        assert typed(app) == "severity:low"
        assert "tab  low  medium  high  critical" in screen_text(app)
        assert principals(app) == [ANA, BEN]
        await press(pilot, "' reg", "tab", "'us-w", "tab")
        assert typed(app) == "severity:low region:us-west-2"
        await press(pilot, "' sevrity:low")
        assert principals(app) == [CAT, CAT, ANA, BEN]
        assert "no field sevrity; did you mean severity?" in screen_text(app)
        await press(pilot, *["backspace"] * 12, "enter")
        assert "filter severity:low region:us-west-2  " in screen_text(app)
        await press(pilot, "f", "'ti", "escape")
        assert "filter severity:low region:us-west-2  " in screen_text(app)

    hunt.play(journey)


def test_cell_filters_in_and_out(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        screen = app.screen
        assert isinstance(screen, AlertsScreen)
        await press(pilot, "G", "l", "l", "minus")
        assert screen.filter.text == f"-principal={BEN}"
        assert principals(app) == [CAT, CAT, ANA]
        await press(pilot, "G", "h", "equals_sign")
        assert screen.filter.text == f"-principal={BEN} risk=21"
        assert principals(app) == [ANA]
        assert "1 of 4" in screen_text(app)
        await press(pilot, "escape", "escape", "f", "'kali or inventory", "enter", "equals_sign")
        assert screen.filter.text.startswith("(kali or inventory) risk=")

    hunt.play(journey)


def test_row_without_cell_offers_every_value(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "G", "minus")
        menu = app.screen
        assert isinstance(menu, Menu)
        index = [term for term, _ in menu._options].index("-source=198.51.100.4")
        await press(pilot, *["j"] * index, "enter")
        assert principals(app) == [CAT, CAT, ANA]

    hunt.play(journey)


def test_filter_about_hidden_alerts_shows_them(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "G", "d", "f", "'status:closed", "enter")
        assert principals(app) == [BEN]
        assert "1 of 4" in screen_text(app)
        await press(pilot, "escape")
        assert principals(app) == [CAT, CAT, ANA]

    hunt.play(journey)


def test_filter_stays_after_alert_and_pivot(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "f", "'principal=user/cat", "enter", "enter", "p")
        await until(
            pilot, lambda: isinstance(app.screen, PivotScreen) and app.screen._state == "done"
        )
        await press(pilot, "f", "'outcome=ok 11:58..12:59", "enter", "escape", "escape", "escape")
        assert isinstance(app.screen, AlertsScreen)
        assert principals(app) == [CAT, CAT]
        assert "filter principal=user/cat  2 of 4" in screen_text(app)

    hunt.play(journey)


def test_relative_times_follow_newest_record(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await hunt.arrive(app, pilot, hunt.update(newest=hunt.alert(CAT).last_event))
        await press(pilot, "f", "'last 90m", "enter")
        assert principals(app) == [CAT, CAT, ANA]
        assert "3 of 4 · time since 2026-03-01 10:" in screen_text(app)
        await hunt.arrive(
            app,
            pilot,
            hunt.update(alert("new", at=10_000), newest=hunt.alert(CAT).last_event + 3_600),
        )
        assert "3 of 5 · time since 2026-03-01 11:" in screen_text(app)

    hunt.play(journey, size=(120, 34))


def test_view_is_saved_used_and_deleted(hunt: Hunt, folder: Path) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "v", "w")
        assert "No filter to save" in said(app)
        await press(pilot, "escape", "f", "'-kali", "enter", "S", "v", "w", "'quiet ones", "ctrl+s")
        assert "view names may contain letters" in screen_text(app)
        await press(pilot, *["backspace"] * 5, "ctrl+s")
        assert said(app) == "Saved: v offers quiet, and @quiet stands for it"
        assert (folder / "views.json").stat().st_mode & 0o777 == 0o600
        await press(pilot, "S", "escape", "v")
        assert "@quiet  -kali" in screen_text(app)
        await press(pilot, "enter")
        assert principals(app) == [BEN, ANA]
        await press(pilot, "escape", "f", "'@qui", "tab", "' inventory", "enter")
        assert "filter (-kali) inventory  1 of 4" in screen_text(app)
        await press(pilot, "v", "d", "y")
        assert said(app) == "Deleted the view quiet: -kali"
        assert saved_views.read_saved() == []
        await press(pilot, "v", "d", "y")
        assert "is built in and cannot be deleted" in said(app)

    hunt.play(journey)


def test_saved_views_are_never_lost_or_replaced(folder: Path) -> None:
    saved_views.save(saved_views.SavedView("kalis", "alerts", "kali"))
    for repeated in (
        saved_views.SavedView("kalis", "alerts", "other"),
        saved_views.SavedView("serious", "alerts", "x"),
    ):
        with pytest.raises(saved_views.ViewError, match="already"):
            saved_views.save(repeated)
    saved_views.save(saved_views.SavedView("kalis", "notes", "benign"))
    assert [view.filter for view in saved_views.read_saved()] == ["kali", "benign"]
    (folder / "views.json").write_text("[{]")
    with pytest.raises(saved_views.ViewError, match="correct the file"):
        saved_views.save(saved_views.SavedView("other", "alerts", "x"))
    assert (folder / "views.json").read_text() == "[{]"


@pytest.mark.parametrize("view", saved_views.BUILTIN, ids=lambda view: view.name)
def test_builtin_views_parse(view: saved_views.SavedView) -> None:
    from tests.detector.filter.test_filter import AT, TABLES, parse_filter

    fields = next(fields for fields in TABLES if fields.rows == view.rows)
    assert parse_filter(saved_views.expand_reference(f"@{view.name}", view.rows), fields, AT)


def test_hostile_values_are_harmless_in_filters(tmp_path: Path) -> None:
    hunt = Hunt(tmp_path, trail=[])
    made = [
        alert(
            f"a{index}",
            at=index,
            user_agents=[text],
            accounts=[text],
            arns=[text],
            flags=(text[:2_000],),
        )
        for index, text in enumerate(PAYLOADS.values())
    ]

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await hunt.arrive(app, pilot, hunt.update(*made))
        await press(pilot, "f", "'agent:")
        for _ in range(8):
            await press(pilot, "tab")
            assert [each for each in harm(app) if "@mouse" not in each] == []
        await press(pilot, "enter", "f", "escape", "escape", "l", "l", "l")
        for _ in made[:12]:
            await press(pilot, "equals_sign", "v", "escape", "escape", "minus", "escape", "j")
            assert [each for each in harm(app) if "@mouse" not in each] == []

    hunt.play(journey, size=(120, 36))
