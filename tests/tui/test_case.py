"""Escalation writes the case file once confirmed, and says where the file is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.hostile.payloads import screen_text
from tests.tui.stage import FLAGS, RULES, Hunt, aftermath, press, records, said, until
from tui.app.app import HuntApp
from tui.screens.forms.confirm import Confirm


@pytest.fixture
def hunt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hunt:
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.chdir(out)
    return Hunt(tmp_path, [*records(), *aftermath()], rules=(RULES, FLAGS))


def test_escalation_writes_case_folder(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "exclamation_mark", "'key is out", "ctrl+s")
        assert isinstance(app.screen, Confirm)
        assert "case file of user/cat" in " ".join(screen_text(app).split())
        assert list(Path.cwd().iterdir()) == []
        await press(pilot, "y")
        await until(pilot, lambda: "begin with report.md" in said(app))
        [folder] = Path.cwd().iterdir()
        assert str(folder) in said(app)
        assert "key is out" in (folder / "notes.jsonl").read_text()
        manifest = json.loads((folder / "manifest.json").read_text())
        assert len(manifest["records"]) == 20
        assert manifest["missing"] == manifest["unread"] == []

    hunt.play(journey)


def test_declined_case_keeps_note(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "exclamation_mark", "'key is out", "ctrl+s", "n")
        assert [note.body.verdict for note in hunt.store.triage.notes()] == ["escalated"]
        assert list(Path.cwd().iterdir()) == []

    hunt.play(journey)


def test_marked_alerts_are_one_case_that_can_be_forwarded(hunt: Hunt) -> None:
    """What a lead reads first stands first; the page stands for itself."""

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "asterisk", "exclamation_mark", "'all of it", "ctrl+s")
        count = len(app.view_model.alerts)
        asked = " ".join(screen_text(app).replace("│", " ").split())
        assert f"case file of {count} alerts" in asked
        await press(pilot, "y")
        await until(pilot, lambda: "begin with report.md" in said(app))
        [folder] = Path.cwd().iterdir()
        report = (folder / "report.md").read_text()
        title, _, summary = report.splitlines()[:3]
        assert title.startswith(f"# Case: {count} alerts, 2026-03-01T10:00:03Z")
        assert summary.startswith(f"**{count} alerts of ") and "the worst critical" in summary
        assert report.index("all of it") < report.index("## Alerts")
        page = (folder / "report.html").read_text()
        assert "all of it" in page and "<script" not in page and "src=" not in page
        for alert_id in app.view_model.alerts:
            assert (folder / alert_id / "report.md").exists() and alert_id in report

    hunt.play(journey)


def test_failed_case_is_reported(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "exclamation_mark", "'key is out", "ctrl+s")
        Path.cwd().rmdir()
        await press(pilot, "y")
        await until(pilot, lambda: "No case file" in said(app))

    hunt.play(journey)
