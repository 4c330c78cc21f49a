"""Rules in EQL: event queries, and sequences by any way of delivery."""

from __future__ import annotations

import itertools
import random

import pytest

from detector.rules.ruleset import load
from tests.detector.detection.test_sequences import Found, complete_spans
from tests.detector.rules.rule_scan import RuleScan, raw_record, write_rule

SEQUENCE = """sequence by user.name with maxspan=30s
  [any where event.action == "ListUsers"]
  [any where event.action : ("Create*", "Delete*")] with runs=2
  [iam where event.action == "CreateUser" or event.action == "AttachUserPolicy"]
until [any where event.action == "Stop"]"""
NAMES = ("ListUsers", "CreateUser", "DeleteUser", "AttachUserPolicy", "Stop", "DescribeInstances")
WEIGHTS = (6, 4, 6, 4, 1, 2)
STEPS = {
    "ListUsers": {0},
    "CreateUser": {1, 2},
    "DeleteUser": {1},
    "AttachUserPolicy": {2},
    "Stop": {3},
}
ORDER, UNTIL, WIDTH = (0, 1, 1, 2), 3, 31


def named(second, name, **changed):
    return raw_record(
        second,
        eventName=name,
        eventSource="iam.amazonaws.com",
        eventID=f"{name}-{second}-{changed.get('n', 0)}",
        **{key: value for key, value in changed.items() if key != "n"},
    )


def test_event_query_gives_one_alert_for_each_event(tmp_path):
    query = 'any where event.action : "attach*" and not aws.cloudtrail.error_code : "access*"'
    path = write_rule(tmp_path / "rules", query, type="eql")
    records = [
        named(0, "AttachUserPolicy"),
        named(1, "AttachRolePolicy", errorCode="AccessDenied"),
        named(2, "AttachRolePolicy", errorCode="Throttled"),
        named(3, "ListUsers"),
    ]
    alerts = RuleScan(tmp_path, path).add_file(*records).alerts()
    assert sorted(alert.event_ids[0] for alert in alerts) == [
        "AttachRolePolicy-2-0",
        "AttachUserPolicy-0-0",
    ]
    assert all(alert.window is None for alert in alerts)


@pytest.mark.parametrize(
    "override, category, count",
    [("", "iam", 1), ("", "any", 2), ("", "info", 0), ("event.type", "info", 1)],
)
def test_category_is_of_the_field_that_the_rule_names(tmp_path, override, category, count):
    more = f'event_category_override = "{override}"' if override else ""
    path = write_rule(tmp_path / "rules", f"{category} where true", type="eql", more=more)
    scan = RuleScan(tmp_path, path).add_file(named(0, "CreateUser"), named(1, "UnknownCall"))
    assert len(scan.alerts()) == count


def test_suppression_merges_events_of_one_key(tmp_path):
    more = '[rule.alert_suppression]\ngroup_by = ["user.name"]\nduration = {value = 1, unit = "m"}'
    path = write_rule(tmp_path / "rules", "any where true", type="eql", more=more)
    scan = RuleScan(tmp_path, path).add_file(*[named(second, "x") for second in (0, 59, 60)])
    assert scan.alert_spans() == [(0, 59), (60, 60)]


def test_sequence_alert_names_its_events_and_what_they_share(tmp_path):
    path = write_rule(tmp_path / "rules", SEQUENCE, type="eql")
    records = [
        named(0, "ListUsers"),
        named(3, "DescribeInstances"),
        named(5, "DeleteUser", awsRegion="eu-west-1"),
        named(30, "CreateUser"),
        named(30, "AttachUserPolicy"),
    ]
    (alert,) = RuleScan(tmp_path, path).add_file(*records).alerts()
    assert alert.key == {"user.name": "ana"}
    assert alert.event_ids == [
        "AttachUserPolicy-30-0",
        "CreateUser-30-0",
        "DeleteUser-5-0",
        "ListUsers-0-0",
    ]
    assert alert.window is not None and alert.window.end - alert.window.start == 31
    assert alert.columns["event.provider"] == "iam.amazonaws.com"
    assert "event.action" not in alert.columns and "cloud.region" not in alert.columns


def test_sequence_without_maxspan_lasts_as_long_as_the_rule_looks_back(tmp_path):
    query = 'sequence [any where event.action == "A"] [any where event.action == "B"]'
    path = write_rule(tmp_path / "rules", query, type="eql", lookback="now-60s")
    scan = RuleScan(tmp_path, path)
    scan.add_file(named(0, "A"), named(59, "B"), named(200, "A"), named(260, "B"))
    assert scan.alert_spans() == [(0, 59)]


SAMPLE = """sample by user.name
  [any where event.action == "ListUsers"]
  [any where event.action : ("Create*", "Delete*")]
  [any where event.action : "*User"]"""


@pytest.mark.parametrize("seed", range(4))
def test_samples_are_the_same_by_any_delivery(tmp_path, seed):
    path = write_rule(tmp_path / "rules", SAMPLE, type="eql", lookback="now-10s")
    rng = random.Random(seed)
    drawn = [(rng.randrange(150), *rng.choices(NAMES, WEIGHTS)) for _ in range(30)]
    kinds = {"ListUsers": {0}, "CreateUser": {1, 2}, "DeleteUser": {1, 2}}
    events = [(at, kinds[name]) for at, name in drawn if name in kinds]
    spans = set()
    for chosen in itertools.permutations(events, 3):
        if all(step in steps for step, (_, steps) in enumerate(chosen)):
            first, last = min(chosen)[0], max(chosen)[0]
            spans |= {(first, last)} if last - first < 10 else set()
    records = [named(at, name, n=index) for index, (at, name) in enumerate(drawn)]
    rng.shuffle(records)
    scan = RuleScan(tmp_path, path)
    for index in range(0, len(records), 3):
        scan.add_file(*records[index : index + 3], rng.choice(records))
    assert scan.alert_spans() == joined(latest_starts(spans))


def test_later_event_that_ends_a_sequence_withdraws_its_alert(tmp_path):
    path = write_rule(tmp_path / "rules", SEQUENCE, type="eql")
    records = [named(at, n) for at, n in [(0, "ListUsers"), (5, "DeleteUser"), (6, "DeleteUser")]]
    scan = RuleScan(tmp_path, path).add_file(*records, named(9, "AttachUserPolicy"))
    assert scan.alert_spans() == [(0, 9)]
    assert scan.add_file(named(7, "Stop")).alert_spans() == []


MISSING = """sequence by user.name with maxspan=30s
  [any where event.action == "ListUsers"]
  ![any where event.action : "Delete*"]
  [any where event.action == "CreateUser"]"""


def test_event_that_must_be_missing_withdraws_an_alert_when_it_comes(tmp_path):
    path = write_rule(tmp_path / "rules", MISSING, type="eql")
    scan = RuleScan(tmp_path, path).add_file(
        named(0, "ListUsers"),
        named(5, "CreateUser"),
        named(5, "DeleteUser"),  # of the same second: it may have come later
        named(60, "ListUsers"),
        named(90, "CreateUser"),
        named(91, "CreateUser"),  # a second too late
    )
    assert [sorted(alert.event_ids) for alert in scan.alerts()] == [
        ["CreateUser-5-0", "ListUsers-0-0"],
        ["CreateUser-90-0", "ListUsers-60-0"],
    ]
    scan.add_file(named(70, "DeleteUser"), named(3, "DeleteUser", userIdentity=None))
    assert scan.alert_spans() == [(0, 5)]


def expected_spans(records):
    """The spans of one user by plain Python; those that overlap are one."""
    events = [Found(at, frozenset(STEPS[name])) for at, name in records if name in STEPS]
    return joined(complete_spans(events, ORDER, UNTIL, WIDTH, False))


def latest_starts(spans):
    """Of each last second the latest first one, in order."""
    return sorted(
        [(max(first for first, end in spans if end == last), last) for _, last in spans],
        key=lambda span: span[1],
    )


def joined(spans):
    """Join spans that overlap."""
    result: list[tuple[int, int]] = []
    for first, last in spans:
        while result and first <= result[-1][1]:
            first = min(first, result.pop()[0])
        result.append((first, last))
    return result


@pytest.mark.parametrize("seed", range(12))
def test_sequences_match_oracle_by_any_delivery(tmp_path, seed):
    path = write_rule(tmp_path / "rules", SEQUENCE, type="eql")
    rng = random.Random(seed)
    drawn = [(rng.randrange(150), *rng.choices(NAMES, WEIGHTS)) for _ in range(40)]
    records = [named(at, name, n=index) for index, (at, name) in enumerate(drawn)]
    at_once = RuleScan(tmp_path, path).add_file(*records)
    expected = expected_spans(drawn)
    assert expected, "a draw that shows nothing"
    assert at_once.alert_spans() == expected
    rng.shuffle(records)
    in_parts = RuleScan(tmp_path, path)
    for index in range(0, len(records), 3):
        in_parts.add_file(*records[index : index + 3], rng.choice(records))
    assert [(a.alert_id, a.event_ids, a.columns) for a in in_parts.alerts()] == [
        (a.alert_id, a.event_ids, a.columns) for a in at_once.alerts()
    ]


@pytest.mark.parametrize(
    "query, more, message",
    [
        ("any where true", 'event_category_override = "event.kin"', "no field event.kin"),
        ("any where true", 'timestamp_field = "process.start"', "timestamp_field: process.start"),
        (
            "sequence [any where true] [any where true]",
            '[rule.alert_suppression]\ngroup_by = ["user.name"]',
            "alert_suppression of a sequence is not supported",
        ),
        ("sequence with maxspan=900d [any where true] [any where true]", "", "over 365 days"),
    ],
)
def test_rule_that_cannot_run_is_refused(tmp_path, query, more, message):
    path = write_rule(tmp_path / "rules", query, type="eql", more=more)
    (problem,) = load([path], builtin=False).problems
    assert message in problem.message


def test_rule_says_how_far_its_events_are_apart(tmp_path):
    (rule,) = load([write_rule(tmp_path, SEQUENCE, type="eql")], builtin=False)
    assert rule.meaning == "events of one user.name for the steps of its sequence within 30 s"
