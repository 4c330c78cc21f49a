"""Notes, suppressions and exports by keyboard."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static, TextArea

from detector.detection.alert import Flag
from detector.store import StateError
from detector.triage.suppression import SeenProfile
from tests.detector.alerts import changed_alert
from tests.detector.trail import ANA
from tests.hostile.payloads import screen_text
from tests.tui.stage import BEN, CAT, NOW, Hunt, press, said, until
from tui.app.app import HuntApp
from tui.screens.admin.hunt_log import HuntLogScreen
from tui.screens.admin.suppressions import SuppressionsScreen
from tui.screens.alerts.screen import AlertsScreen
from tui.screens.forms.confirm import Confirm
from tui.screens.forms.export import ExportForm
from tui.screens.forms.note import NoteForm
from tui.screens.forms.suppress import SuppressForm
from tui.widgets.row_list import RowList

DAY = 86_400


@pytest.fixture
def hunt(tmp_path: Path) -> Hunt:
    return Hunt(tmp_path)


def preview(app: HuntApp) -> str:
    return str(app.screen.query_one("#preview", Static).render())


def complaint(app: HuntApp) -> str:
    return str(app.screen.query_one("#form-error", Static).render())


# --- notes


def test_note_stores_alert_context(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(
            pilot,
            "j",
            "j",
            "c",
            "'Our own",
            "enter",
            "'scan",
            "shift+tab",
            "'dana",
            "shift+tab",
            "'CHG-7",
            "shift+tab",
            "right",
            "ctrl+s",
        )
        [note] = hunt.store.triage.notes()
        assert (note.body.text, note.body.owner, note.body.ticket, note.body.verdict) == (
            "Our own\nscan",
            "dana",
            "CHG-7",
            "benign",
        )
        assert (note.context.principal, len(note.context.regions)) == (ANA, 10)
        assert said(app) == "Note added to 1 alert: benign; z undoes"

    hunt.play(journey)


def test_escalation_is_note_with_verdict(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "exclamation_mark", "'now", "ctrl+s", "n")
        assert [note.body.verdict for note in hunt.store.triage.notes()] == ["escalated"]

    hunt.play(journey)


def test_note_applies_to_each_mark(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "space", "space", "c")
        assert "Add a note to 2 alerts" in screen_text(app)
        await press(pilot, "'both", "ctrl+s")
        assert len({note.alert_id for note in hunt.store.triage.notes()}) == 2

    hunt.play(journey)


def test_empty_note_is_refused(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "c", "ctrl+s")
        assert "Add a verdict or some text first" in complaint(app)
        assert hunt.store.triage.notes() == []

    hunt.play(journey)


def test_form_asks_before_dropping_text(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "c", "'long thought", "escape")
        assert isinstance(app.screen, Confirm)
        await press(pilot, "n")
        assert app.screen.query_one(TextArea).text == "long thought"
        await press(pilot, "ctrl+q", "n")
        assert app.screen.query_one(TextArea).text == "long thought"
        await press(pilot, "escape", "y")
        assert isinstance(app.screen, AlertsScreen)
        await press(pilot, "c", "escape")
        assert isinstance(app.screen, AlertsScreen), "nothing was typed, nothing is asked"

    hunt.play(journey)


def test_failed_note_keeps_text(hunt: Hunt, monkeypatch: pytest.MonkeyPatch) -> None:
    write = hunt.store.triage.add_notes

    def full(*given: object) -> None:
        raise StateError("hunt.db: the disk is full: free some space")

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "c", "'long thought")
        monkeypatch.setattr(hunt.store.triage, "add_notes", full)
        await press(pilot, "ctrl+s")
        assert isinstance(app.screen, NoteForm)
        assert complaint(app) == "hunt.db: the disk is full: free some space"
        assert app.screen.query_one(TextArea).text == "long thought"
        monkeypatch.setattr(hunt.store.triage, "add_notes", write)
        await press(pilot, "ctrl+s")
        assert [note.body.text for note in hunt.store.triage.notes()] == ["long thought"]

    hunt.play(journey)


def test_edit_keeps_former_text(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "c", "'first", "ctrl+s", "4")
        assert isinstance(app.screen, HuntLogScreen)
        await press(pilot, "c", "' thoughts", "ctrl+s")
        [note] = hunt.store.triage.notes()
        assert note.body.text == "first thoughts"
        assert [edit.body.text for edit in note.history] == ["first"]
        await press(pilot, "tab", "G")
        shown = screen_text(app)
        assert "first thoughts" in shown
        assert "earlier versions" in shown

    hunt.play(journey, size=(120, 40))


def test_note_opens_its_alert(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "G", "c", "'look", "ctrl+s", "4", "enter")
        assert "Alerts › role/inventory/ben" in screen_text(app)
        await press(pilot, "escape")
        assert isinstance(app.screen, HuntLogScreen)
        await press(pilot, "escape")
        assert isinstance(app.screen, AlertsScreen)

    hunt.play(journey)


# --- exports


@pytest.mark.parametrize(("kind", "right"), [("md", 0), ("jsonl", 1), ("csv", 2)])
def test_log_is_exported_privately(
    hunt: Hunt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, right: int
) -> None:
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(
            pilot, "c", "'Our scan", "ctrl+s", "4", "w", "tab", *["right"] * right, "ctrl+s"
        )
        await until(pilot, lambda: bool(said(app)))
        [path] = (tmp_path / "out").iterdir()
        assert said(app) == f"1 note written to {path}"
        assert path.suffix == f".{kind}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "Our scan" in path.read_text()
        if kind == "jsonl":
            assert [json.loads(line) for line in path.read_text().splitlines()]

    hunt.play(journey)


def test_filtered_notes_can_be_exported(
    hunt: Hunt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(
            pilot, "c", "'one", "ctrl+s", "G", "c", "'two", "ctrl+s", "4", "f", "'two", "enter", "w"
        )
        assert "filtered" in screen_text(app)
        await press(pilot, "ctrl+s")
        [path] = (tmp_path / "out").iterdir()
        assert "two" in path.read_text()
        assert "one" not in path.read_text().split("\n", 3)[-1].replace("none", "")

    hunt.play(journey)


def test_export_never_overwrites(hunt: Hunt, tmp_path: Path) -> None:
    taken = tmp_path / "taken.md"
    taken.write_text("mine")

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "c", "'x", "ctrl+s", "4", "w")
        app.screen.query_one("#file", Input).value = str(taken)
        await press(pilot, "ctrl+s")
        assert isinstance(app.screen, ExportForm)
        assert "already exists" in complaint(app)
        app.screen.query_one("#file", Input).value = str(tmp_path / "no" / "such" / "folder.md")
        await press(pilot, "ctrl+s")
        assert "Could not write" in complaint(app)
        assert taken.read_text() == "mine"

    hunt.play(journey)


# --- suppressions


def test_suppression_previews_hidden_alerts(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "x")
        await until(pilot, lambda: "1 hidden" in preview(app))
        await press(pilot, *["shift+tab"] * 2, "a")
        await until(
            pilot,
            lambda: "2 hidden" in preview(app) and "1 others" in preview(app),
        )
        hunt.clock.now += 40 * DAY
        await press(pilot, "left", "right")
        await until(pilot, lambda: "until 2026-04-17" in preview(app))
        assert "2 hidden" in preview(app)  # the logs' own last 30 days count

    hunt.play(journey)


def test_suppression_previews_exceptions(hunt: Hunt) -> None:
    ana = hunt.alert(ANA)
    shared = changed_alert(
        ana, alert_id="shared", flags=[Flag("snapshot", 2, ana.first_event, int(NOW))]
    )

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await hunt.arrive(app, pilot, hunt.update(shared))
        app.screen.query_one(RowList).move_to(ana.alert_id)
        await press(pilot, "x", *["shift+tab"] * 2, "a")
        await until(pilot, lambda: "1 stay    snapshot (1)" in preview(app))

    hunt.play(journey)


def test_suppression_stores_seen_profile(hunt: Hunt) -> None:
    ana = hunt.alert(ANA)

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        app.screen.query_one(RowList).move_to(ana.alert_id)
        await press(pilot, "x", "tab", "tab", "'known", "ctrl+s")
        [made] = hunt.store.suppressions.all()
        assert made.seen_profile == SeenProfile.of([ana])
        moved = changed_alert(
            ana,
            alert_id="moved",
            facets=msgspec.structs.replace(ana.facets, source_addresses=["198.51.100.77"]),
        )
        await hunt.arrive(app, pilot, hunt.update(moved))
        assert app.view_model.alerts["moved"].suppressed_by is None
        assert app.view_model.alerts["moved"].broke_through == ["new network 198.51.100.0/24"]
        app.screen.query_one(RowList).move_to("moved")
        await pilot.pause()
        assert "not suppressed: new network 198.51.100.0/24" in " ".join(screen_text(app).split())

    hunt.play(journey, size=(120, 40))


def test_scope_fills_in_value_of_alert(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "G", "x", *["shift+tab"] * 9)
        values = {}
        for _ in range(7):
            values[app.screen.query_one("#scope").value] = app.screen.query_one(
                "#value", Input
            ).value
            await press(pilot, "right")
        assert values["principal"] == BEN
        assert values["role"] == "arn:aws:iam::444455556666:role/inventory"
        assert values["cidr"] == "198.51.100.4"

    hunt.play(journey)


def test_invalid_suppression_keeps_form(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "x", "ctrl+s")
        assert "add a ticket" in complaint(app)
        app.screen.query_one("#for", Input).value = "soon"
        await pilot.pause()
        assert "Enter a duration" in preview(app)
        await press(pilot, "ctrl+s")
        assert "Enter a duration" in complaint(app)
        assert isinstance(app.screen, SuppressForm)
        assert hunt.store.suppressions.all() == []

    hunt.play(journey)


async def suppress(pilot: Pilot[None], *before: str) -> None:
    await press(pilot, *before, "x", "tab", "tab", "'expected", "ctrl+s")


def test_suppressed_alert_returns_after_expiry(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        rows = app.screen.query_one(RowList)
        await suppress(pilot, "G")
        await until(pilot, lambda: len(rows.rows) == 3)
        assert "1 suppressed" in screen_text(app)
        await press(pilot, "H")
        assert len(rows.rows) == 4
        await press(pilot, "H")
        hunt.clock.now += 7 * DAY + 1
        app.tick()
        await until(pilot, lambda: len(rows.rows) == 4)
        assert "suppressed" not in screen_text(app)

    hunt.play(journey)


def test_marks_give_one_suppression_per_value(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "asterisk", "x")
        assert "Suppress 4 alerts" in screen_text(app)
        assert app.screen.query_one("#value", Input).disabled
        await press(pilot, "tab", "tab", "'ours", "ctrl+s")
        assert {(made.value, made.rule_id is None) for made in hunt.store.suppressions.all()} >= {
            (ANA, False),
            (BEN, False),
            (CAT, False),
        }
        assert not app.screen.query_one(RowList).marks

    hunt.play(journey)


def test_suppression_is_extended_and_lifted(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await suppress(pilot, "G")
        await press(pilot, "5")
        assert isinstance(app.screen, SuppressionsScreen)
        assert "7 d" in screen_text(app)
        await press(pilot, "x")
        app.screen.query_one("#for", Input).value = "30d"
        await press(pilot, "ctrl+s")
        [made] = hunt.store.suppressions.all()
        assert made.expires == hunt.clock.now + 30 * DAY
        await until(pilot, lambda: "extended" in screen_text(app))
        await press(pilot, "u")
        await until(pilot, lambda: hunt.store.suppressions.all()[0].lifted is not None)
        await until(pilot, lambda: "lifted" in screen_text(app))
        await press(pilot, "1")
        await until(pilot, lambda: len(app.screen.query_one(RowList).rows) == 4)

    hunt.play(journey, size=(120, 40))


def test_duplicate_suppression_is_refused(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "H")
        await suppress(pilot, "G")
        await suppress(pilot, "G")
        assert "An identical suppression is already active" in complaint(app)
        assert len(hunt.store.suppressions.all()) == 1

    hunt.play(journey)
