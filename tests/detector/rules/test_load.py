"""Rule files: what loads, what does not, and how that is said."""

from __future__ import annotations

import pytest

from detector.rules.ruleset import load

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


def write(path, query=GOOD, rule_id="r-1"):
    path.write_text(RULE.format(rule_id=rule_id, query=query))
    return path


def only_problem(path):
    rules = load([path], builtin=False)
    assert list(rules) == []
    (problem,) = rules.problems
    return problem


def test_a_directory_is_read_recursively_in_order(tmp_path):
    (tmp_path / "deep").mkdir()
    write(tmp_path / "deep" / "b.toml", rule_id="b")
    write(tmp_path / "a.toml", rule_id="a")
    (tmp_path / "readme.md").write_text("no rule")
    assert [rule.rule_id for rule in load([tmp_path], builtin=False)] == ["a", "b"]


def test_a_rule_with_the_id_of_a_built_in_one_replaces_it(tmp_path):
    own = write(tmp_path / "own.toml", rule_id="393ef120-63d1-11ef-8e38-f661ea17fbce")
    rules = load([own])
    assert rules.get("393ef120-63d1-11ef-8e38-f661ea17fbce").path == own
    assert rules.problems == []


def test_of_two_files_with_one_id_the_first_stands(tmp_path):
    first, second = write(tmp_path / "a.toml"), write(tmp_path / "b.toml")
    rules = load([first, second], builtin=False)
    assert rules.get("r-1").path == first
    assert "the same rule_id" in str(rules.problems[0])


def test_one_bad_file_stops_that_one_only(tmp_path):
    write(tmp_path / "bad.toml", query="from logs-* | wher x", rule_id="bad")
    write(tmp_path / "good.toml")
    rules = load([tmp_path], builtin=False)
    assert [rule.rule_id for rule in rules] == ["r-1"]
    assert [problem.path.name for problem in rules.problems] == ["bad.toml"]


def test_a_mistake_in_the_query_is_placed_in_the_file(tmp_path):
    problem = only_problem(
        write(tmp_path / "r.toml", query='from logs-*\n| where event.acton == "X"')
    )
    assert (problem.line, problem.column) == (9, 9)
    assert "did you mean event.action?" in problem.message


@pytest.mark.parametrize(
    "name, text, line, says",
    [
        ("not toml", "[rule\n", 1, "no TOML"),
        ("no rule", "[metadata]\nx = 1\n", 1, "no [rule] table"),
        ("a hunt", "[hunt]\nname = 'x'\n", 1, "hunt"),
        ("no id", "[rule]\nname = 'x'\ntype = 'esql'\n", 1, "rule_id"),
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
def test_what_is_wrong_with_a_file_is_said_with_its_line(tmp_path, name, text, line, says):
    path = tmp_path / "r.toml"
    path.write_text(text)
    problem = only_problem(path)
    assert problem.line == line
    assert says in problem.message
    assert "\n" not in str(problem)


def test_a_missing_file_is_a_problem_too(tmp_path):
    assert "cannot be read" in only_problem(tmp_path / "none.toml").message


def fingerprint(tmp_path, **changed):
    return load([write(tmp_path / "r.toml", **changed)], builtin=False).get("r-1").fingerprint


def test_the_fingerprint_follows_what_the_rule_finds_not_its_words(tmp_path):
    before = fingerprint(tmp_path)
    assert fingerprint(tmp_path, query=GOOD.replace("| stats", "// why\n|   STATS")) == before
    assert fingerprint(tmp_path, query=GOOD.replace("> 2", "> 3")) != before
    path = write(tmp_path / "r.toml")
    path.write_text(path.read_text().replace("A rule", "Another name"))
    assert load([path], builtin=False).get("r-1").fingerprint == before
