"""The app as a whole: reading, read-only use, failures, leaving."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import TextArea

from detector.rules.ruleset import RuleSet
from detector.store import StateError, Store
from tests.detector.trail import ANA, REFERENCE, sweep, write
from tests.hostile.payloads import harm, screen_text
from tests.tui import rest
from tests.tui.stage import BEN, NOW, Broken, Clock, Feed, Hunt, press, said, until
from tui.app.app import HuntApp
from tui.model.opened import Opened
from tui.screens.admin.hunt_log import HuntLogScreen
from tui.screens.alerts.screen import AlertsScreen
from tui.screens.forms.note import NoteForm
from tui.widgets.row_list import RowList


@pytest.fixture
def hunt(tmp_path: Path) -> Hunt:
    return Hunt(tmp_path)


def test_quit_stops_ingest(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "q")

    app = hunt.play(journey)
    assert hunt.feed.stopped.is_set()
    assert app.return_code == 0


def test_ingest_failure_is_shown_in_one_line(hunt: Hunt) -> None:
    hunt.feed = Broken(hunt.update())

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        assert said(app).startswith(
            "Ingest stopped: RuntimeError: the disk [/] \\x1b[31mwent away."
        )
        assert "× stopped" in screen_text(app)
        assert harm(app) == []
        await press(pilot, "j", "j", "a")
        assert hunt.alert(ANA).status == "acknowledged"

    hunt.play(journey)


def test_unreadable_store_is_shown_in_one_line(hunt: Hunt, monkeypatch: pytest.MonkeyPatch) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        def fail() -> None:
            raise StateError("hunt.db: malformed: move it away")

        monkeypatch.setattr(hunt.store.alerts, "batches", fail)
        app.reload()
        await until(pilot, lambda: said(app) == "hunt.db: malformed: move it away")
        assert len(app.screen.query_one(RowList).rows) == 4

    hunt.play(journey)


def test_store_loads_newest_alerts_first(hunt: Hunt) -> None:
    for size in (1, 3, 4, 1_000):
        parts = list(hunt.store.alerts.batches(size))
        assert [one.window.start for part in parts for one in part if one.window] == [
            one.window.start for one in hunt.store.alerts.all() if one.window
        ]
        stored = {one.alert_id: one for one in hunt.store.alerts.all()}
        assert {one.alert_id: one for part in parts for one in part} == stored
        assert all(len(part) == size for part in parts[:-1])


def test_app_decides_while_another_process_ingests(tmp_path: Path) -> None:
    """Each sees what the other decides, and nothing is overwritten unseen."""
    hunt = Hunt(tmp_path, state=tmp_path / "hunt.db")
    second = Store.open(tmp_path / "hunt.db", hunt.clock, "second")

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        top = screen_text(app).splitlines()[0]
        assert "○ following" in top
        shown = app.screen.query_one(RowList).rows
        first, other = hunt.store.alerts.get(shown[0].alert_id), shown[1]
        assert first is not None
        hunt.store.triage.set_status([first.alert_id], "closed")
        await press(pilot, "a")
        await until(pilot, lambda: said(app).startswith("Not done: changed meanwhile: "))
        assert "is closed" in said(app)
        app.tick()
        await until(pilot, lambda: app.view_model.alerts[first.alert_id].status == "closed")
        await press(pilot, "asterisk", "a")
        await until(pilot, lambda: app.view_model.alerts[other.alert_id].status == "acknowledged")
        stored = hunt.store.alerts.get(other.alert_id)
        assert stored is not None
        assert stored.status == "acknowledged"
        hunt.store.triage.set_status([other.alert_id], "closed")
        await press(pilot, "z")
        await until(pilot, lambda: "not where changed since (" in said(app))
        stored = hunt.store.alerts.get(other.alert_id)
        assert stored is not None
        assert stored.status == "closed"

    hunt.play(journey, store=second, pipeline=None)


def test_app_takes_ingest_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detector.ingest.takeover.TAKE_OVER_EVERY", 0.01)
    hunt = Hunt(tmp_path, state=tmp_path / "hunt.db")
    second = Store.open(tmp_path / "hunt.db", hunt.clock)
    started: list[RuleSet] = []

    def make(rules: RuleSet) -> Feed:
        started.append(rules)
        return hunt.feed

    async def drive() -> None:
        app = HuntApp(lambda: Opened(second, hunt.rules, make), "AWSLogs/", clock=hunt.clock)  # type: ignore[arg-type, return-value]
        async with app.run_test() as pilot:
            await until(pilot, lambda: app.is_open and app.follows)
            assert "ingests into this database" in said(app)
            assert started == []
            hunt.store.close()
            await until(pilot, lambda: app.view_model.live)
            assert started == [hunt.rules]
            assert "this app ingests now" in said(app)
            assert "● live" in screen_text(app).splitlines()[0]

    rest.run(drive())
    second.close()


def test_app_without_a_source_says_so(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        line = screen_text(app).splitlines()[0]
        assert "○ no source" in line and "6 Src ○" in line
        assert "live" not in line and "reading" not in line

    hunt.play(journey, pipeline=None)


def test_app_on_unwritable_state_only_shows_it(hunt: Hunt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hunt.store.database, "_writer", None)

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        assert "read-only" in screen_text(app).splitlines()[0]
        for key in ("a", "d", "c", "x", "exclamation_mark", "z"):
            await press(pilot, key)
            assert said(app).startswith("Read-only: make the database")
            assert isinstance(app.screen, AlertsScreen)

    hunt.play(journey, pipeline=None)


def test_failed_save_keeps_typed_text(hunt: Hunt, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a write that is refused after the form was opened loses nothing."""

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "c", "'thought")
        monkeypatch.setattr(hunt.store.database, "_writer", None)
        await press(pilot, "ctrl+s")
        assert isinstance(app.screen, NoteForm)
        assert "read-only" in screen_text(app)
        assert app.screen.query_one(TextArea).text == "thought"

    hunt.play(journey)


def test_unreadable_files_are_counted_and_listed(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        bad = msgspec.structs.replace(hunt.read.accounting, files_quarantined={"corrupt": 2})
        await hunt.arrive(app, pilot, hunt.update(accounting=bad))
        assert said(app) == "2 files could not be read; 6 shows why"

    hunt.play(journey)


def test_area_keeps_its_screen_stack(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "j", "j", "enter", "4")
        assert isinstance(app.screen, HuntLogScreen)
        await press(pilot, "1")
        assert "Alerts › user/ana" in screen_text(app)
        await press(pilot, "1")
        assert isinstance(app.screen, AlertsScreen)

    hunt.play(journey)


@pytest.mark.parametrize("size", [(20, 5), (40, 10), (300, 100)])
def test_app_survives_any_size(size: tuple[int, int], hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        for keys in (
            ["enter", "tab", "tab", "tab", "tab", "i", "escape"],
            ["c", "escape"],
            ["x", "escape"],
            ["4"],
            ["5"],
            ["6"],
            ["7"],
            ["1", "i", "space", "h", "escape", "escape"],
            ["b", "j", "escape"],
            ["D", "h", "escape"],
            ["question_mark", "escape"],
        ):
            await press(pilot, *keys)
            assert screen_text(app)

    hunt.play(journey, size=size)


def test_hunt_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Open, drill, note, suppress, leave, come back: still there; export."""
    state, out = tmp_path / "hunt.db", tmp_path / "out"
    out.mkdir()
    monkeypatch.chdir(out)
    hunt = Hunt(tmp_path, state=state)

    async def first(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "j", "j", "enter", "j", "r", "escape")
        await press(
            pilot,
            "exclamation_mark",
            "'Key of ana is out",
            "shift+tab",
            "shift+tab",
            "'IR-1",
            "ctrl+s",
            "n",
        )
        await press(pilot, "a", "G", "x", "tab", "tab", "'our inventory", "ctrl+s")
        await until(pilot, lambda: len(app.screen.query_one(RowList).rows) == 3)
        await press(pilot, "q")

    hunt.play(first)
    hunt.store.close()

    restarted = Hunt(tmp_path, state=state)

    async def second(app: HuntApp, pilot: Pilot[None]) -> None:
        rows = app.screen.query_one(RowList)
        assert [one.status for one in rows.rows if one.principal == ANA] == ["acknowledged"]
        assert BEN not in [one.principal for one in rows.rows]
        await press(pilot, "4")
        assert "escalated" in screen_text(app)
        await press(pilot, "w", "tab", "right", "ctrl+s")

    restarted.play(second)
    [path] = out.iterdir()
    [entry] = [json.loads(line) for line in path.read_text().splitlines()]
    output = json.dumps(entry)
    assert "Key of ana is out" in output
    assert "IR-1" in output
    assert ANA in output


def test_pipeline_reads_new_files(tmp_path: Path) -> None:
    """The app over the pipeline itself: alerts appear as files do, with no key pressed."""
    from detector.ingest.pipeline import Pipeline
    from detector.rules.ruleset import load
    from detector.sources.directory import Directory

    hunt = Hunt(tmp_path, trail=[])
    rules, store = load(), Store.open(None, Clock())
    pipeline = Pipeline(store, rules, Directory([tmp_path / "trail"]), clock=lambda: NOW)
    hunt.rules = rules

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: app.view_model.live)
        assert app.screen.query_one(RowList).rows == []
        write(tmp_path, "trail/new.json", sweep(12))
        await until(pilot, lambda: bool(app.screen.query_one(RowList).rows))
        row = app.screen.query_one(RowList).cursor_row
        assert row is not None
        assert row.rule.id == REFERENCE

    hunt.play(journey, store=store, pipeline=pipeline)


def test_a_burst_of_keys_leaves_one_line(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        for message in ("first", "second", "third"):
            app.say(message)  # as keys do that come at once over a slow link
        await until(pilot, lambda: said(app) == "third")
        assert "third" in screen_text(app)
        assert "first" not in screen_text(app) and "second" not in screen_text(app)

    hunt.play(journey)
