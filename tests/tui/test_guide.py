"""The guide: questions, answers, and the calls behind them."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.hostile.payloads import screen_text
from tests.tui.goldens import compare
from tests.tui.stage import FLAGS, RULES, Hunt, aftermath, press, records, until
from tests.tui.test_pivot import actions, read
from tui.app.app import HuntApp
from tui.screens.alert.screen import AlertScreen
from tui.widgets.pane_tabs import PaneBar
from tui.widgets.row_list import RowList

OWN_QUERIES = """
[[transform.investigate]]
label = "Who else used this address?"
providers = [[
  { field = "source.address", queryType = "phrase", value = "{{source.address}}", excluded = false }
]]

[[transform.investigate]]
label = "Anything on hosts?"
providers = [[{ field = "host.name", queryType = "phrase", value = "x", excluded = false }]]
"""


@pytest.fixture
def hunt(tmp_path: Path) -> Hunt:
    return Hunt(tmp_path, [*records(), *aftermath()], rules=(RULES, FLAGS))


async def answered_questions(app: HuntApp, pilot: Pilot[None]) -> RowList[object]:
    """Return the guide pane of the alert under the cursor, answered."""
    await press(pilot, "enter", "tab", "tab", "tab")
    assert isinstance(app.screen, AlertScreen)
    assert app.screen.query_one(PaneBar).front == "guide"
    questions = app.screen.query_one("#questions", RowList)
    await until(pilot, lambda: bool(questions.rows))
    assert questions.has_focus
    return questions


def test_questions_have_answer_and_count(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        answers = {
            answer.question: (answer.verdict, answer.count)
            for answer in (await answered_questions(app, pilot)).rows
        }
        assert answers["Snapshot or image activity?"] == ("yes", 2)
        assert answers["IAM changes (keys, roles, policies)?"] == ("yes", 1)
        assert answers["S3 writes or large downloads?"] == ("no", 0)
        assert answers["Were any calls denied?"] == ("yes", 7)
        assert "not enough history yet (1 h of 10 d needed)" in screen_text(app)

    hunt.play(journey)


def test_answer_opens_its_calls(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        questions = await answered_questions(app, pilot)
        await press(pilot, "j", "j", "j", "enter")
        assert actions(await read(app, pilot)) == ["CreateSnapshot", "ModifySnapshotAttribute"]
        await press(pilot, "escape")
        assert questions.cursor_key == "Snapshot or image activity?"
        assert questions.has_focus

    hunt.play(journey)


def test_answer_without_calls_opens_nothing(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await answered_questions(app, pilot)
        await press(pilot, "G", "enter")
        assert isinstance(app.screen, AlertScreen)

    hunt.play(journey)


def test_queries_of_rule_are_answered(tmp_path: Path) -> None:
    own = tmp_path / "rules"
    own.mkdir()
    for rule in RULES.glob("*.toml"):
        (own / rule.name).write_text(rule.read_text() + OWN_QUERIES)
    hunt = Hunt(tmp_path, [*records(), *aftermath()], rules=(own, FLAGS))

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        answers = {
            answer.question: answer for answer in (await answered_questions(app, pilot)).rows
        }
        assert answers["Anything on hosts?"].detail == "host.name is not a CloudTrail field"
        questions = app.screen.query_one("#questions", RowList)
        await until(pilot, lambda: questions.rows[-2].count is not None)
        assert (questions.rows[-2].verdict, questions.rows[-2].count) == ("yes", 20)
        assert questions.rows[-2].detail.startswith("20 calls: DescribeInstances")
        await press(pilot, "G", "k", "enter")
        screen = await read(app, pilot)
        await press(pilot, "o")
        await until(pilot, lambda: len(actions(screen)) == 20)

    hunt.play(journey)


def test_sentence_names_signals(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await answered_questions(app, pilot)
        await until(
            pilot,
            lambda: (
                "then  CreateAccessKey; CreateSnapshot; ModifySnapshotAttribute" in screen_text(app)
            ),
        )
        assert "new   not enough history yet (1 h of 10 d needed)" in screen_text(app)

    hunt.play(journey, size=(160, 48))


def test_list_sentence_names_signals_when_cursor_rests(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "then  CreateAccessKey; CreateSnapshot" in screen_text(app))

    hunt.play(journey, size=(160, 48))


def test_narrow_screen_explains_risk(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "enter", "tab", "enter")
        await until(pilot, lambda: "critical: rule 73 + " in " ".join(screen_text(app).split()))

    hunt.play(journey)


def test_screen(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await answered_questions(app, pilot)
        await press(pilot, "j", "j", "j")
        await compare(app, pilot, "guide-run")

    hunt.play(journey, toasts=False)
