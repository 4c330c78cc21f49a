"""How many keys the commonest jobs take, besides the words that are typed; the manual says so."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from textual.pilot import Pilot

import tui
from tests.tui.stage import ANA, BEN, CAT, Hunt, press, until
from tui.app.app import HuntApp
from tui.screens.alert.screen import AlertScreen
from tui.screens.pivot.screen import PivotScreen
from tui.widgets.row_list import RowList

KEYS = Path(tui.__file__).parents[1] / "docs" / "keys.md"

JOBS: dict[str, Sequence[str]] = {
    "worst alert first": [],
    "open the alert": ["enter"],
    "next high or critical alert": ["e"],
    "all activity by the principal": ["p"],
    "acknowledge": ["a"],
    "assign to me": ["A"],
    "undo": ["z"],
    "export the filtered alerts": ["w", "ctrl+s"],
    "suppress all that a filter finds, with ticket, owner and reason": [
        "f", "'principal:ana ", "enter", "asterisk", "x",
        "'CHG-9", "enter", "'sec-ops", "enter", "'pentest", "ctrl+s",
    ],
    "escalate with note, owner, ticket and case file": [
        "exclamation_mark", "'Stolen key.", "shift+tab", "'dana", "shift+tab", "'IR-1", "ctrl+s",
        "y",
    ],
}  # fmt: skip
"""The keys of each job; text that begins with ``'`` is typed."""


def count(job: str) -> int:
    return sum(not key.startswith("'") for key in JOBS[job])


def test_manual_tells_the_counts() -> None:
    told = dict(re.findall(r"^\| ([^|`]+) \| [^|]+ \| (\d+) \|$", KEYS.read_text("utf-8"), re.M))
    assert {job: int(keys) for job, keys in told.items()} == {job: count(job) for job in JOBS}
    assert count("suppress all that a filter finds, with ticket, owner and reason") <= 8


@pytest.fixture
def hunt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hunt:
    monkeypatch.chdir(tmp_path)
    return Hunt(tmp_path)


def rows(app: HuntApp) -> RowList[object]:
    return app.screen.query_one(RowList)


def test_start_of_a_shift(hunt: Hunt, tmp_path: Path) -> None:
    """Mine, others' and nobody's alerts are told apart; the filtered ones are exported."""

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        assert app.view_model.alerts[rows(app).keys[0]].severity == "critical"
        await press(pilot, *JOBS["assign to me"])
        mine = hunt.alert(CAT)
        assert mine.assignee == hunt.store.author
        await press(pilot, "escape", "escape")
        await press(pilot, *JOBS["undo"])
        assert not hunt.alert(CAT).assignee
        await press(pilot, "G", "A", "f", f"'assignee={hunt.store.author}", "enter")
        await until(pilot, lambda: len(rows(app).rows) == 1)
        await press(pilot, *JOBS["export the filtered alerts"])
        [file] = tmp_path.glob("alerts-*.csv")
        lines = file.read_text("utf-8-sig").splitlines()
        assert len(lines) == 2
        assert "assignee" in lines[0]

    hunt.play(journey, size=(120, 40))


def test_bulk_suppression(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        job = "suppress all that a filter finds, with ticket, owner and reason"
        await press(pilot, *JOBS[job])
        made = hunt.store.suppressions.all()
        assert {(each.value, each.ticket, each.owner, each.justification) for each in made} == {
            (ANA, "CHG-9", "sec-ops", "pentest")
        }

    hunt.play(journey, size=(120, 40))


def test_required_fields_are_asked_for(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        app.required_fields = ("ticket", "owner", "reason")
        await press(pilot, "G", "x", "'CHG-9", "ctrl+s")
        assert hunt.store.suppressions.all() == []
        await press(pilot, "enter", "'sec-ops", "enter", "'known", "ctrl+s")
        assert [each.value for each in hunt.store.suppressions.all()] == [BEN]

    hunt.play(journey, size=(120, 40))


def test_single_keys(hunt: Hunt, tmp_path: Path) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, *JOBS["acknowledge"])
        assert hunt.alert(CAT).status == "acknowledged"
        await press(pilot, "G", *JOBS["next high or critical alert"])
        await press(pilot, *JOBS["open the alert"])
        assert isinstance(app.screen, AlertScreen)
        await press(pilot, *JOBS["all activity by the principal"])
        await until(pilot, lambda: isinstance(app.screen, PivotScreen))
        await press(pilot, "escape", "escape")
        await until(pilot, lambda: not isinstance(app.screen, PivotScreen))
        await press(pilot, *JOBS["escalate with note, owner, ticket and case file"])
        await until(pilot, lambda: any(tmp_path.glob("case-*/report.md")))
        [note] = hunt.store.triage.notes()
        assert (note.body.verdict, note.body.owner, note.body.ticket) == (
            "escalated",
            "dana",
            "IR-1",
        )

    hunt.play(journey, size=(120, 40))
