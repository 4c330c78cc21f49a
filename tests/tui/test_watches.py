"""Watches in the app: made where something is seen, told when it is seen again."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot

from detector.detection.indicator import parse_indicators
from detector.store import Store
from detector.triage.watch import Sighting
from tests.hostile.payloads import PAYLOADS
from tests.tui.stage import ANA, CAT, Hunt, press, records, said, screen_text, until
from tests.tui.test_principals import harms
from tui.app.app import HuntApp
from tui.screens.admin.watches import WatchesScreen
from tui.screens.base.menu import Menu
from tui.screens.pivot.events import EventsScreen
from tui.screens.pivot.rows import QuestionLine
from tui.widgets.row_list import RowList


def sees(store: Store, text: str, at: int = 1_772_359_300) -> None:
    """Write into the state, as another process does, that a watch has seen an event."""
    [watch_id] = [
        row.watch.watch_id for row in store.watches.all() if row.watch.indicator.text == text
    ]
    store.watches.add_sightings(
        [Sighting(watch_id, str(at).encode(), at, CAT, "ListUsers", "us-east-1", "::1", "")],
        {},
    )


def test_watch_a_principal_from_its_alert_and_end_it(tmp_path: Path) -> None:
    hunt = Hunt(tmp_path, records())

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "L")
        await until(pilot, lambda: isinstance(app.screen, Menu))
        await press(pilot, "enter")
        await until(pilot, lambda: bool(app.view_model.watches))
        assert said(app).startswith("Watching for principal user/cat")
        await press(pilot, "L", "enter")
        await until(pilot, lambda: said(app) == "Watched for already: principal user/cat")
        await press(pilot, "8")
        await until(pilot, lambda: isinstance(app.screen, WatchesScreen))
        await until(pilot, lambda: "not seen since it was made" in screen_text(app))
        await press(pilot, "u")
        await until(pilot, lambda: app.view_model.watches[0].state == "lifted")
        await press(pilot, "z", "z")
        await until(pilot, lambda: app.view_model.watches[0].state == "undone")
        await press(pilot, "slash", *"state=undone", "enter")
        await until(pilot, lambda: len(app.screen.query_one(RowList).rows) == 1)

    hunt.play(journey)


def test_says_what_another_process_has_seen(tmp_path: Path) -> None:
    hunt = Hunt(tmp_path, records())

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await app.decisions.watch(parse_indicators(f"{CAT}\n{ANA}").indicators)
        assert app.area_counts()["watches"] == 2
        sees(app.store, CAT)
        app.reload()
        await until(pilot, lambda: "1 new event" in said(app))
        assert "Seen: user/cat: 1 new event, last " in said(app)
        await until(pilot, lambda: "8 New!" in screen_text(app))
        await press(pilot, "8")
        await until(pilot, lambda: isinstance(app.screen, WatchesScreen))
        await until(pilot, lambda: "ListUsers" in screen_text(app))
        await press(pilot, "a")
        await until(pilot, lambda: not app.view_model.watches[0].new)
        assert said(app).startswith("Acknowledged arn user/cat")
        await until(pilot, lambda: "8 New!" not in screen_text(app))

    hunt.play(journey)


def test_events_of_a_watch_and_a_list_that_is_watched(tmp_path: Path) -> None:
    hunt = Hunt(tmp_path, records())

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "8", "I", "'198.51.100.4 192.0.2.1", "ctrl+s")
        await until(pilot, lambda: len(app.view_model.watches) == 2)
        await press(pilot, "*", "p")
        await until(pilot, lambda: isinstance(app.screen, EventsScreen))
        screen = app.screen
        assert isinstance(screen, EventsScreen)
        await until(pilot, lambda: screen._state == "done" and bool(screen._lines.rows))
        heads = [row for row in screen._lines.rows if isinstance(row, QuestionLine)]
        assert [(head.question, head.rows) for head in heads] == [
            ("198.51.100.4", 12),
            ("192.0.2.1", 0),
        ]
        await press(pilot, "L")
        await until(pilot, lambda: isinstance(app.screen, Menu))
        await until(pilot, lambda: "2 indicators" in screen_text(app))

    hunt.play(journey)


def test_what_is_seen_never_acts_on_the_terminal(tmp_path: Path) -> None:
    hunt = Hunt(tmp_path, records())

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        for payload in PAYLOADS.values():
            text = payload.encode(errors="replace").decode()  # as records are read
            store = app.store
            [watch] = store.watches.add(parse_indicators(f"kali{text}"[:200]).indicators[:1], text)
            store.watches.add_sightings(
                [Sighting(watch.watch_id, b"1", 1_772_359_300, text, text, text, text, text)],
                {},
            )
        app.reload()
        await until(pilot, lambda: len(app.view_model.watches) == len(PAYLOADS))
        assert not harms(app)
        await press(pilot, "8")
        await until(pilot, lambda: isinstance(app.screen, WatchesScreen))
        for _ in PAYLOADS:
            await press(pilot, "j")
            assert not harms(app)

    hunt.play(journey)
