"""Tests of loading rule files, and of their errors."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from detector.rules.rule_file import read_file_text
from detector.rules.ruleset import load, rule_files, unread_files

RULE = """[rule]
rule_id = "{rule_id}"
name = "A rule"
type = "esql"
severity = "high"
risk_score = 73
query = '''
{query}
'''
"""
GOOD = """from logs-aws.cloudtrail-*
| where event.action == "X"
| stats n = count(*) by w = date_trunc(1 minute, @timestamp)
| where n > 2"""


def write_rule(path, query=GOOD, rule_id="r-1"):
    path.write_text(RULE.format(rule_id=rule_id, query=query))
    return path


def only_problem(path):
    rules = load([path], builtin=False)
    assert list(rules) == []
    (problem,) = rules.problems
    return problem


def test_directory_is_read_recursively_in_order(tmp_path):
    (tmp_path / "deep").mkdir()
    write_rule(tmp_path / "deep" / "b.toml", rule_id="b")
    write_rule(tmp_path / "a.toml", rule_id="a")
    (tmp_path / "readme.md").write_text("no rule")
    assert [rule.rule_id for rule in load([tmp_path], builtin=False)] == ["a", "b"]


def test_rule_with_builtin_id_replaces_builtin(tmp_path):
    replacement = write_rule(tmp_path / "own.toml", rule_id="393ef120-63d1-11ef-8e38-f661ea17fbce")
    rules = load([replacement])
    assert rules.get("393ef120-63d1-11ef-8e38-f661ea17fbce").path == replacement
    assert rules.problems == []


def test_first_of_equal_ids_wins(tmp_path):
    first, second = write_rule(tmp_path / "a.toml"), write_rule(tmp_path / "b.toml")
    rules = load([first, second], builtin=False)
    assert rules.get("r-1").path == first
    assert "the same rule_id" in str(rules.problems[0])


def test_bad_file_does_not_stop_others(tmp_path):
    write_rule(tmp_path / "bad.toml", query="from logs-* | wher x", rule_id="bad")
    write_rule(tmp_path / "good.toml")
    rules = load([tmp_path], builtin=False)
    assert [rule.rule_id for rule in rules] == ["r-1"]
    assert [problem.path.name for problem in rules.problems] == ["bad.toml"]


def test_query_error_has_position_in_file(tmp_path):
    problem = only_problem(
        write_rule(tmp_path / "r.toml", query='from logs-*\n| where event.acton == "X"')
    )
    assert (problem.line, problem.column) == (9, 9)
    assert "did you mean event.action?" in problem.message


@pytest.mark.parametrize(
    "name, text, line, reason",
    [
        ("not toml", "[rule\n", 1, "not TOML"),
        ("no rule", "[metadata]\nx = 1\n", 0, "no [rule] table"),
        ("a hunt", "[hunt]\nname = 'x'\n", 0, "hunt"),
        ("no id", "[rule]\nname = 'x'\ntype = 'esql'\n", 0, "rule_id"),
        (
            "bad severity",
            "[rule]\nrule_id='x'\nname='x'\ntype='esql'\n\nseverity='awful'\n",
            6,
            "severity",
        ),
        ("bad type", "[rule]\nrule_id='x'\nname=5\ntype='esql'\n", 3, "name"),
        (
            "machine learning",
            "[rule]\nrule_id='x'\nname='x'\ntype='machine_learning'\n",
            4,
            "machine_learning",
        ),
    ],
)
def test_file_error_has_line_and_reason(tmp_path, name, text, line, reason):
    path = tmp_path / "r.toml"
    path.write_text(text)
    problem = only_problem(path)
    assert problem.line == line
    assert reason in problem.message
    assert "\n" not in str(problem)


def test_missing_file_is_a_problem(tmp_path):
    assert "cannot be read" in only_problem(tmp_path / "none.toml").message


def fingerprint(tmp_path, **changed):
    return load([write_rule(tmp_path / "r.toml", **changed)], builtin=False).get("r-1").fingerprint


def test_fingerprint_depends_on_query_not_texts(tmp_path):
    before = fingerprint(tmp_path)
    assert fingerprint(tmp_path, query=GOOD.replace("| stats", "// why\n|   STATS")) == before
    assert fingerprint(tmp_path, query=GOOD.replace("> 2", "> 3")) != before
    path = write_rule(tmp_path / "r.toml")
    path.write_text(path.read_text().replace("A rule", "Another name"))
    assert load([path], builtin=False).get("r-1").fingerprint == before


def test_files_are_read_in_the_order_of_paths_and_others_named(tmp_path):
    names = (
        *("b.toml", "a/z.yml", "a.d/y.toml", "a-b.toml", ".hidden/x.toml", "A.ndjson"),
        *("a/..toml", "a/.x.toml"),
    )
    others = (
        "a/notes.txt",
        "README",
        ".hidden/notes.txt",
        "a/.secret",
        ".toml",
        "b.examples.jsonl",
        "c.TOML",
    )
    for name in (*names, *others):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("")
    link = tmp_path / "a" / "elsewhere.toml"
    link.symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    assert list(rule_files([tmp_path])) == sorted(tmp_path / name for name in names)
    assert [notice.path for notice in unread_files([tmp_path])] == sorted(
        [tmp_path / "a/notes.txt", tmp_path / "README", tmp_path / "c.TOML", link]
    )


def test_file_is_read_whole_whatever_size_it_is_said_to_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "# a long rule\n" * 1000
    path = tmp_path / "r.toml"
    path.write_text(text)
    status = os.stat(path)
    for size in (0, 1, 5000, len(text), len(text) + 1):
        said = os.stat_result([*status[:6], size, *status[7:]])
        monkeypatch.setattr(os, "fstat", lambda _, said=said: said)
        assert read_file_text(path) == text
