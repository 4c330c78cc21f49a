"""Hunts in the app: a query typed and run, findings attached, a report, what is new."""

from __future__ import annotations

import stat
from contextlib import closing
from pathlib import Path

import pytest
from msgspec import structs
from textual.message import Message
from textual.pilot import Pilot
from textual.widgets import TextArea

from detector.store import Store
from detector.triage.hunt_record import HuntFinding, HuntRecord
from tests.hostile.payloads import PAYLOADS
from tests.tui.stage import ANA, CAT, Hunt, aftermath, press, records, said, screen_text, until
from tests.tui.test_principals import harms
from tui.app.app import HuntApp
from tui.app.draft_resume import resume_draft
from tui.screens.alert.screen import AlertScreen
from tui.screens.base.input_fields import LineField
from tui.screens.base.menu import Menu
from tui.screens.forms.base import FormScreen
from tui.screens.forms.hunt import BeginHuntForm, ConcludeHuntForm, EditHuntForm, NameQueryForm
from tui.screens.hunts.editor import QueryEditor, Refusal
from tui.screens.hunts.query import HuntQueryScreen
from tui.screens.hunts.record import HuntRecordScreen
from tui.screens.hunts.results import ResultLine
from tui.screens.hunts.run import RunProgressed
from tui.screens.hunts.screen import HuntsScreen
from tui.screens.pivot.events import EventsScreen
from tui.screens.pivot.record import RecordScreen
from tui.settings.form_draft import FormDraftFile
from tui.widgets.row_list import RowList

KEYS = (
    "from logs-aws.cloudtrail-*\n"
    '| where event.action == "CreateAccessKey"\n'
    "| keep @timestamp, aws.cloudtrail.user_identity.arn, event.id"
)
COUNTS = "from logs-aws.cloudtrail-* | stats n = count(*) by event.action"


def on(app: HuntApp, kind: type) -> bool:
    """Whether such a screen is up; of a form, whether a field takes what is typed."""
    is_form = issubclass(kind, FormScreen)
    return isinstance(app.screen, kind) and (not is_form or app.focused is not None)


def begun(store: Store, text: str = COUNTS, name: str = "Stolen keys") -> HuntRecord:
    return store.hunts.create(
        {"name": name, "hypothesis": "A key is used."},
        [store.hunts.new_query("first look", "esql", text)] if text else [],
    )


def lines(app: HuntApp) -> list[ResultLine]:
    return list(app.screen.query_one(RowList).rows)


async def open_query(app: HuntApp, pilot: Pilot[None]) -> None:
    """Go from any screen to the first query of the first hunt."""
    await until(pilot, lambda: bool(app.view_model.hunts))
    await press(pilot, "9")
    await until(pilot, lambda: on(app, HuntsScreen) and bool(app.screen.query_one(RowList).rows))
    await press(pilot, "enter")
    await until(pilot, lambda: on(app, HuntRecordScreen))
    await press(pilot, "j", "enter")
    await until(pilot, lambda: on(app, HuntQueryScreen))


def test_write_a_query_mend_it_run_it_save_it(tmp_path: Path) -> None:
    hunt = Hunt(tmp_path, [*records(), *aftermath()])

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "9")
        await until(pilot, lambda: "No hunts." in screen_text(app))
        assert "+ begins one" in screen_text(app) and "9 Hunts" in screen_text(app)
        await press(pilot, "plus", "ctrl+s")
        assert "enter a name" in screen_text(app)
        await press(pilot, "'Keys", "tab", "'Somebody makes keys", "ctrl+s")
        await until(pilot, lambda: on(app, HuntRecordScreen))
        await press(pilot, "plus")
        await until(pilot, lambda: on(app, HuntQueryScreen))
        editor = app.screen.query_one(QueryEditor)
        assert editor.has_focus
        editor.text = KEYS.replace("event.action", "evnt.action")
        await until(pilot, lambda: "2:9: " in screen_text(app))
        assert "  2 | | where evnt.action" in screen_text(app)
        assert "    |         ^" in screen_text(app)
        editor.text = KEYS.replace('event.action == "CreateAccessKey"', "event.act")
        editor.move_cursor((1, len("| where event.act")))
        await until(pilot, lambda: "tab  event.action" in screen_text(app))
        await press(pilot, "tab")
        assert editor.text.splitlines()[1] == "| where event.action"
        await press(pilot, "space", "'==", "space")
        await pilot.press("quotation_mark", *"CreateAccessKey", "quotation_mark")
        await until(pilot, lambda: "2:" not in screen_text(app))
        assert editor.text == KEYS
        await press(pilot, "ctrl+r")
        await until(pilot, lambda: len(lines(app)) == 1)
        [line] = lines(app)
        assert line.row["aws.cloudtrail.user_identity.arn"] == CAT
        assert "1 row" in screen_text(app) and "not saved" in screen_text(app)
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: on(app, NameQueryForm))
        assert app.screen.query_one("#name", LineField).value == "query 1"
        await press(pilot, "'Made", "ctrl+s")
        await until(pilot, lambda: on(app, HuntQueryScreen) and bool(app.view_model.hunts[0].runs))
        [record] = app.store.hunts.all()
        [query], [run] = record.queries, record.runs
        assert (query.name, query.text) == ("Made", KEYS)
        assert (run.query_id, run.rows) == (query.query_id, 1)  # of the run before it was saved
        await press(pilot, "escape")
        await until(pilot, lambda: app.screen.query_one(RowList).has_focus)
        await press(pilot, "p")
        await until(pilot, lambda: on(app, Menu))
        await press(pilot, "enter")
        await until(pilot, lambda: on(app, EventsScreen))

    hunt.play(journey, size=(120, 34))


def test_attach_conclude_and_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hunt = Hunt(tmp_path / "state", [*records(), *aftermath()])
    monkeypatch.chdir(tmp_path)

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "at")
        await until(pilot, lambda: on(app, Menu))
        assert "a new hunt" in screen_text(app)
        await press(pilot, "enter")
        await until(pilot, lambda: on(app, BeginHuntForm))
        await press(pilot, "'Keys", "ctrl+s")
        await until(pilot, lambda: said(app).startswith("Attached 1 alert to Keys"))
        await press(pilot, "2")
        await until(pilot, lambda: bool(app.screen.query_one(RowList).rows))
        await press(pilot, "at", "enter")
        await until(pilot, lambda: said(app).startswith("Attached 1 principal to Keys"))
        await press(pilot, "at", "enter")
        await until(pilot, lambda: said(app) == "Attached already to Keys")
        await press(pilot, "3")
        await until(pilot, lambda: on(app, EventsScreen))
        await until(pilot, lambda: bool(app.screen.query_one(RowList).rows))
        await press(pilot, "enter")
        await until(pilot, lambda: on(app, RecordScreen))
        await press(pilot, "at", "enter")
        await until(pilot, lambda: said(app).startswith("Attached 1 event to Keys"))
        await press(pilot, "9", "enter")
        await until(pilot, lambda: on(app, HuntRecordScreen))
        kinds = [item.kind for item in app.screen.query_one(RowList).rows]
        assert sorted(kinds) == ["alert", "event", "hunt", "principal"]
        for item in list(app.screen.query_one(RowList).rows)[1:]:
            app.screen.query_one(RowList).move_to(item.part)
            await press(pilot, "enter")
            await until(pilot, lambda: not on(app, HuntRecordScreen))
            opened = {"alert": AlertScreen, "event": RecordScreen, "principal": EventsScreen}
            assert on(app, opened[item.kind])
            await press(pilot, "q")
            await until(pilot, lambda: on(app, HuntRecordScreen))
        await press(pilot, "d")
        await until(pilot, lambda: on(app, ConcludeHuntForm))
        await press(pilot, "ctrl+s")
        assert "say what came of the hunt" in screen_text(app)
        await press(pilot, "'Cat made a key", "ctrl+s")
        await until(pilot, lambda: said(app).startswith("Concluded the hunt"))
        await press(pilot, "w", "ctrl+s")
        await until(pilot, lambda: "written to" in said(app))
        [path] = tmp_path.glob("hunt-*.md")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        text = path.read_text()
        assert text.startswith("# Hunt: Keys\n\nConcluded.")
        assert "> Cat made a key" in text and "| hunt concluded |" in text
        await press(pilot, "z", "z")
        await until(pilot, lambda: len(app.store.hunts.all()[0].findings) == 2)
        assert app.store.hunts.all()[0].is_open
        assert said(app).startswith("Undone: attached to Keys")

    hunt.play(journey)


def test_a_rerun_shows_what_is_new(tmp_path: Path) -> None:
    hunt = Hunt(tmp_path, [*records(), *aftermath()])
    begun(hunt.store)

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await open_query(app, pilot)
        await press(pilot, "R")
        await until(pilot, lambda: bool(lines(app)))
        before = len(lines(app))
        assert not any(line.new for line in lines(app))
        store = app.store
        record = store.hunts.all()[0]
        [run], [query] = record.runs, record.queries
        known = sorted(store.hunts.last_rows(record.hunt_id, query.query_id, run.fingerprint) or ())
        args = (record.hunt_id, query.query_id, run.fingerprint)
        store.hunts.record_run(*args, known[1:], None)  # as if one row had come since
        await press(pilot, "R")
        await until(pilot, lambda: "1 new since the last run" in screen_text(app))
        assert [line.new for line in lines(app)] == [True, *[False] * (before - 1)]
        await press(pilot, "R")
        await until(pilot, lambda: "0 new since the last run" in screen_text(app))

    hunt.play(journey)


def test_a_run_can_be_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hunt = Hunt(tmp_path)
    begun(hunt.store)

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await open_query(app, pilot)
        screen = app.screen
        assert isinstance(screen, HuntQueryScreen)
        monkeypatch.setattr(
            "tui.screens.hunts.run.held_files", lambda *_: screen._stop_run() or real(*_)
        )
        await press(pilot, "R")
        await until(pilot, lambda: "stopped" in screen_text(app))
        assert app.store.hunts.all()[0].runs == ()

    from tui.screens.hunts.run import held_files as real

    hunt.play(journey)


def test_a_run_says_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hunt = Hunt(tmp_path)
    begun(hunt.store)
    monkeypatch.setattr("tui.screens.hunts.run._PROGRESS_SECONDS", 0)
    heard: list[Message] = []

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await open_query(app, pilot)
        await press(pilot, "R")
        await until(pilot, lambda: bool(lines(app)))

    hunt.play(journey, heard=heard)
    said_so = [each.line for each in heard if isinstance(each, RunProgressed)]
    assert "reading 100%, 1 of 1 files" in said_so


def test_what_is_typed_is_kept_and_comes_back(tmp_path: Path) -> None:
    hunt = Hunt(tmp_path, state=tmp_path / "hunt.db")
    record = begun(hunt.store, text="")

    async def type_and_go(app: HuntApp, pilot: Pilot[None]) -> None:
        app.decisions.draft = FormDraftFile(tmp_path / "hunt.db")
        await until(pilot, lambda: bool(app.view_model.hunts))
        app.routes.open_hunt_query(record.hunt_id, None)
        await until(pilot, lambda: on(app, HuntQueryScreen))
        app.screen.query_one(TextArea).text = KEYS
        await until(pilot, lambda: (tmp_path / "hunt.db.draft").exists())

    async def come_back(app: HuntApp, pilot: Pilot[None]) -> None:
        app.decisions.draft = FormDraftFile(tmp_path / "hunt.db")
        resume_draft(app, app.push_screen)
        await until(pilot, lambda: on(app, HuntQueryScreen))
        assert app.screen.query_one(TextArea).text == KEYS
        await press(pilot, "escape", "escape", "y")
        await until(pilot, lambda: not on(app, HuntQueryScreen))
        assert not (tmp_path / "hunt.db.draft").exists()
        await press(pilot, "9", "c", "tab", "' of Cat")
        await until(pilot, lambda: (tmp_path / "hunt.db.draft").exists())
        draft = FormDraftFile(tmp_path / "hunt.db").read()
        assert draft is not None and draft.hunt_id == record.hunt_id

    hunt.play(type_and_go)
    hunt.play(come_back, pipeline=None)


def test_languages_follow_each_other(tmp_path: Path) -> None:
    hunt = Hunt(tmp_path)
    record = begun(hunt.store, text="")

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: bool(app.view_model.hunts))
        app.routes.open_hunt_query(record.hunt_id, None)
        await until(pilot, lambda: on(app, HuntQueryScreen))
        seen = []
        for _ in range(4):
            await press(pilot, "f3")
            await until(pilot, lambda: "1:" not in screen_text(app))
            seen.append(app.screen.query_one(TextArea).text.split()[0])
        assert seen == ["event.action:", "event.action:Create*", "any", "from"]
        await press(pilot, "escape", "escape")
        await until(pilot, lambda: not on(app, HuntQueryScreen))

    hunt.play(journey)


def test_a_colleague_s_change_is_shown_and_kept(tmp_path: Path) -> None:
    hunt = Hunt(tmp_path, state=tmp_path / "hunt.db")
    record = begun(hunt.store)

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: bool(app.view_model.hunts))
        await press(pilot, "9", "c", "'!")
        other = Store.open(tmp_path / "hunt.db", hunt.clock, "ben")
        other.hunts.edit(record, {"name": "Bens hunt", "accounts": "111122223333"})
        other.close()
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: "changed meanwhile" in screen_text(app))
        assert app.store.hunts.all()[0].name == "Bens hunt"
        app.reload()
        await until(pilot, lambda: app.view_model.hunts[0].name == "Bens hunt")

    hunt.play(journey)


def test_a_colleague_s_query_is_not_overwritten_unseen(tmp_path: Path) -> None:
    hunt = Hunt(tmp_path, state=tmp_path / "hunt.db")
    record = begun(hunt.store)
    [query] = record.queries

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: bool(app.view_model.hunts))
        app.routes.open_hunt_query(record.hunt_id, query)
        await until(pilot, lambda: on(app, HuntQueryScreen))
        with closing(Store.open(tmp_path / "hunt.db", hunt.clock, "ben")) as other:
            other.hunts.save_query(record, structs.replace(query, text="from logs-* | limit 1"))
        app.reload()
        await until(pilot, lambda: app.view_model.hunts[0].queries != record.queries)
        app.screen.query_one(TextArea).text = f"{KEYS} | limit 2"
        await press(pilot, "c", "ctrl+s")
        await until(pilot, lambda: "save once more to replace it" in screen_text(app))
        assert app.store.hunts.get(record.hunt_id).queries[0].text == "from logs-* | limit 1"
        await press(pilot, "ctrl+s")
        await until(pilot, lambda: app.view_model.hunts[0].queries[0].text == f"{KEYS} | limit 2")

    hunt.play(journey)


def test_a_draft_keeps_only_what_was_changed(tmp_path: Path) -> None:
    hunt = Hunt(tmp_path, state=tmp_path / "hunt.db")
    record = begun(hunt.store)

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        app.decisions.draft = FormDraftFile(tmp_path / "hunt.db")
        await until(pilot, lambda: bool(app.view_model.hunts))
        await press(pilot, "9", "c", "'!")
        await until(pilot, lambda: (tmp_path / "hunt.db.draft").exists())
        draft = FormDraftFile(tmp_path / "hunt.db").read()
        assert draft is not None and draft.hunt is not None and list(draft.hunt) == ["name"]
        hunt.store.hunts.edit(record, {"hypothesis": "Bens"})
        form = EditHuntForm(hunt.store.hunts.get(record.hunt_id), draft.hunt)
        app.push_screen(form)
        await until(pilot, lambda: app.screen is form)
        assert form.query_one(TextArea).text == "Bens"
        assert form.value("name") == f"{record.name}!"

    hunt.play(journey)


def test_a_refusal_outlives_the_line_it_names() -> None:
    [reason] = Refusal(2, 90, "no such field").lines("one line", 80)
    assert reason.plain == "2:90: no such field"


def test_reopen_and_remove(tmp_path: Path) -> None:
    hunt = Hunt(tmp_path)
    record = begun(hunt.store)
    hunt.store.hunts.conclude(record, "done")
    hunt.store.hunts.attach(record.hunt_id, [HuntFinding("principal", "nobody", "nobody")])

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: bool(app.view_model.hunts))
        await press(pilot, "9", "u")
        await until(pilot, lambda: said(app).startswith("Reopened 1 hunt"))
        await press(pilot, "u")
        assert said(app) == "Open already"
        await press(pilot, "enter")
        await until(pilot, lambda: on(app, HuntRecordScreen))
        await press(pilot, "u", "x")
        assert said(app) == "Choose a query or a finding to remove"
        await press(pilot, "G", "enter")
        assert said(app) == "Its events are on Principals"
        await press(pilot, "x")
        await until(pilot, lambda: said(app).startswith("Removed the principal"))
        assert app.store.hunts.all()[0].findings == ()
        await press(pilot, "z")
        await until(pilot, lambda: len(app.screen.query_one(RowList).rows) == 3)

    hunt.play(journey)


def test_nothing_of_a_hunt_acts_on_the_terminal(tmp_path: Path) -> None:
    hunt = Hunt(tmp_path)
    record = begun(hunt.store)
    store = hunt.store
    for index, payload in enumerate(PAYLOADS.values()):
        text = payload.encode(errors="replace").decode()
        finding = HuntFinding("principal", f"{index}{text}", text, text, 1_772_359_300)
        store.hunts.attach(record.hunt_id, [finding])
        query = store.hunts.new_query(text, "esql", f"from logs-aws.cloudtrail-*\n| where {text}")
        store.hunts.save_query(store.hunts.get(record.hunt_id), query)

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: bool(app.view_model.hunts))
        await press(pilot, "9")
        assert not harms(app)
        await press(pilot, "enter")
        await until(pilot, lambda: on(app, HuntRecordScreen))
        for _ in range(len(app.screen.query_one(RowList).rows) // 10 + 1):
            await press(pilot, "'jjjjjjjjjj")  # no more than are on screen
            assert not harms(app)
        for query in app.store.hunts.all()[0].queries[:2]:
            app.routes.open_hunt_query(record.hunt_id, query)
            await until(pilot, lambda: on(app, HuntQueryScreen))
            await press(pilot, "c")
            assert not harms(app)
            app.pop_screen()
            await pilot.pause()

    hunt.play(journey)


def test_keys_do_nothing_where_there_is_no_hunt(tmp_path: Path) -> None:
    hunt = Hunt(tmp_path, records())

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "9", "c", "d", "u", "enter", "w")
        assert on(app, HuntsScreen)
        app.routes.open_hunt("0123abcd")
        await until(pilot, lambda: on(app, HuntRecordScreen))
        await press(pilot, "c", "d", "u", "w", "x", "plus", "enter", "y")
        assert on(app, HuntRecordScreen) and ANA not in screen_text(app)

    hunt.play(journey)
