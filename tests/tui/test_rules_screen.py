"""The rules screen: counts, switches, reloads, errors in place."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from textual.pilot import Pilot

from detector.rules.ruleset import RuleSet, load
from detector.triage.note import NoteBody
from tests.hostile.payloads import PAYLOADS, harm, screen_text
from tests.tui.build import suppression
from tests.tui.goldens import compare
from tests.tui.stage import BEN, CAT, FLAGS, NOW, RULES, Feed, Hunt, press, said, until
from tui.app.app import HuntApp
from tui.presentation import safe
from tui.screens.admin.rule_rows import RuleRow
from tui.screens.admin.rules import RulesScreen
from tui.screens.base.fact_list import FactList
from tui.screens.base.text_pane import Reader
from tui.widgets.row_list import RowList

SWEEP, SERIOUS = (f"00000000-0000-0000-0000-00000000000{number}" for number in (1, 2))


class Used(Feed):
    """A pipeline that reads nothing and records the rules that it is given."""

    def __init__(self, feed: Feed) -> None:
        super().__init__(feed._first)
        self.used: list[RuleSet] = []

    def use(self, rules: RuleSet) -> None:
        self.used.append(rules)


@pytest.fixture
def hunt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hunt:
    """Its rule files are copies in ``rules``, named from where the test runs, so that paths are the
    same everywhere."""
    monkeypatch.setattr(
        "tui.screens.base.store_list._REST", 0
    )  # the state is asked as often as something changes
    monkeypatch.setattr(
        "tui.app.app._RULES_SECONDS", 3600
    )  # only the tests look whether files have changed
    monkeypatch.setenv("LOGNAME", "ana.lyst")
    monkeypatch.chdir(tmp_path)
    shutil.copytree(RULES, "rules")
    made = Hunt(tmp_path, rules=[Path("rules")])
    made.feed = Used(made.feed)
    return made


def used(hunt: Hunt) -> list[RuleSet]:
    assert isinstance(hunt.feed, Used)
    return hunt.feed.used


def break_sweep() -> Path:
    path = Path("rules/sweep.toml")
    path.write_text(
        path.read_text().replace("= count_distinct(cloud.region)", "= count_distnct(cloud.region)")
    )
    return path


async def opened(app: HuntApp, pilot: Pilot[None], *keys: str) -> RowList[RuleRow]:
    await press(pilot, "7", *keys)
    assert isinstance(app.screen, RulesScreen)
    rows: RowList[RuleRow] = app.screen.row_list
    await until(pilot, lambda: bool(rows.rows))
    return rows


def entry(app: HuntApp) -> str:
    return str(app.screen.query_one("#entry", FactList).render())


def test_rules_are_listed_with_counts(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        rows = await opened(app, pilot)
        assert [(row.key, row.state, row.hits, row.count.alerts) for row in rows.rows] == [
            (SERIOUS, "on", 36, 1),
            (SWEEP, "on", 36, 3),
        ]
        await press(pilot, "j")
        assert "Instances listed in many regions" in entry(app)
        assert "in windows of 30 s by" in " ".join(entry(app).split())
        await press(pilot, "enter")
        assert isinstance(app.focused, Reader)

    hunt.play(journey, size=(120, 40))


def judge(hunt: Hunt) -> None:
    """Note that Ben's sweep is a tool and Cat's a theft, and suppress Ana's."""
    alerts = [each for each in hunt.store.alerts.all() if each.principal == CAT]
    hunt.store.triage.add_notes([hunt.alert(BEN)], NoteBody("a tool", "benign"))
    hunt.store.triage.add_notes(alerts, NoteBody("a thief", "escalated"))
    hunt.store.triage.suppress([suppression(expires=NOW + 3600)])


def test_rule_shows_how_well_it_works(hunt: Hunt) -> None:
    judge(hunt)

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        rows = await opened(app, pilot, "G")
        await until(pilot, lambda: [row.precision for row in rows.rows] == [100, 50])
        assert [(row.verdicts, row.hidden) for row in rows.rows] == [(1, 0), (2, 1)]
        await until(pilot, lambda: "precision  50% of 2" in entry(app))
        assert "principals 3" in entry(app)
        assert "hidden     1 by suppressions" in entry(app)
        assert "verdicts   1 benign, 1 escalated" in entry(app)
        await press(pilot, "f", "'precision<80", "enter")
        await until(pilot, lambda: [row.key for row in rows.rows] == [SWEEP])

    hunt.play(journey, size=(120, 40))


def test_verdict_written_in_the_app_moves_the_precision(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        rows = await opened(app, pilot)
        assert [row.precision for row in rows.rows] == [None, None]
        await app.decisions.add_notes([hunt.alert(BEN)], NoteBody("a tool", "benign"))
        await until(pilot, lambda: [row.precision for row in rows.rows] == [None, 0])

    hunt.play(journey)


def test_flag_rule_is_described(hunt: Hunt) -> None:
    hunt.rules = load([FLAGS], builtin=False)

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await opened(app, pilot, "f", "'flag:iam-change", "enter")
        assert "no alerts of its own; flags nearby alerts" in " ".join(entry(app).split())

    hunt.play(journey, size=(160, 48))


def test_switch_changes_store_and_pipeline(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        rows = await opened(app, pilot, "x")
        await until(pilot, lambda: rows.rows[0].state == "off")
        assert hunt.store.rules.disabled() == {SERIOUS}
        assert said(app).startswith("Disabled: ")
        assert len(used(hunt)) == 1
        assert "rule off" in entry(app)
        await press(pilot, "x")
        await until(pilot, lambda: rows.rows[0].state == "on")
        assert hunt.store.rules.disabled() == frozenset()
        assert said(app).startswith("Enabled: ")
        assert len(used(hunt)) == 2

    hunt.play(journey)
    assert len(hunt.store.alerts.all()) == 4


def test_marked_rules_are_switched_together(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        rows = await opened(app, pilot, "asterisk", "x")
        await until(pilot, lambda: {row.state for row in rows.rows} == {"off"})
        assert said(app).startswith("Disabled: 2 rules")
        assert not rows.marks

    hunt.play(journey)


def test_rules_are_not_switched_read_only(hunt: Hunt, monkeypatch: pytest.MonkeyPatch) -> None:

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await opened(app, pilot, "x")
        assert said(app).startswith("Read-only: ")

    monkeypatch.setattr(hunt.store.database, "_writer", None)
    hunt.play(journey, pipeline=None)
    assert hunt.store.rules.disabled() == frozenset()


def test_broken_rule_is_shown_until_mended(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        rows = await opened(app, pilot)
        good = Path("rules/sweep.toml").read_text()
        path = break_sweep()
        app.reload_rules()
        await until(pilot, lambda: rows.rows[0].state == "error")
        assert said(app) == "Loaded 1 rule, 1 file in error; 7 shows where"
        await press(pilot, "g")
        assert "did you mean count_distinct" in " ".join(entry(app).split())
        assert "Esql.cloud_region_count_distinct = count_distnct(cloud.region)" in entry(app)
        assert [rule.rule_id for rule in used(hunt)[-1]] == [SERIOUS]
        path.write_text(good)
        app.reload_rules()
        await until(pilot, lambda: {row.state for row in rows.rows} == {"on"})
        assert len(used(hunt)[-1]) == 2

    hunt.play(journey, size=(160, 48))


def test_unchanged_rules_reload_only_on_request(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        app.reload_rules()
        await until(pilot, lambda: not app.rule_reloader.busy)
        assert used(hunt) == []
        await press(pilot, "R")
        await until(pilot, lambda: len(used(hunt)) == 1)
        assert said(app) == "Loaded 2 rules"

    hunt.play(journey)


def test_broken_file_is_not_switched(hunt: Hunt) -> None:
    break_sweep()
    hunt.rules = load([Path("rules")], builtin=False)

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        rows = await opened(app, pilot, "g", "x")
        assert rows.cursor_row is not None
        assert rows.cursor_row.state == "error"
        assert used(hunt) == []

    hunt.play(journey)


@pytest.mark.parametrize("name", ["closing-tag", "action", "clear-screen", "bidi-override"])
def test_hostile_rule_files_are_harmless(name: str, hunt: Hunt) -> None:
    """They may have been downloaded."""
    payload = PAYLOADS[name]
    text = Path("rules/sweep.toml").read_text()
    quoted = '"' + "".join(f"\\U{ord(character):08x}" for character in payload) + '"'
    Path("rules/sweep.toml").write_text(text.replace('"Instances listed in many regions"', quoted))
    Path("rules/wrong.toml").write_text(
        text.replace("| stats", f"| {payload} | stats"), errors="replace"
    )
    hunt.rules = load([Path("rules")], builtin=False)

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        rows = await opened(app, pilot)
        for _ in rows.rows:
            assert [what for what in harm(app) if "'@mouse." not in what] == []
            await press(pilot, "j")
        assert safe.visible(payload)[:8].strip() in screen_text(app)

    hunt.play(journey, size=(160, 48))


GOLDENS = {"rules": "G", "rules-error": "g", "rules-judged": "G"}


@pytest.mark.parametrize("name", GOLDENS)
def test_screen(name: str, hunt: Hunt) -> None:
    if name == "rules-error":
        break_sweep()
        hunt.rules = load([Path("rules")], builtin=False)
    if name == "rules-judged":
        judge(hunt)

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await opened(app, pilot, GOLDENS[name])
        await compare(app, pilot, name)

    hunt.play(journey, toasts=False)
