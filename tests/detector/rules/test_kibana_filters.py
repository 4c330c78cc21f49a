"""The filters beside a query and exception items: an oracle over plain values, and refusals."""

from __future__ import annotations

import contextlib
import random
import re
from collections.abc import Callable
from typing import Any

import pytest

from detector.ecs.fields import field_table
from detector.esql.errors import EsqlError
from detector.rules.kibana.exceptions import build_exceptions
from detector.rules.kibana.export import Export
from detector.rules.kibana.filters import build_filters
from detector.rules.rule_file import Metadata, RuleError
from detector.rules.side_conditions import side_conditions
from tests.detector.esql.conftest import condition_holds, record
from tests.detector.esql.test_lucene import NAMES, Values, event_of, random_values

Json = dict[str, Any]
Test = Callable[[list[str]], bool]
HOUR_LATER = "2026-01-01T01:00:00Z"


def passes(filters: list[Json], event: Any) -> bool:
    return all(condition_holds(condition, event) for condition in build_filters(filters))


def ascii_upper(text: str) -> str:
    """Fold the letters that Elasticsearch folds where a clause ignores case."""
    return re.sub("[a-z]", lambda match: match[0].upper(), text)


def random_test(rng: random.Random) -> tuple[Callable[[str], Json], Test]:
    """Make a clause on a field, and the same in plain Python on the field's values."""
    name, other = rng.choice(NAMES), rng.choice(NAMES)
    folded = ascii_upper(name)
    start = re.sub(r"([\\*?])", r"\\\1", name[:2])
    low, high = sorted([name, other])
    choices: list[tuple[Callable[[str], Json], Test]] = [
        (lambda field: {"match_phrase": {field: name}}, lambda held: name in held),
        (lambda field: {"match_phrase": {field: {"query": name}}}, lambda held: name in held),
        (
            lambda field: {"match": {field: {"query": name, "type": "phrase"}}},
            lambda held: name in held,
        ),
        (lambda field: {"term": {field: {"value": name}}}, lambda held: name in held),
        (
            lambda field: {"term": {field: {"value": folded, "case_insensitive": True}}},
            lambda held: any(ascii_upper(each) == folded for each in held),
        ),
        (
            lambda field: {"terms": {field: [name, other], "boost": 2}},
            lambda held: name in held or other in held,
        ),
        (lambda field: {"exists": {"field": field}}, bool),
        (
            lambda field: {"prefix": {field: {"value": name[:2]}}},
            lambda held: any(each.startswith(name[:2]) for each in held),
        ),
        (
            lambda field: {"wildcard": {field: {"value": f"{start}*"}}},
            lambda held: any(each.startswith(name[:2]) for each in held),
        ),
        (
            lambda field: {
                "wildcard": {field: {"value": f"{ascii_upper(start)}*", "case_insensitive": True}}
            },
            lambda held: any(ascii_upper(each[:2]) == ascii_upper(name[:2]) for each in held),
        ),
        (
            lambda field: {"regexp": {field: {"value": "[a-z]+.[A-Z]?.*", "flags": "ALL"}}},
            lambda held: any(re.fullmatch("[a-z]+.[A-Z]?.*", each) for each in held),
        ),
        (
            lambda field: {"range": {field: {"gte": low, "lt": high}}},
            lambda held: any(low <= each < high for each in held),
        ),
    ]
    return rng.choice(choices)


def random_clause(rng: random.Random, values: Values, depth: int) -> tuple[Json, bool]:
    if depth and rng.random() < 0.5:
        return random_bool(rng, values, depth - 1)
    field = rng.choice(sorted(values))
    write, test = random_test(rng)
    return write(field), test(values[field])


def random_bool(rng: random.Random, values: Values, depth: int) -> tuple[Json, bool]:
    """Make a bool clause; by Elasticsearch's documentation of the query."""
    parts = {
        name: [random_clause(rng, values, depth) for _ in range(rng.randint(0, 2))]
        for name in ("must", "filter", "should", "must_not")
    }
    results = {name: [result for _, result in clauses] for name, clauses in parts.items()}
    needed = rng.choice([None, None, 1]) if parts["should"] else None
    clause: Json = {name: [each for each, _ in clauses] for name, clauses in parts.items()}
    if needed is not None:
        clause["minimum_should_match"] = needed
    is_true = all(results["must"] + results["filter"]) and not any(results["must_not"])
    if parts["should"] and (needed == 1 or not (parts["must"] or parts["filter"])):
        is_true = is_true and any(results["should"])
    return {"bool": clause}, is_true


@pytest.mark.parametrize("seed", range(30))
def test_filters_match_oracle(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(20):
        values = random_values(rng)
        filters, expected = [], True
        for _ in range(rng.randint(0, 3)):
            clause, result = random_clause(rng, values, 2)
            negated, disabled = rng.random() < 0.4, rng.random() < 0.2
            filters.append({"meta": {"negate": negated, "disabled": disabled}, "query": clause})
            expected = expected and (disabled or result is not negated)
        assert passes(filters, event_of(values)) is expected, (filters, values)


def test_combined_filters_and_older_forms() -> None:
    ana = {"meta": {}, "query": {"match_phrase": {"user.name": "ana"}}}
    bob = {"meta": {}, "query": {"match_phrase": {"user.name": "bob"}}}
    either = {"meta": {"type": "combined", "relation": "OR", "params": [bob, ana]}, "query": {}}
    both = {"meta": {"type": "combined", "relation": "AND", "params": [bob, ana]}, "query": {}}
    older = {"exists": {"field": "user.name"}, "meta": {"negate": True, "type": "exists"}}
    event = record()

    assert passes([either], event)
    assert not passes([both], event)
    assert not passes([older], event)
    assert passes([older], record(userIdentity={"type": "AWSService"}))


@pytest.mark.parametrize(
    ("clause", "expected"),
    [
        ({"range": {"@timestamp": {"gte": "2026-01-01", "lte": "2026-01-01"}}}, True),
        ({"range": {"@timestamp": {"gt": "2026-01-01"}}}, False),
        ({"term": {"source.ip": "203.0.113.0/24"}}, True),
        ({"match_phrase": {"source.as.number": 5}}, False),
        ({"query_string": {"query": "user.name:a*", "analyze_wildcard": True}}, True),
        ({"match_all": {}}, True),
        ({"match_none": {}}, False),
    ],
)
def test_clause_of_typed_field(clause: Json, expected: bool) -> None:
    assert passes([{"meta": {}, "query": clause}], record()) is expected


@pytest.mark.parametrize(
    ("clause", "message"),
    [
        ({"script": {"script": "1"}}, "the query clause script is not supported"),
        ({"nested": {"path": "x", "query": {}}}, "nested is not supported"),
        ({"match": {"user.name": {"query": "a", "fuzziness": "AUTO"}}}, "fuzziness"),
        ({"match": {"user.name": {"query": "a", "type": "best_fields"}}}, "best_fields"),
        ({"match_phrase": {"user.name": {"query": "a", "slop": 1}}}, "slop"),
        ({"match_phrase": {"user.name": ["a"]}}, "a text or a number is expected, not list"),
        ({"match_phrase": {"user.*": "a"}}, "in the name of a field"),
        ({"match_phrase": {"user_agent.original.text": "a"}}, "text cut into words"),
        ({"range": {"@timestamp": {"gte": "now-7d"}}}, "is of type date, and now-7d is none"),
        ({"range": {"@timestamp": {"gte": "1", "format": "epoch_millis"}}}, "format"),
        ({"regexp": {"user.name": {"value": "a", "flags": "NONE"}}}, "the flags NONE"),
        ({"query_string": {"query": "a:b", "default_operator": "AND"}}, "default_operator"),
        ({"bool": {"should": [{"match_all": {}}] * 3, "minimum_should_match": 2}}, "match 2"),
        ({"term": {"usr.name": "a"}}, "did you mean user.name?"),
        ({"a": 1, "b": 2}, "must have one name"),
        ({}, "a filter without a query"),
    ],
)
def test_clause_that_is_not_exact_is_refused(clause: Json, message: str) -> None:
    rule = Metadata(rule_id="r", name="r", type="query", filters=[{"query": clause}])
    with pytest.raises(RuleError) as refusal:
        side_conditions(rule, field_table(), Export())
    assert refusal.value.message.startswith("filters: ")
    assert message in refusal.value.message


# exceptions

REFERENCE = {"list_id": "l", "namespace_type": "single", "type": "detection"}


def is_excepted(items: list[list[Json]], event: Any, **item: Any) -> bool:
    export = Export(lists={("l", "single"): [{"entries": entries, **item} for entries in items]})
    conditions = build_exceptions([REFERENCE], export)
    return not all(condition_holds(condition, event) for condition in conditions)


def random_entry(rng: random.Random, values: Values) -> tuple[Json, bool]:
    field = rng.choice(sorted(values))
    held, name, other = values[field], rng.choice(NAMES), rng.choice(NAMES)
    match rng.randrange(4):
        case 0:
            entry, result = {"type": "match", "value": name}, name in held
        case 1:
            values_of_entry = [name, other]
            entry = {"type": "match_any", "value": values_of_entry}
            result = not set(values_of_entry).isdisjoint(held)
        case 2:
            entry, result = {"type": "exists"}, bool(held)
        case _:
            entry = {"type": "wildcard", "value": f"*{name[-1]}"}
            result = any(each.endswith(name[-1]) for each in held)
    operator = rng.choice(["included", "included", "excluded"])
    return {"field": field, "operator": operator, **entry}, result is (operator == "included")


@pytest.mark.parametrize("seed", range(20))
def test_exceptions_match_oracle(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(20):
        values = random_values(rng)
        items, expected = [], False
        for _ in range(rng.randint(0, 3)):
            entries = [random_entry(rng, values) for _ in range(rng.randint(1, 3))]
            items.append([entry for entry, _ in entries])
            expected = expected or all(result for _, result in entries)
        assert is_excepted(items, event_of(values)) is expected, (items, values)


@pytest.mark.parametrize("seed", range(5))
def test_value_lists_match_oracle(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(20):
        values = random_values(rng)
        field, names = rng.choice(sorted(values)), rng.sample(NAMES, rng.randrange(3))
        operator = rng.choice(["included", "excluded"])
        entry = {
            "field": field,
            "type": "list",
            "operator": operator,
            "list": {"id": "some", "type": "keyword"},
        }
        export = Export(
            lists={("l", "single"): [{"entries": [entry]}]},
            value_lists={"some": [{"value": name} for name in names]},
        )
        (condition,) = build_exceptions([REFERENCE], export)
        is_excepted = not condition_holds(condition, event_of(values))
        assert is_excepted is (set(names).isdisjoint(values[field]) == (operator == "excluded"))


RANGES = ["198.51.100.3-198.51.100.9", "198.51.100.64/28", "198.51.100.200"]


def test_ranges_of_addresses_match_oracle() -> None:
    entry = {"field": "source.ip", "type": "list", "list": {"id": "some", "type": "ip_range"}}
    export = Export(
        lists={("l", "single"): [{"entries": [entry]}]},
        value_lists={"some": [{"value": value} for value in RANGES]},
    )
    (condition,) = build_exceptions([REFERENCE], export)
    for last in range(256):
        event = record(sourceIPAddress=f"198.51.100.{last}")
        in_range = 3 <= last <= 9 or 64 <= last <= 79 or last == 200
        assert condition_holds(condition, event) is not in_range


def test_expired_exception_covers_what_was_before() -> None:
    entry = {"field": "user.name", "type": "match", "operator": "included", "value": "ana"}
    assert is_excepted([[entry]], record(), expire_time=HOUR_LATER)
    assert not is_excepted([[entry]], record(), expire_time="2025-12-31T00:00:00Z")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"field": "source.ip", "type": "list", "list": {"id": "x"}}, "list x, which is not in"),
        ({"field": "source.ip", "type": "list"}, "a value list without an id"),
        (
            {"field": "user.name", "type": "list", "list": {"id": "some", "type": "text"}},
            "of the type text: only keyword, ip, ip_range",
        ),
        (
            {"field": "source.ip", "type": "list", "list": {"id": "some", "type": "ip_range"}},
            "the value list some: ana is no range of addresses",
        ),
        ({"field": "x", "type": "nested", "entries": []}, "nested entries"),
        ({"field": "x", "type": "match", "operator": "near", "value": "a"}, "operator near"),
        ({"field": "host.nme", "type": "exists"}, "no column host.nme"),
        ({"type": "match", "value": "a"}, "names no field"),
        ({"field": "user.name", "type": "match_any", "value": "a"}, "the type match_any"),
    ],
)
def test_exception_that_is_not_exact_is_refused(entry: Json, message: str) -> None:
    items = [{"name": "Backup", "entries": [entry]}]
    rule = Metadata(rule_id="r", name="r", type="query", exceptions_list=[REFERENCE])
    with pytest.raises(RuleError) as refusal:
        export = Export(lists={("l", "single"): items}, value_lists={"some": [{"value": "ana"}]})
        side_conditions(rule, field_table(), export)
    assert message in refusal.value.message
    assert refusal.value.key == "exceptions_list"


@pytest.mark.parametrize("seed", range(4))
def test_no_filter_or_exception_gets_past_the_refusals(seed: int) -> None:
    """Whatever JSON holds becomes conditions or one refusal."""
    rng = random.Random(seed)
    leaves: list[Any] = [None, True, 1, "x", "*", "now-1d", [], {}, {"value": "a"}, "user.name"]
    keys = [
        *["bool", "exists", "match", "match_phrase", "terms", "range", "wildcard", "regexp"],
        *["query_string", "must", "should", "minimum_should_match", "meta", "query", "negate"],
        *["type", "params", "relation", "field", "value", "flags", "operator", "user.name"],
    ]

    def any_json(depth: int) -> Any:
        if depth == 0 or rng.random() < 0.3:
            return rng.choice(leaves)
        if rng.random() < 0.2:
            return [any_json(depth - 1) for _ in range(rng.randrange(3))]
        return {rng.choice(keys): any_json(depth - 1) for _ in range(rng.randrange(1, 3))}

    for _ in range(500):
        item = {"entries": [any_json(3)], "expire_time": any_json(1)}
        for build in (
            lambda: build_filters([any_json(5)]),
            lambda item=item: build_exceptions(
                [REFERENCE], Export(lists={("l", "single"): [item]})
            ),
        ):
            with contextlib.suppress(RuleError, EsqlError):
                build()
