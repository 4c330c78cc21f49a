"""The workbench and the explanations, driven by keys."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from detector.ingest.pipeline import Update
from detector.rules.ruleset import load
from detector.triage.note import NoteBody
from detector.workbench.variant import VariantError
from tests.detector.trail import ANA, call, sweep
from tests.tui.stage import BEN, CAT, RULES, Hunt, press, records, said, until
from tui.app.app import HuntApp
from tui.screens.alert.screen import AlertScreen
from tui.screens.base.fact_list import FactList
from tui.screens.forms.save_variant import SaveVariantForm
from tui.screens.pivot.screen import PivotScreen
from tui.screens.workbench.explanation import ExplanationScreen
from tui.screens.workbench.screen import WorkbenchScreen
from tui.widgets.row_list import RowList

LONG_REGIONS = """[rule]
rule_id = "00000000-0000-0000-0000-000000000003"
name = "A few long regions"
type = "esql"
language = "esql"
query = '''
from logs-aws.cloudtrail-*
| eval letters = length(cloud.region)
| where letters >= 9
| stats n = count(*) by b = bucket(@timestamp, 30 seconds), aws.cloudtrail.user_identity.arn
| where n >= 4
'''
"""

DAN = ANA.replace("ana", "dan")


@pytest.fixture
def hunt(tmp_path: Path) -> Hunt:
    """Beside the usual sweeps, Dan lists eight regions, and then a ninth too late."""
    rules = tmp_path / "rules"
    rules.mkdir()
    for path in RULES.glob("*.toml"):
        (rules / path.name).write_text(path.read_text())
    eight = sweep(8, at=9000, arn=DAN)
    trail = [*records(), *eight, call(9040, "us-west-2", arn=DAN)]
    return Hunt(tmp_path, trail, rules=[rules])


def result(app: HuntApp) -> str:
    return str(app.screen.query_one("#bench-result", Static).render())


def parameters(app: HuntApp) -> str:
    return " ".join(str(app.screen.query_one("#bench-parameters", Static).render()).split())


def changes(app: HuntApp) -> list[tuple[str, str, int]]:
    rows = app.screen.query_one(RowList).rows
    return [(row.change, row.principal, row.alerts) for row in rows]


async def on_workbench(app: HuntApp, pilot: Pilot[None], *keys: str) -> None:
    await press(pilot, *keys)
    await until(pilot, lambda: isinstance(app.screen, WorkbenchScreen))
    await until(pilot, lambda: bool(app.screen.query_one(RowList).rows))


def test_values_move_by_keys_and_are_answered(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await on_workbench(app, pilot, "G", "W")
        assert parameters(app) == "‹regions ≥ 10› events ≥ 10 window 30 s"
        assert [change for change, _, _ in changes(app)] == ["stays"] * 3
        await press(pilot, *["left"] * 2, "tab", *["left"] * 2)
        await until(pilot, lambda: "with this  4 alerts, 4 principals" in result(app))
        assert parameters(app) == "regions ≥ 10 → 8 ‹events ≥ 10 → 8› window 30 s"
        assert changes(app)[0] == ("comes", DAN, 1)
        await press(pilot, "shift+tab", *["right"] * 5)
        await until(pilot, lambda: "− 2" in result(app))
        assert [change for change, _, _ in changes(app)] == ["goes", "goes", "stays"]
        await press(pilot, "0")
        await until(pilot, lambda: "+ 0  − 0" in result(app))
        await press(pilot, "tab", "tab", "right")
        await until(pilot, lambda: parameters(app).endswith("‹window 30 s → 45 s›"))

    hunt.play(journey)


def test_keys_do_nothing_where_there_is_no_bench(
    hunt: Hunt, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(screen: WorkbenchScreen) -> None:
        raise VariantError("this rule cannot be read")

    monkeypatch.setattr(WorkbenchScreen, "_make_bench", refuse)

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "G", "W")
        await until(pilot, lambda: isinstance(app.screen, WorkbenchScreen))
        await press(pilot, "0", "tab", "right", "R", "s", "E", "enter")
        assert result(app) == "this rule cannot be read"

    hunt.play(journey)


def test_alerts_without_a_principal_are_not_explained(tmp_path: Path) -> None:
    """Most callers lack a key or a role: an empty name would be the name of them all."""
    hunt = Hunt(tmp_path, sweep(12, at=0, arn=""))

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await on_workbench(app, pilot, "G", "W")
        await press(pilot, "E")
        assert said(app) == "These alerts name no principal"

    hunt.play(journey)


def test_verdicts_show_in_the_precision(hunt: Hunt) -> None:
    alert = hunt.alert(BEN)
    hunt.store.triage.add_notes([alert], NoteBody("a tool", "benign"))
    hunt.store.triage.set_status([alert.alert_id], "closed")
    stolen = next(
        each
        for each in hunt.store.alerts.all()
        if each.principal == CAT and each.rule.id == alert.rule.id
    )
    hunt.store.triage.add_notes([stolen], NoteBody("a thief", "escalated"))

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await on_workbench(app, pilot, "7", "G", "W")
        assert "precision by verdicts: 50% of 2 → 50% of 2" in result(app)
        await press(pilot, *["right"] * 3)  # from 13 regions on Ben's is gone
        await until(pilot, lambda: "50% of 2 → 100% of 1" in result(app))

    hunt.play(journey)


def test_logs_are_read_for_another_filter_on_request(hunt: Hunt) -> None:
    folder = hunt.rules.spec().paths[0]
    (folder / "long.toml").write_text(LONG_REGIONS)
    hunt = Hunt(folder.parent, records(), rules=[folder])
    long = sum(len(each["awsRegion"]) >= 10 for each in records())

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "7", "f", "'few", "enter")
        await on_workbench(app, pilot, "W")
        assert parameters(app).startswith("‹letters ≥ 9›")
        await press(pilot, "R")
        assert said(app) == "Nothing to read: this answer is complete"
        await press(pilot, "right")
        await until(pilot, lambda: "R reads the logs again for it" in result(app))
        assert changes(app) == [], "those of the rule as it is would mislead"
        await press(pilot, "left")
        await until(pilot, lambda: "with this" in result(app) and bool(changes(app)))
        await press(pilot, "right", "R")
        await until(pilot, lambda: f"{long} hits" in result(app))
        assert {change for change, _, _ in changes(app)} <= {"goes", "stays"}

    hunt.play(journey)


def test_reading_ends_when_other_values_need_other_hits(
    hunt: Hunt, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = hunt.rules.spec().paths[0]
    (folder / "long.toml").write_text(LONG_REGIONS)
    hunt = Hunt(folder.parent, records(), rules=[folder])
    begun, moved = threading.Event(), threading.Event()
    report = WorkbenchScreen._report_reading

    def wait(screen: WorkbenchScreen, update: Update) -> None:
        begun.set()
        moved.wait(30)
        report(screen, update)

    monkeypatch.setattr(WorkbenchScreen, "_report_reading", wait)

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "7", "f", "'few", "enter")
        await on_workbench(app, pilot, "W")
        await press(pilot, "right", "R")
        await until(pilot, begun.is_set)
        await press(pilot, "left")
        moved.set()
        await until(pilot, lambda: "+ 0  − 0" in result(app))
        await press(pilot, "right")
        await until(pilot, lambda: "R reads the logs again for it" in result(app))

    hunt.play(journey)


def test_noisy_rule_to_saved_variant_in_ten_keys(hunt: Hunt) -> None:
    """From the list of alerts; the words of the reason are typed, and count as one."""
    keys = ["W", "right", "right", "s", "'CHG-9", "ctrl+s"]
    assert len(keys) <= 10
    folder = hunt.rules.spec().paths[0]

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await on_workbench(app, pilot, "G", keys[0])
        await press(pilot, *keys[1:3])
        await press(pilot, keys[3])
        await until(pilot, lambda: isinstance(app.screen, SaveVariantForm))
        await press(pilot, *keys[4:])
        await until(pilot, lambda: len(app.rules) == 3)  # it is loaded at once

    hunt.play(journey)
    (saved,) = (rule for rule in load([folder], builtin=False) if ": regions" in rule.name)
    assert saved.thresholds == ("≥12 regions", "≥10 events")
    assert 'reason = "CHG-9"' in saved.path.read_text()


def test_variant_needs_a_change_and_a_reason(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await on_workbench(app, pilot, "G", "W", "s")
        assert said(app) == "Nothing to save: change a value first"
        await press(pilot, "right", "s")
        await until(pilot, lambda: isinstance(app.screen, SaveVariantForm))
        await press(pilot, "ctrl+s")
        error = app.screen.query_one("#form-error", Static)
        await until(pilot, lambda: "give the rule a name and a reason" in str(error.render()))

    hunt.play(journey)


def test_why_a_principal_is_no_alert_in_two_keys(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "2")
        await until(pilot, lambda: bool(app.screen.query_one(RowList).rows))
        rows = app.screen.query_one(RowList)
        names = [row.name for row in rows.rows]
        await press(pilot, "g", *["j"] * names.index(DAN), "E")
        await until(pilot, lambda: isinstance(app.screen, ExplanationScreen))
        rows = app.screen.query_one(RowList)
        await until(pilot, lambda: len(rows.rows) == 2)
        assert (rows.rows[0].word, rows.rows[0].sentence) == (
            "80%",
            "8 of 10 regions, 8 of 10 events in under 1 s",
        )
        entry = app.screen.query_one("#entry", FactList)
        await until(pilot, lambda: "≥10 regions: 8" in str(entry.render()))
        await press(pilot, "W")
        await until(pilot, lambda: isinstance(app.screen, WorkbenchScreen))

    hunt.play(journey)


def test_alert_is_explained_and_leads_to_the_workbench_and_back(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "G", "enter", "E")
        await until(pilot, lambda: isinstance(app.screen, ExplanationScreen))
        rows = app.screen.query_one(RowList)
        await until(pilot, lambda: len(rows.rows) == 2)
        assert rows.rows[0].word == "fired"
        await press(pilot, "escape")
        await until(pilot, lambda: isinstance(app.screen, AlertScreen))
        await on_workbench(app, pilot, "W")
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, AlertScreen))

    hunt.play(journey)


def test_few_benches_are_kept_and_others_made_again(
    hunt: Hunt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.screens.workbench.explanation.MOST_BENCHES", 1)

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "G", "enter", "E")
        await until(pilot, lambda: isinstance(app.screen, ExplanationScreen))
        screen = app.screen
        assert isinstance(screen, ExplanationScreen)
        rows, entry = screen.query_one(RowList), screen.query_one("#entry", FactList)
        await until(pilot, lambda: len(rows.rows) == 2)
        for key in ("g", "G", "g"):
            await press(pilot, key)
            rule = rows.rows[0 if key == "g" else -1].rule
            await until(pilot, lambda rule=rule: rule.rule_id in screen._benches)
            assert len(screen._benches) == 1
        await until(pilot, lambda: "≥10 regions" in str(entry.render()))

    hunt.play(journey)


@pytest.mark.parametrize("keys", [["p"], ["3"]])
def test_call_is_explained_in_pivot_and_events(hunt: Hunt, keys: Sequence[str]) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "G", *keys)
        await until(pilot, lambda: isinstance(app.screen, PivotScreen))
        rows = app.screen.query_one(RowList)
        await until(pilot, lambda: bool(rows.rows))
        await press(pilot, "G", "E")
        await until(pilot, lambda: isinstance(app.screen, ExplanationScreen))
        answers = app.screen.query_one(RowList)
        await until(pilot, lambda: len(answers.rows) == 2)
        assert answers.rows[0].word == "fired"
        entry = app.screen.query_one("#entry", FactList)
        await until(pilot, lambda: "yes  event.action" in str(entry.render()))

    hunt.play(journey)
