"""Rules as Kibana exports them, with their exceptions and saved queries."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest

from detector.rules.ruleset import RuleSet, load
from tests.detector.rules.rule_scan import RuleScan, raw_record, write_rule

Json = dict[str, Any]

RULE: Json = {
    "id": "5d1c3c3e-0000-4000-8000-000000000000",
    "rule_id": "k-1",
    "name": "Instances described",
    "type": "query",
    "language": "kuery",
    "query": "event.action: DescribeInstances",
    "severity": "high",
    "risk_score": 73,
    "enabled": False,
    "index": ["logs-aws.cloudtrail-*"],
    "from": "now-6m",
    "threat": [
        {
            "framework": "MITRE ATT&CK",
            "tactic": {"id": "TA0007", "name": "Discovery", "reference": ""},
            "technique": [],
        }
    ],
    "timeline_id": None,
    "building_block_type": None,
    "exceptions_list": [],
}
LIST: Json = {
    "list_id": "l-1",
    "name": "Ours",
    "type": "rule_default",
    "namespace_type": "single",
    "_version": "WzA=",
}
ITEM: Json = {
    "list_id": "l-1",
    "item_id": "i-1",
    "name": "Ana may",
    "type": "simple",
    "namespace_type": "single",
    "entries": [{"field": "user.name", "type": "match", "operator": "included", "value": "ana"}],
}
REFERENCES = [{"id": "x", "list_id": "l-1", "type": "rule_default", "namespace_type": "single"}]
SUMMARY: Json = {"exported_count": 1, "exported_rules_count": 1, "missing_rules": []}


def write_lines(path: Path, documents: Iterable[Json]) -> Path:
    path.write_bytes(b"\n".join(map(orjson.dumps, documents)) + b"\n")
    return path


def load_only(*paths: Path) -> RuleSet:
    return load(paths, builtin=False)


def test_export_runs_as_the_same_rule_in_toml(tmp_path: Path) -> None:
    rules = load_only(write_lines(tmp_path / "rules.ndjson", [RULE, SUMMARY]))
    assert rules.problems == []
    rule = rules.get("k-1")
    assert rule is not None
    assert (rule.name, rule.severity, rule.risk_score) == ("Instances described", "high", 73)
    assert [threat.tactic.name for threat in rule.threat] == ["Discovery"]

    toml = write_rule(tmp_path / "toml", RULE["query"], type="query")
    toml.write_text(toml.read_text().replace('"r-1"', '"k-1"'))
    same = load_only(toml).get("k-1")
    assert same is not None
    assert same.fingerprint == rule.fingerprint


def test_threshold_suppression_and_new_terms_as_in_toml(tmp_path: Path) -> None:
    threshold = {
        "field": ["user.name"],
        "value": 3,
        "cardinality": [{"field": "cloud.region", "value": 2}],
    }
    suppression = {
        "group_by": ["user.name"],
        "duration": {"value": 5, "unit": "m"},
        "missing_fields_strategy": "suppress",
    }
    rules = load_only(
        write_lines(
            tmp_path / "rules.ndjson",
            [
                {**RULE, "rule_id": "t", "type": "threshold", "threshold": threshold},
                {**RULE, "rule_id": "s", "alert_suppression": suppression},
                {
                    **RULE,
                    "rule_id": "n",
                    "type": "new_terms",
                    "new_terms_fields": ["user.name"],
                    "history_window_start": "now-7d",
                },
            ],
        )
    )
    assert rules.problems == []
    assert {rule.rule_id: (rule.query.shape, rule.window) for rule in rules} == {
        "t": ("lookback", 360),
        "s": ("filter", 300),
        "n": ("terms", 604_800),
    }


def alerts_by_user(tmp_path: Path, path: Path) -> set[Any]:
    users = ["ana", "bob"]
    records = [
        raw_record(second, userIdentity={"type": "IAMUser", "userName": user, "arn": user})
        for second, user in enumerate(users)
    ]
    alerts = RuleScan(tmp_path, path).add_file(*records).alerts()
    return {alert.columns["user.name"] for alert in alerts}


def test_exceptions_of_the_export_hold(tmp_path: Path) -> None:
    rule = {**RULE, "exceptions_list": REFERENCES}
    path = write_lines(tmp_path / "rules.ndjson", [rule, LIST, ITEM, SUMMARY])
    assert alerts_by_user(tmp_path, path) == {"bob"}

    without = write_lines(tmp_path / "all.ndjson", [RULE])
    assert alerts_by_user(tmp_path, without) == {"ana", "bob"}


def test_exceptions_lower_the_counts_of_esql(tmp_path: Path) -> None:
    query = "from logs-aws.cloudtrail-* | stats n = count(*), user.name = values(user.name)"
    rule = {**RULE, "type": "esql", "language": "esql", "query": query, "index": []}
    path = tmp_path / "rules.ndjson"
    write_lines(path, [{**rule, "exceptions_list": REFERENCES}, LIST, ITEM])
    records = [
        raw_record(second, userIdentity={"type": "IAMUser", "userName": user, "arn": user})
        for second, user in enumerate(["ana", "bob"])
    ]
    (alert,) = RuleScan(tmp_path, path).add_file(*records).alerts()
    assert (alert.columns["n"], alert.columns["user.name"]) == (1, ["bob"])


def test_list_may_lie_in_another_file(tmp_path: Path) -> None:
    rule = write_lines(tmp_path / "a.ndjson", [{**RULE, "exceptions_list": REFERENCES}])
    write_lines(tmp_path / "b.ndjson", [LIST, ITEM])
    (problem,) = load_only(rule).problems
    assert "the exception list l-1 is not in the files" in problem.message
    assert load_only(tmp_path).problems == []


VALUES: list[Json] = [{"list_id": "people", "type": "keyword", "value": "ana"}]


def test_value_list_comes_from_an_answer_of_the_api(tmp_path: Path) -> None:
    by_list = {"field": "user.name", "type": "list", "operator": "included"}
    entry = {**by_list, "list": {"id": "people", "type": "keyword"}}
    rule = {**RULE, "exceptions_list": REFERENCES}
    path = write_lines(tmp_path / "rules.ndjson", [rule, LIST, {**ITEM, "entries": [entry]}])
    (problem,) = load_only(path).problems
    assert "user.name is in the value list people, which is not in the files" in problem.message

    answer = tmp_path / "people.json"
    answer.write_bytes(orjson.dumps({"cursor": "", "data": VALUES, "page": 1, "total": 1}))
    assert alerts_by_user(tmp_path, tmp_path) == {"bob"}
    (notice,) = load_only(answer).notices
    assert "0 exception lists, 1 value list and 0 saved queries" in notice.notice.sentence

    answer.write_bytes(orjson.dumps({"data": VALUES, "page": 1, "total": 2}))
    first, _ = load_only(answer, path).problems
    assert "the value list is not whole: 1 of 2 values" in first.message


def test_saved_query_is_looked_up(tmp_path: Path) -> None:
    rule = {**RULE, "type": "saved_query", "saved_id": "q-1", "query": ""}
    saved = {
        "id": "q-1",
        "type": "query",
        "attributes": {
            "title": "Bob",
            "query": {"query": "event.action:Describe*", "language": "lucene"},
            "filters": [{"meta": {}, "query": {"match_phrase": {"user.name": "bob"}}}],
        },
    }
    alone = write_lines(tmp_path / "alone.ndjson", [rule])
    (problem,) = load_only(alone).problems
    assert "the saved query q-1 lies in Kibana" in problem.message

    summary = {"exportedCount": 1, "missingRefCount": 0, "missingReferences": []}
    both = write_lines(tmp_path / "both.ndjson", [rule, saved, summary])
    assert alerts_by_user(tmp_path, both) == {"bob"}


def test_saved_query_of_another_place_falls_back_to_the_own_text(tmp_path: Path) -> None:
    rule = {**RULE, "type": "saved_query", "saved_id": "q-1", "query": "user.name: ana"}
    assert alerts_by_user(tmp_path, write_lines(tmp_path / "r.ndjson", [rule])) == {"ana"}


@pytest.mark.parametrize(
    "document",
    [
        RULE,
        [RULE],
        {"page": 1, "total": 1, "data": [RULE]},
        {"type": "security-rule", "id": "x", "attributes": RULE},
    ],
)
def test_forms_of_json(tmp_path: Path, document: Any) -> None:
    path = tmp_path / "rule.json"
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    rules = load_only(path)
    assert rules.problems == []
    assert [rule.rule_id for rule in rules] == ["k-1"]


def test_filters_of_a_toml_rule_hold(tmp_path: Path) -> None:
    more = """
[[rule.filters]]
[rule.filters.meta]
negate = true
[rule.filters.query.wildcard."user.name"]
case_insensitive = true
value = "A?a"
"""
    path = write_rule(tmp_path / "r", "event.action: DescribeInstances", type="query", more=more)
    assert alerts_by_user(tmp_path, path) == {"bob"}


def test_empty_query_with_filters_takes_what_they_let_through(tmp_path: Path) -> None:
    filters = [{"meta": {}, "query": {"match_phrase": {"user.name": "bob"}}}]
    path = write_lines(tmp_path / "r.ndjson", [{**RULE, "query": "", "filters": filters}])
    assert alerts_by_user(tmp_path, path) == {"bob"}


@pytest.mark.parametrize(
    ("lines", "line", "message"),
    [
        (b'{"rule_id": "x"\n', 1, "no JSON"),
        (orjson.dumps(RULE) + b"\n[1]\n", 2, "an object of JSON is missing"),
        (orjson.dumps({"a": 1}), 1, "neither a rule nor an object that Kibana exports"),
        (
            orjson.dumps(RULE) + b"\n" + orjson.dumps({**SUMMARY, "exported_rules_count": 2}),
            1,
            "the export is not whole: it names 2 rules and has 1",
        ),
        (
            orjson.dumps({"type": "alert", "id": "x", "attributes": {}}),
            1,
            "export it on the page of its rules",
        ),
        (orjson.dumps({**RULE, "risk_score": "high"}), 1, "risk_score: expected `int`"),
        (
            orjson.dumps({**RULE, "query": "event.action: a\nand usr.name: b"}),
            1,
            "Instances described: line 2, column 5 of its query: no column usr.name",
        ),
        (
            orjson.dumps({**RULE, "type": "esql", "language": "esql", "filters": [{}]}),
            1,
            "beside a query in ES|QL",
        ),
    ],
)
def test_problem_of_an_export_has_line_and_reason(
    tmp_path: Path, lines: bytes, line: int, message: str
) -> None:
    path = tmp_path / "r.ndjson"
    path.write_bytes(lines)
    (problem,) = load_only(path).problems
    assert problem.line == line
    assert message in problem.message


def test_one_bad_rule_does_not_stop_the_others(tmp_path: Path) -> None:
    bad = {**RULE, "rule_id": "k-2", "query": "usr.name: a"}
    rules = load_only(write_lines(tmp_path / "r.ndjson", [bad, RULE]))
    assert [rule.rule_id for rule in rules] == ["k-1"]
    assert len(rules.problems) == 1


@pytest.mark.parametrize("depth", [500, 100_000])
def test_deep_json_is_refused(tmp_path: Path, depth: int) -> None:
    clause = '{"bool":{"must":' * depth + '{"match_all":{}}' + "}}" * depth
    rule = orjson.dumps({**RULE, "filters": []}).decode()
    text = rule.replace('"filters":[]', f'"filters":[{{"meta":{{}},"query":{clause}}}]')
    path = tmp_path / "r.ndjson"
    path.write_text(text)
    (problem,) = load_only(path).problems
    assert "nested too deeply" in problem.message or "no JSON" in problem.message
