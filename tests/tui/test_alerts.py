"""The list of alerts, while new ones come."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.events import Callback
from textual.message import Message
from textual.pilot import Pilot
from textual.widgets import Static

from detector.detection.alert import Alert, Risk
from tests.detector.alerts import changed_alert
from tests.detector.trail import ANA
from tests.hostile.payloads import screen_text
from tests.tui.build import alert
from tests.tui.stage import BEN, CAT, Feed, Hunt, press, said, until
from tui.app.app import HuntApp
from tui.screens.alert.screen import AlertScreen
from tui.screens.alerts.screen import AlertsScreen
from tui.widgets.row_list import RowList

NEWEST = 9_000
"""A time later than all alerts of the trail, in seconds after START."""


@pytest.fixture
def hunt(tmp_path: Path) -> Hunt:
    return Hunt(tmp_path)


def rows(app: HuntApp) -> RowList[Alert]:
    return app.screen.query_one(RowList)


def principals(app: HuntApp) -> list[str]:
    return [one.principal for one in rows(app).rows]


def worst(name: str, at: int) -> Alert:
    """Return an alert with a higher risk than those of the trail."""
    return alert(name, at=at, risk=Risk(100, "critical", [("rule", 200)]))


def counts(app: HuntApp) -> str:
    return str(app.screen.query_one("#counts", Static).render())


def test_worst_alert_is_first(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        assert principals(app) == [CAT, CAT, ANA, BEN]
        assert counts(app) == "4 alerts · ◆1 ●1 ○2"

    hunt.play(journey)


def test_cursor_stays_on_its_alert(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "j", "j")
        ana = rows(app).cursor_key
        for number in range(30):
            await hunt.arrive(app, pilot, hunt.update(alert(f"new-{number}", at=NEWEST + number)))
            assert rows(app).cursor_key == ana
        await hunt.arrive(
            app, pilot, hunt.update(withdrawn=[f"new-{number}" for number in range(0, 30, 2)])
        )
        assert rows(app).cursor_key == ana
        await press(pilot, "a")
        assert [
            one.alert_id for one in app.view_model.alerts.values() if one.status == "acknowledged"
        ] == [ana]

    hunt.play(journey)


def test_withdrawn_alert_under_cursor_is_announced(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "j", "j")
        await hunt.arrive(app, pilot, hunt.update(withdrawn=[hunt.alert(ANA).alert_id]))
        assert "Late data merged this alert into another" in said(app)
        assert rows(app).cursor_row is not None
        assert rows(app).cursor_row.principal == BEN

    hunt.play(journey)


def test_paused_list_counts_new_alerts(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        before = principals(app)
        await press(pilot, "P")
        await hunt.arrive(
            app, pilot, hunt.update(worst("new", at=NEWEST), worst("newer", at=NEWEST + 1))
        )
        assert principals(app) == before
        assert "+2 new" in counts(app)
        assert "paused" in screen_text(app)
        await press(pilot, "a")
        assert rows(app).cursor_row.status == "acknowledged"
        await press(pilot, "P")
        assert rows(app).keys[:2] == ["newer", "new"]
        assert "new" not in counts(app)

    hunt.play(journey)


@pytest.mark.parametrize("moved", [False, True])
def test_unmoved_cursor_starts_at_first_alert(hunt: Hunt, moved: bool) -> None:
    hunt.feed = Feed(hunt.update(live=False))

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: bool(rows(app).keys))
        if moved:
            await press(pilot, "j")
        cursor_key = rows(app).cursor_key
        await hunt.arrive(app, pilot, hunt.update(alert("newer", at=NEWEST), live=False))
        assert rows(app).cursor_key == cursor_key
        await hunt.arrive(app, pilot, hunt.update(worst("newest", at=NEWEST + 1)))
        assert rows(app).cursor_key == (cursor_key if moved else "newest")

    hunt.play(journey, pipeline=hunt.feed)


def test_following_ends_when_cursor_moves(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "j", "F")
        await hunt.arrive(app, pilot, hunt.update(worst("new", at=NEWEST)))
        assert rows(app).cursor_key == "new"
        await press(pilot, "j")
        cursor_key = rows(app).cursor_key
        await hunt.arrive(app, pilot, hunt.update(worst("newer", at=NEWEST + 1)))
        assert rows(app).cursor_key == cursor_key
        assert "follow" not in counts(app)

    hunt.play(journey)


def test_list_is_still_under_form(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        before = principals(app)
        await press(pilot, "c")
        await hunt.arrive(app, pilot, hunt.update(worst("new", at=NEWEST)))
        assert [one.principal for one in app.screen_stack[0].query_one(RowList).rows] == before
        await press(pilot, "escape")
        assert rows(app).keys[0] == "new"

    hunt.play(journey)


def test_triage_applies_to_marks_and_counts_them(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "space", "space")
        assert "2 marked" in counts(app)
        await press(pilot, "G", "d")
        assert said(app) == "Resolved 2 alerts; z undoes"
        assert principals(app) == [ANA, BEN]
        assert not rows(app).marks
        assert [one.status for one in hunt.store.alerts.all()] == [
            "closed",
            "closed",
            "open",
            "open",
        ]

    hunt.play(journey)


def test_closed_alerts_are_counted_and_can_be_shown(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "d")
        assert counts(app) == "3 alerts · ●1 ○2 · 1 resolved · H shows them"
        await press(pilot, "H")
        assert len(principals(app)) == 4
        assert counts(app) == "4 alerts · ◆1 ●1 ○2 · 1 resolved · H hides them"
        await press(pilot, "H", "f", *"severity:medium", "enter")
        await until(pilot, lambda: "1 of 3 alerts · ●1" in counts(app))

    hunt.play(journey)


def test_undo_restores_each_status(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "a", "asterisk", "d")
        assert principals(app) == []
        await press(pilot, "z")
        assert [one.status for one in rows(app).rows] == ["acknowledged", "open", "open", "open"]
        await press(pilot, "z")
        assert {one.status for one in hunt.store.alerts.all()} == {"open"}
        await press(pilot, "z")
        assert said(app) == "Nothing to undo"

    hunt.play(journey)


def test_filter_is_live_and_stays_written(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "f", "'kali")
        assert principals(app) == [CAT, CAT]
        await press(pilot, "enter")
        assert rows(app).has_focus
        assert "filter kali  2 of 4" in screen_text(app)
        await hunt.arrive(app, pilot, hunt.update(worst("new", at=NEWEST)))
        assert "filter kali  2 of 5" in screen_text(app)
        await press(pilot, "escape")
        assert len(principals(app)) == 5
        assert "filter" not in screen_text(app).splitlines()[-5]

    hunt.play(journey)


def test_invalid_filter_changes_nothing(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "f", "'kali", "enter", "f", "' acount:1", "enter")
        assert principals(app) == [CAT, CAT]
        assert "did you mean account?" in screen_text(app)
        await press(pilot, "escape")
        assert "filter kali  2 of 4" in screen_text(app)

    hunt.play(journey)


def test_search_visits_matches_and_wraps(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "slash", "'user/cat", "enter")
        first = rows(app).cursor_key
        await press(pilot, "n")
        second = rows(app).cursor_key
        await press(pilot, "n")
        assert first != second
        assert rows(app).cursor_key == first
        await press(pilot, "N")
        assert rows(app).cursor_key == second
        await press(pilot, "escape", "slash", "'nowhere")
        assert "no match" in screen_text(app)

    hunt.play(journey)


def test_order_is_chosen_and_reversed(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "s", "enter")
        assert [one.severity for one in rows(app).rows] == ["critical", "medium", "low", "low"]
        await press(pilot, "S")
        assert [one.severity for one in rows(app).rows] == ["low", "low", "medium", "critical"]
        assert "risk↑" in screen_text(app)

    hunt.play(journey)


def test_serious_key_visits_high_alerts(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "G", "e")
        assert rows(app).cursor_row.severity == "critical"
        await press(pilot, "e")
        assert "No other high or critical alert" in said(app)

    hunt.play(journey)


def test_list_is_unchanged_after_alert(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "f", "'user", "enter", "j", "enter")
        assert isinstance(app.screen, AlertScreen)
        await press(pilot, "J", "escape")
        assert isinstance(app.screen, AlertsScreen)
        assert (principals(app), rows(app).cursor_index) == ([CAT, CAT, ANA], 2)

    hunt.play(journey)


def test_sentence_and_regions_follow_cursor(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "G")
        shown = " ".join(screen_text(app).split())
        assert "why DescribeInstances in 12 regions in under 1 s" in shown
        await until(pilot, lambda: "no other activity within ±30 min" in screen_text(app))

    hunt.play(journey)


def test_updates_are_batched(hunt: Hunt) -> None:
    """Send two updates in a row as one batch.

    The screens are told once for both.
    """
    heard: list[Message] = []

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        heard.clear()
        for number in range(100):
            hunt.feed.publish(hunt.update(alert(f"new-{number}", at=NEWEST)))
        await pilot.pause()
        callbacks = {id(event): event for event in heard if isinstance(event, Callback)}.values()
        batches = [each for each in callbacks if "_schedule_batch" in repr(each.callback)]
        assert len(batches) == 1
        app.ingest.take_batch()
        await pilot.pause()
        assert len(rows(app).rows) == 104

    hunt.play(journey, heard=heard)


def test_empty_list_says_what_to_do(tmp_path: Path) -> None:
    hunt = Hunt(tmp_path, trail=[])

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        assert "No alerts in AWSLogs/." in screen_text(app)
        await hunt.arrive(app, pilot, hunt.update(live=False))
        assert "Reading AWSLogs/ …" in screen_text(app)
        only = changed_alert(alert("only"), status="closed")
        await hunt.arrive(app, pilot, hunt.update(only))
        assert "H shows them" in screen_text(app)

    hunt.play(journey)
