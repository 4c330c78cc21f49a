"""Decisions by keyboard: counted, undone, redone, repeated."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from detector.store import Store
from detector.triage.note import NoteBody
from tests.detector.trail import ANA
from tests.hostile.payloads import PAYLOADS, harm, screen_text
from tests.tui.stage import CAT, Hunt, press, said, until
from tests.tui.test_hostile import hostile
from tui.app.app import HuntApp
from tui.presentation import safe
from tui.screens.alerts.screen import AlertsScreen
from tui.screens.forms.suppress import SuppressForm
from tui.widgets.row_list import RowList


@pytest.fixture
def hunt(tmp_path: Path) -> Hunt:
    return Hunt(tmp_path)


def rows(app: HuntApp) -> RowList:
    return app.screen.query_one(RowList)


def last_line(app: HuntApp) -> str:
    return screen_text(app).splitlines()[-1]


def statuses(hunt: Hunt) -> list[str]:
    return [alert.status for alert in hunt.store.alerts.all()]


def test_range_follows_cursor_and_footer_counts_it(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "j", "V", "j", "j")
        assert len(rows(app).marks) == 3
        await press(pilot, "k")
        assert rows(app).marks == set(rows(app).keys[1:3])
        await press(pilot, "V", "g")
        assert rows(app).marks == set(rows(app).keys[1:3]), "ended: it goes no further"
        assert last_line(app).startswith(" on 2:   a ack  x suppress")
        await press(pilot, "x")
        assert "Suppress 2 alerts" in screen_text(app)
        await press(pilot, "escape", "c")
        assert "Add a note to 2 alerts" in screen_text(app)
        await press(pilot, "escape", "a")
        assert said(app) == "Acknowledged 2 alerts; z undoes"
        assert [alert.status for alert in rows(app).rows] == [
            "open",
            "acknowledged",
            "acknowledged",
            "open",
        ]
        assert not rows(app).marks
        assert last_line(app).startswith(" on 1:   a ack  x suppress")
        await press(pilot, "V", "j", "escape")
        assert not rows(app).marks
        await press(pilot, "asterisk")
        assert last_line(app).startswith(" on 4:   a ack  x suppress")

    hunt.play(journey)


def test_footer_counts_alerts_of_sweep_row(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        assert last_line(app).startswith(" on 2:   a ack")
        await press(pilot, "a")
        assert said(app) == "Acknowledged 2 alerts; z undoes"
        await press(pilot, "z")
        assert said(app) == "Undone: acknowledged 2 alerts – Z redoes"

    hunt.play(journey, folded=True)


def test_decisions_are_undone_and_redone_after_restart(tmp_path: Path) -> None:
    """Undo and redo every kind of decision.

    Status, note, edit, suppression, extension, lift, rule: each in one line, back to the start and
    forward again.
    """
    state, made = tmp_path / "hunt.db", []

    async def first(app: HuntApp, pilot: Pilot[None]) -> None:
        rows(app).move_to(hunt.alert(ANA).alert_id)
        await press(pilot, "a", "c", "'scan", "ctrl+s", "4", "c", "' of ours", "ctrl+s", "1")
        await press(pilot, "G", "x", "tab", "tab", "'ours", "ctrl+s", "5")
        await until(pilot, lambda: bool(rows(app).rows))
        await press(pilot, "x")
        app.screen.query_one("#for", Input).value = "30d"
        await press(pilot, "ctrl+s", "u")
        assert said(app).startswith("Ended the suppression of principal role/inventory/ben")
        await press(pilot, "7")
        await until(pilot, lambda: bool(rows(app).rows))
        await press(pilot, "x")
        assert said(app).startswith("Disabled: ")
        made.append(decided(hunt.store))

    async def second(app: HuntApp, pilot: Pilot[None]) -> None:
        for line in (
            "disabled ",
            "ended the suppression of role/inventory/ben",
            "extended the suppression of role/inventory/ben",
            "suppressed role/inventory/ben",
            "edited the note on user/ana",
            "note added to user/ana",
            "acknowledged user/ana",
        ):
            await press(pilot, "z")
            assert said(app).startswith(f"Undone: {line}")
            assert said(app).endswith("Z redoes")
            made.append(decided(hunt.store))
        await press(pilot, "z")
        assert said(app) == "Nothing to undo"
        assert made[-1] == (["open"] * 4, [], [], frozenset())
        await until(pilot, lambda: not app.view_model.notes and len(rows(app).rows) == 4)
        for before in made[-2::-1]:
            await press(pilot, "Z")
            assert said(app).startswith("Redone: ")
            assert decided(hunt.store) == before
        await press(pilot, "Z")
        assert said(app) == "Nothing to redo"
        await press(pilot, "z", "z")
        await until(pilot, lambda: len(rows(app).rows) == 3)  # lifted no more: it hides again

    hunt = Hunt(tmp_path, state=state)
    hunt.play(first)
    hunt.store.close()
    hunt = Hunt(tmp_path, state=state)
    hunt.play(second)


def decided(store: Store) -> tuple[list[str], list[str], list[tuple[float, bool]], frozenset[str]]:
    return (
        sorted(alert.status for alert in store.alerts.all()),
        [note.body.text for note in store.triage.notes()],
        [
            (made.expires, made.lifted is None)
            for made in store.suppressions.all()
            if not made.undone
        ],
        store.rules.disabled(),
    )


def test_undo_leaves_later_changes(tmp_path: Path) -> None:
    hunt = Hunt(tmp_path, state=tmp_path / "hunt.db")
    colleague = Store.open(tmp_path / "hunt.db", hunt.clock, "colleague")

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "asterisk", "a")
        colleague.triage.set_status([hunt.alert(ANA).alert_id], "closed")
        hunt.clock.now += 2 * 3600
        await press(pilot, "z")
        assert said(app) == (
            "Undone: acknowledged 4 alerts (03-01 13:00:00), 3 of 4; "
            "not where changed since (user/ana); Z redoes"
        )
        assert sorted(statuses(hunt)) == ["closed", "open", "open", "open"]

    hunt.play(journey)


def test_again_applies_to_next_row_or_marks(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "full_stop")
        assert said(app) == "Nothing to repeat: no alert action yet"
        await press(pilot, "a", "full_stop")
        assert [alert.status for alert in rows(app).rows] == [
            "acknowledged",
            "acknowledged",
            "open",
            "open",
        ]
        await press(pilot, "j", "j", "full_stop")
        assert [alert.status for alert in rows(app).rows] == [
            "acknowledged",
            "acknowledged",
            "open",
            "acknowledged",
        ]
        await press(pilot, "full_stop")
        assert said(app) == "Last alert"
        await press(
            pilot, "d", "full_stop"
        )  # what is closed goes, and the cursor is on another row already
        assert statuses(hunt).count("closed") == 2
        await press(pilot, "g", "c", "'our own scan", "ctrl+s", "asterisk", "full_stop")
        assert said(app) == "Note “our own scan” added to 2 alerts; z undoes"
        assert len(hunt.store.triage.notes()) == 3

    hunt.play(journey)


def test_repeated_suppression_asks_with_own_value(
    hunt: Hunt,
) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "x")
        app.screen.query_one("#for", Input).value = "30d"
        await press(pilot, "'CHG-9", "ctrl+s")
        await until(pilot, lambda: len(rows(app).rows) == 3)
        await press(pilot, "j", "full_stop")
        assert isinstance(app.screen, SuppressForm)
        assert [app.screen.value(name) for name in ("value", "for", "ticket")] == [
            ANA,
            "30d",
            "CHG-9",
        ]
        assert [made.value for made in hunt.store.suppressions.all()] == [CAT], (
            "nothing is hidden without being asked"
        )
        await press(pilot, "ctrl+s")
        assert {(made.value, made.ticket) for made in hunt.store.suppressions.all()} == {
            (CAT, "CHG-9"),
            (ANA, "CHG-9"),
        }
        await press(pilot, "5")
        await press(pilot, "asterisk", "u")
        assert said(app).startswith("Ended 2 suppressions")
        await press(pilot, "z")
        assert said(app).startswith("Undone: ended the suppression of 2 values")
        await press(pilot, "asterisk", "x")
        assert "Extend 2 suppressions" in screen_text(app)
        await press(pilot, "ctrl+s")
        assert len({made.expires for made in hunt.store.suppressions.all()}) == 1

    hunt.play(journey, size=(120, 40))


def test_again_on_alert_screen_steps_to_next_alert(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "enter", "a", "full_stop")
        assert said(app).startswith("Acknowledged ")
        assert sorted(statuses(hunt)) == ["acknowledged", "acknowledged", "open", "open"]
        await press(pilot, "escape")
        assert isinstance(app.screen, AlertsScreen)
        assert rows(app).cursor_index == 1

    hunt.play(journey)


def test_reports_of_hostile_principals_are_harmless(tmp_path: Path) -> None:
    names = [name for name, payload in PAYLOADS.items() if payload and len(payload) < 40][:6]
    hunt = Hunt(tmp_path, trail=[])

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        for name in names:
            hunt.store.triage.add_notes([hostile(name)[0]], NoteBody("hm"))
            await press(pilot, "z")
            assert safe.visible(PAYLOADS[name])[:8].strip() in said(app)
            assert harm(app) == []
            await press(pilot, "Z")
            assert said(app).startswith("Redone: note added to ")
            assert harm(app) == []

    hunt.play(journey, size=(120, 30))
