"""A shift by keyboard: what is whose, and how it goes to a colleague."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from detector.ingest.pipeline import Pipeline
from detector.sources.directory import Directory
from detector.store import Store
from tests.commandline.cli import Cli
from tests.detector.trail import ANA
from tests.hostile.payloads import screen_text
from tests.tui.stage import BEN, CAT, Hunt, press, until
from tui.app.app import HuntApp
from tui.widgets.row_list import RowList


def principals(app: HuntApp) -> list[str]:
    return [alert.principal for alert in app.screen.query_one(RowList).rows]


def test_shift_begins_with_mine_others_and_unassigned(tmp_path: Path) -> None:
    hunt = Hunt(tmp_path)
    hunt.store.triage.assign([hunt.alert(BEN).alert_id], "dana")

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        async def listed(view: str, count: int) -> list[str]:
            await press(pilot, "f", "ctrl+u", f"'@{view}", "enter")
            await until(pilot, lambda: len(principals(app)) == count)
            return principals(app)

        assert await listed("mine", 0) == []
        assert await listed("others", 1) == [BEN]
        assert await listed("unassigned", 3) == [CAT, CAT, ANA]
        await press(pilot, "G", "A")  # it leaves the list of what nobody has
        await until(pilot, lambda: len(principals(app)) == 2)
        assert await listed("mine", 1) == [ANA]
        assert await listed("others", 1) == [BEN]

    hunt.play(journey, size=(120, 40))
    assert hunt.alert(ANA).assignee == hunt.store.author


def test_shift_is_handed_over_to_another_machine(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, theirs, log = tmp_path / "mine.db", tmp_path / "theirs.db", tmp_path / "log.jsonl"
    monkeypatch.setenv("LOGNAME", "ana.lyst")
    hunt = Hunt(tmp_path, state=mine)

    async def decide(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "A", "c", "'Stolen key, ask the owner", "ctrl+s")
        await press(pilot, "G", "x", "'CHG-9", "enter", "'sec-ops", "ctrl+s")
        await until(pilot, lambda: BEN not in principals(app))

    hunt.play(decide, size=(120, 40))
    hunt.store.close()
    assert cli("log", "export", "--format", "jsonl", "--db", mine, "-o", log).status == 0

    colleague = Store.open(theirs, hunt.clock)
    source = Directory([hunt.trail.parent])
    Pipeline(colleague, hunt.rules, source, clock=hunt.clock).scan(lambda update: None)
    colleague.close()
    joined = cli("log", "import", log, "--db", theirs)
    assert joined.status == 0, joined.err
    assert "0 of" in cli("log", "import", log, "--db", theirs).err  # again changes nothing
    colleague = Store.open(theirs, hunt.clock)

    async def go_on(app: HuntApp, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: len(principals(app)) == 3)
        assert BEN not in principals(app)
        first = app.screen.query_one(RowList).rows[0]
        assert (first.principal, first.assignee) == (CAT, "ana.lyst")
        await press(pilot, "4")
        await until(pilot, lambda: "Stolen key, ask the owner" in screen_text(app))
        await press(pilot, "5")
        await until(pilot, lambda: "CHG-9" in screen_text(app))

    hunt.play(go_on, size=(120, 40), store=colleague, pipeline=None)
    colleague.close()
