"""Detections against the oracle: every modifier, list, wildcard, absent field and letter case."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from sigma.correlations import SigmaCorrelationType
from sigma.modifiers import modifier_mapping

from detector.ecs.fields import field_table
from detector.rules.rule import CompileContext, Rule
from detector.rules.sigma_rules import read_sigma_files
from detector.sigma.correlation import TYPES
from detector.sigma.modifiers import MODIFIERS
from tests.detector.head_check import rows_of
from tests.detector.sigma import oracle

CONTEXT = CompileContext(field_table())
PATH = Path("rule.yml")
SOURCE = {"product": "aws", "service": "cloudtrail"}


def rule_text(detection: Any) -> str:
    return yaml.safe_dump(
        {"title": "A rule", "logsource": SOURCE, "detection": detection},
        allow_unicode=True,
        sort_keys=False,
    )


def read_rule(text: str) -> Rule:
    ((_, rule),) = read_sigma_files({PATH: text}, CONTEXT)
    assert isinstance(rule, Rule), rule
    return rule


def finds(rule: Rule, record: dict[str, Any]) -> bool:
    """Whether a rule finds a record."""
    return bool(rows_of(rule.query, json.dumps({"eventID": "e-1", **record}).encode()))


# --- generated rules over generated records

WORDS = ["ab", "aB-c", "b/a", "-a b", "10.0.0.7", "5", "7.5", "true", "É", "é", "\u212a", ""]
words = st.sampled_from(WORDS)
patterns = st.one_of(
    words,
    st.lists(st.sampled_from(["a", "B", "*", "?", "\\", "\\*", "\\?", "-", "é"]), max_size=5).map(
        "".join
    ),
)
FIELDS = [
    "eventName",
    "eventSource",
    "errorCode",
    "errorMessage",
    "userIdentity.arn",
    "userIdentity.type",
    "requestParameters",
    "requestParameters.a",
    "requestParameters.a.b",
    "requestParameters.items",
    "responseElements.c",
    "readOnly",
]
fields = st.sampled_from(FIELDS)
numbers = st.sampled_from([5, 7.5, 0, -1, 3.0])
scalars = st.one_of(words, numbers, st.booleans(), st.none())
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["a", "b", "a.b"]), inner)
    ),
    max_leaves=4,
)


def without_absent(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if value != "absent"}


maybe_words = st.one_of(st.just("absent"), words)
records = st.fixed_dictionaries(
    {
        "eventName": st.one_of(st.just("absent"), words, st.sampled_from(["AB", "Ab-C", "B/A"])),
        "eventSource": maybe_words,
        "errorCode": st.one_of(st.none(), maybe_words),
        "errorMessage": st.one_of(st.none(), maybe_words, st.just(5)),
        "eventTime": st.sampled_from(["2026-03-01T10:00:00Z", "2024-12-31T23:59:59Z"]),
        "userIdentity": st.one_of(
            st.just("absent"),
            st.dictionaries(st.just("arn"), words, min_size=1),
            st.dictionaries(st.just("type"), st.one_of(words, st.none(), st.lists(words))),
        ),
        "requestParameters": st.one_of(
            st.just("absent"),
            st.none(),
            st.dictionaries(st.sampled_from(["a", "items", "a.b"]), values, max_size=3),
        ),
        "responseElements": st.one_of(st.none(), st.dictionaries(st.just("c"), values)),
        "readOnly": st.one_of(st.just("absent"), st.booleans()),
    }
).map(without_absent)

of_texts = st.sampled_from(
    ["", "|contains", "|startswith", "|endswith", "|contains|cased", "|cased", "|endswith|cased"]
)
regexes = st.sampled_from(["a", "^a", "b$", "[ab]+", "A.c", "a|É", "^$", "\\d+", "(ab|5)"])


@st.composite
def items(draw: st.DrawFn) -> tuple[str, Any]:
    """One item of a selection: a key with modifiers, and its value."""
    field = draw(fields)
    kind = draw(st.integers(0, 9))
    if kind <= 3:
        modifiers = draw(of_texts)
        everything = draw(st.sampled_from(["", "", "|all"]))
        value = draw(st.lists(patterns, min_size=1 + bool(everything), max_size=3))
        return field + modifiers + everything, value
    if kind in (4, 7):
        field = draw(st.sampled_from(["requestParameters.a", "responseElements.c"]))
    if kind == 4:
        return field, draw(st.one_of(numbers, st.booleans(), st.none()))
    if kind == 5:
        return f"{field}|exists", draw(st.booleans())
    if kind == 6:
        return field + draw(st.sampled_from(["|re", "|re|i", "|re|s"])), draw(regexes)
    if kind == 7:
        operator = draw(st.sampled_from(["gt", "gte", "lt", "lte"]))
        return f"{field}|{operator}", draw(numbers)
    if kind == 8:
        how = draw(st.sampled_from(["", "|startswith", "|endswith", "|contains"]))
        return f"{field}|fieldref{how}", draw(fields)
    return f"{field}|windash|contains", draw(st.sampled_from(["-a", " -a", "a -b", "/a"]))


@st.composite
def selections(draw: st.DrawFn) -> Any:
    kind = draw(st.integers(0, 5))
    if kind <= 2:
        return dict(draw(st.lists(items(), min_size=1, max_size=2)))
    if kind == 3:
        return [dict([item]) for item in draw(st.lists(items(), min_size=1, max_size=3))]
    keywords = draw(st.lists(patterns.filter(bool), min_size=2, max_size=3))
    return keywords if kind == 4 else {"|all": keywords}


conditions = st.sampled_from(
    [
        "s1 and not s2",
        "1 of s*",
        "all of s*",
        "not s1 or s2",
        "not (s1 or s2)",
        "all of them",
        "s1 and (s2 or not s1)",
        "not 1 of s*",
        "any of them",
    ]
)


@given(selections(), selections(), conditions, st.lists(records, min_size=1, max_size=6))
def test_detections_match_oracle(first, second, condition, logged):
    text = rule_text({"s1": first, "s2": second, "condition": condition})
    rule = read_rule(text)
    for record in logged:
        assert finds(rule, record) == oracle.hits(text, record), (text, record)


@pytest.mark.parametrize(
    "condition", ["1 of *", "all of *", "1 of them", "1 of _*", "all of *s*", "s and not _s"]
)
def test_names_with_an_underscore_match_oracle(condition):
    text = rule_text({"s": {"eventName": "A"}, "_s": {"awsRegion": "b"}, "condition": condition})
    rule = read_rule(text)
    for record in ({"eventName": "A"}, {"awsRegion": "b"}, {"eventName": "A", "awsRegion": "b"}):
        assert finds(rule, record) == oracle.hits(text, record), record


@given(items(), records)
def test_one_item_matches_oracle(item, record):
    text = rule_text({"s": dict([item]), "condition": "s"})
    assert finds(read_rule(text), record) == oracle.hits(text, record), (text, record)


@given(st.text("aB-\\*?/é ", max_size=7), st.text("aAb-\\*?/É ", max_size=7), of_texts)
def test_texts_match_oracle(value, logged, modifiers):
    """Wildcards and backslashes in any order."""
    text = rule_text({"s": {f"errorMessage{modifiers}": value}, "condition": "s"})
    record = {"errorMessage": logged}
    assert finds(read_rule(text), record) == oracle.hits(text, record), (value, logged)


@pytest.mark.parametrize(
    "modifiers",
    [
        "base64",
        "base64offset|contains",
        "wide|base64offset|contains",
        "utf16be|base64",
        "utf16|base64",
    ],
)
@pytest.mark.parametrize("value", ["foo", "http://", "ab"])
def test_encodings_match_oracle(modifiers, value):
    import base64

    text = rule_text({"s": {f"errorMessage|{modifiers}": value}, "condition": "s"})
    rule = read_rule(text)
    for encoding in ("utf-8", "utf-16-le", "utf-16-be", "utf-16"):
        for offset in range(4):
            data = b"x" * offset + value.encode(encoding) + b"y" * (offset % 2)
            record = {"errorMessage": base64.b64encode(data).decode()}
            assert finds(rule, record) == oracle.hits(text, record), record


@pytest.mark.parametrize(
    ("modifier", "value", "hour"),
    [
        ("hour", 10, 10),
        ("hour", 9, 10),
        ("minute", 30, 10),
        ("day", 1, 1),
        ("week", 9, 1),
        ("month", 3, 1),
        ("year", 2026, 1),
        ("year", 2025, 1),
        ("week", 1, 1),
    ],
)
def test_parts_of_dates_match_oracle(modifier, value, hour):
    text = rule_text({"s": {f"eventTime|{modifier}": value}, "condition": "s"})
    for day in (1, 31):
        record = {"eventTime": f"2026-03-{day:02}T{hour:02}:30:00Z"}
        assert finds(read_rule(text), record) == oracle.hits(text, record), record


@pytest.mark.parametrize("network", ["10.0.0.0/8", "10.0.0.7/32", "2001:db8::/32", "0.0.0.0/0"])
def test_networks_match_oracle(network):
    text = rule_text({"s": {"sourceIPAddress|cidr": network}, "condition": "s"})
    for address in ("10.0.0.7", "11.0.0.1", "2001:db8::1", "ec2.amazonaws.com", ""):
        record = {"sourceIPAddress": address}
        assert finds(read_rule(text), record) == oracle.hits(text, record), address


def test_everything_that_pysigma_knows_is_read():
    assert set(modifier_mapping) <= set(MODIFIERS)
    assert {each.name.lower() for each in SigmaCorrelationType} <= set(TYPES)


# --- what pySigma does not say

CASES = {
    "neq is true without the field": ({"errorCode|neq": "x"}, {}, True),
    "neq of one of several": ({"errorCode|neq": ["x", "y"]}, {"errorCode": "Y"}, False),
    "a number by its digits": ({"requestParameters.n": 5}, {"requestParameters": {"n": "5"}}, True),
    "a number with a fraction": (
        {"requestParameters.n": 5},
        {"requestParameters": {"n": 5.0}},
        True,
    ),
    "true as JSON has it": (
        {"requestParameters.n": "true"},
        {"requestParameters": {"n": True}},
        True,
    ),
    "an object is its compact JSON": (
        {"requestParameters|contains": '"a":{"b":[1,2]}'},
        {"requestParameters": {"a": {"b": [1, 2]}}},
        True,
    ),
    "each object of a list": (
        {"requestParameters.l|startswith": '{"k":"v"'},
        {"requestParameters": {"l": [{"k": "w"}, {"k": "v"}]}},
        True,
    ),
    "an unknown field never matches": ({"status": "x"}, {"eventName": "x"}, False),
    "an unknown field is null": ({"status": None}, {"eventName": "x"}, True),
    "exists where the value is null": (
        {"responseElements|exists": True},
        {"responseElements": None},
        True,
    ),
    "the source in another case": (
        {"eventSource": "S3.AmazonAWS.com", "eventName": "PUTobject"},
        {"eventSource": "s3.amazonaws.com", "eventName": "PutObject"},
        True,
    ),
    "an hour or later": ({"eventTime|hour|gte": 22}, {"eventTime": "2026-03-01T23:00:00Z"}, True),
    "hours are those of UTC": (
        {"eventTime|hour": 22},
        {"eventTime": "2026-03-01T23:00:00+01:00"},
        True,
    ),
    "a keyword beside an escape": (["C:\\dir"], {"errorMessage": 'in "C:\\dir"'}, True),
    "a keyword with its quotes": (['"eventName":"X"'], {"eventName": "X"}, True),
    "an expression over lines": ({"errorMessage|re|m": "^b$"}, {"errorMessage": "a\nb\nc"}, True),
    "a dot at a line's end": ({"errorMessage|re": "a.b"}, {"errorMessage": "a\nb"}, False),
    "a dot over lines": ({"errorMessage|re|s": "a.b"}, {"errorMessage": "a\nb"}, True),
    "a name of several parts": (
        {"requestParameters.a.b.c": "x"},
        {"requestParameters": {"a.b": {"c": "x"}}},
        True,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_meaning(case):
    selection, record, expected = CASES[case]
    rule = read_rule(rule_text({"s": selection, "condition": "s"}))
    assert finds(rule, record) is expected


def test_conditions_of_a_list_are_alternatives():
    rule = read_rule(
        rule_text({"a": {"eventName": "x"}, "b": {"eventName": "y"}, "condition": ["a", "b"]})
    )
    assert [finds(rule, {"eventName": name}) for name in "XYz"] == [True, True, False]


def test_placeholders_come_from_the_configuration():
    text = rule_text({"s": {"userIdentity.arn|expand": "arn:%who%/\\%x%ext%"}, "condition": "s"})
    context = CompileContext(
        field_table(), placeholders={"who": ["ana", "b*"], "ext": [".1", ".2"]}
    )
    ((_, rule),) = read_sigma_files({PATH: text}, context)
    assert isinstance(rule, Rule)
    logged = ["arn:ANA/%x.1", "arn:bob/%x.2", "arn:carl/%x.1", "arn:ana/%x.3"]
    found = [finds(rule, {"userIdentity": {"arn": arn}}) for arn in logged]
    assert found == [True, True, False, False]
