"""A state that fails under the app: the analyst is told, and keeps what they typed."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Static, TextArea

from detector.ingest.pipeline import Pipeline
from detector.sources.directory import Directory
from detector.store import Store
from tests.detector.damage import damage_table
from tests.detector.trail import sweep, write
from tests.hostile.payloads import screen_text
from tests.tui.stage import Hunt, press, said, until
from tui.app.app import HuntApp
from tui.screens.alerts.screen import AlertsScreen
from tui.screens.forms.note import NoteForm


def test_full_disk_is_reported(tmp_path: Path) -> None:
    """What could not be kept is said; the form keeps the words; with space again the same key keeps
    them."""
    hunt = Hunt(tmp_path, state=tmp_path / "hunt.db")
    writer = hunt.store.database._writer
    assert writer is not None
    write(
        hunt.trail.parent,
        "more.json",
        [record for at in range(60) for record in sweep(10, 60 * at + 30)],
    )
    text = "x" * 40_000

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        writer.execute(
            f"PRAGMA max_page_count = {writer.execute('PRAGMA page_count').fetchone()[0]}"
        )
        source = Directory([hunt.trail.parent])
        pipeline = Pipeline(hunt.store, hunt.rules, source, clock=hunt.clock)
        app.ingest.start(app.store, lambda: pipeline, app.closing)
        await until(pilot, lambda: bool(app.view_model.error))
        assert said(app).startswith(
            f"Ingest stopped: {tmp_path}/hunt.db: the disk is full, nothing was written"
        )
        assert "stopped" in screen_text(app)
        await press(pilot, "c")
        app.screen.query_one(TextArea).text = text
        await press(pilot, "ctrl+s")
        assert isinstance(app.screen, NoteForm)
        assert "the disk is full, nothing was written: free some space" in str(
            app.screen.query_one("#form-error", Static).render()
        )
        assert (app.screen.query_one(TextArea).text, hunt.store.triage.notes()) == (text, [])
        writer.execute("PRAGMA max_page_count = 1000000")
        await press(pilot, "ctrl+s")
        assert isinstance(app.screen, AlertsScreen)
        assert [note.body.text for note in hunt.store.triage.notes()] == [text]

    hunt.play(journey, size=(160, 24))


def test_damaged_store_is_reported(tmp_path: Path) -> None:
    """One that cannot be read back is named, with the way on, instead of an empty list."""
    hunt = Hunt(tmp_path, state=tmp_path / "hunt.db")
    hunt.store.close()
    damage_table(tmp_path / "hunt.db", "status")
    reopened = Store.open(tmp_path / "hunt.db", hunt.clock)

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        assert "damaged: trailhound doctor --save" in said(app)
        assert "Ingest stopped." in screen_text(app)
        assert "damaged" in screen_text(app)

    hunt.play(journey, store=reopened, pipeline=None)
