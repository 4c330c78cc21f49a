"""What ``rules check`` says: notes on rules that can be used, places and carets of those that cannot."""

from __future__ import annotations

import pytest

from detector.ecs.fields import field_table
from detector.rules.lint import lint_rule
from detector.rules.rule import read_rule
from tests.detector.rules.test_rule_types import written
from tui.commandline.main import main
from tui.commandline.narration import caret_excerpt

FROM = "from logs-aws.cloudtrail-*\n"
CONSOLE = "aws.cloudtrail.session_credential_from_console"


def notes(tmp_path, query, **given):
    rule = read_rule(written(tmp_path / "rules", query, **given), field_table())
    return [note.sentence for note in lint_rule(rule, field_table(), rule.nulls == "strict")]


@pytest.mark.parametrize(
    "condition",
    [
        f'not {CONSOLE} == "true"',
        f'{CONSOLE} != "true"',
        f'not {CONSOLE} in ("true", "yes")',
        f'event.action == "X" and not {CONSOLE} == "true"',
    ],
)
def test_a_negation_that_no_event_passes_is_told(tmp_path, condition):
    (said,) = notes(tmp_path, f"{FROM}| where {condition} | keep event.id")
    assert said.startswith("no event gets through:") and f'write "{CONSOLE} is null or' in said


@pytest.mark.parametrize(
    "condition",
    [
        'user.name != "AWSServiceRoleForConfig"',
        'not user.name == "x"',
        'not user.name like "AWS*"',
        'user.name not in ("a", "b")',
        'not starts_with(user.name, "AWS")',
    ],
)
def test_a_negation_that_drops_events_without_the_field_is_told(tmp_path, condition):
    (said,) = notes(tmp_path, f"{FROM}| where {condition} | keep event.id")
    assert said.startswith("events without user.name are dropped")


@pytest.mark.parametrize(
    "condition",
    [
        'event.action != "X"',
        'user.name is not null and user.name != "x"',
        'user.name is null or user.name != "x"',
        'user.name like "a*" and user.name != "abc"',
        "user.name is not null",
        'user.name == "x"',
    ],
)
def test_nothing_is_said_where_nothing_is_dropped_unseen(tmp_path, condition):
    assert notes(tmp_path, f"{FROM}| where {condition} | keep event.id") == []


def test_a_rule_that_asks_for_the_intended_reading_is_left_alone(tmp_path):
    query = f'{FROM}| where not {CONSOLE} == "true" | keep event.id'
    assert notes(tmp_path, query, more='[trailhound]\nnulls = "intended"') == []


def test_fields_that_are_always_null_here_are_told(tmp_path):
    (said,) = notes(
        tmp_path,
        f"{FROM}| stats n = count_distinct(source.geo.city_name) by user.name | where n > 1",
    )
    assert said == "source.geo.city_name is always null here: trailhound has no location database"
    (said,) = notes(tmp_path, "source.geo.city_name: Berlin", type="query")
    assert said.startswith("source.geo.city_name is always null here")


def test_suppression_by_less_than_the_groups_is_told(tmp_path):
    query = f"{FROM}| stats n = count(*) by user.name, cloud.region | where n > 1"
    (said,) = notes(tmp_path, query, more='[rule.alert_suppression]\ngroup_by = ["user.name"]')
    assert "stay apart here" in said


def check(capsys, *paths):
    status = main(["rules", "check", *map(str, paths)])
    return (status, *capsys.readouterr())


def test_check_says_in_words_what_each_file_looks_for(tmp_path, capsys):
    query = f"{FROM}| stats n = count(*) by user.name | where n > 4"
    look_back = written(tmp_path / "rules", query, lookback="now-61m")
    hunt = tmp_path / "rules" / "z.toml"
    hunt.write_text("[hunt]\nname = 'Who'\nquery = ['from logs-* | keep event.id']\n")
    status, out, err = check(capsys, tmp_path / "rules")
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        f"{look_back}: A rule: in any 61 min by user.name: more than 4 events",
        f"{hunt}: Who: a hunt of one query",
    ]


def test_check_points_at_mistakes_and_fails(tmp_path, capsys):
    bad = written(tmp_path / "rules", f"{FROM}\t| where event.acton == 1 | keep event.id")
    status, out, err = check(capsys, bad)
    line, excerpt, caret = err.splitlines()
    assert (status, out) == (1, "")
    assert line == f"{bad}:9:10: no column event.acton here; did you mean event.action?"
    assert excerpt.index("event.acton") == caret.index("^")


def test_check_places_notes_in_the_file(tmp_path, capsys):
    path = written(tmp_path / "rules", f'{FROM}| where user.name != "x" | keep event.id')
    status, out, _ = check(capsys, path)
    assert status == 0
    assert out.splitlines()[1].startswith(f"{path}:9:9: note: events without user.name are dropped")


def test_check_shows_hostile_text_as_what_it_is(tmp_path, capsys):
    path = written(tmp_path / "rules", f"{FROM}| where a\u202e\x1b == 1".replace("\x1b", "\u200b"))
    _, _, err = check(capsys, path)
    assert "\u202e" not in err and "\\u202e" in err


def test_a_caret_stands_under_its_column():
    assert caret_excerpt("a\nbcd\n", 2, 3) == "  2 | bcd\n    |   ^"
    assert caret_excerpt("a", 5, 1) == ""
