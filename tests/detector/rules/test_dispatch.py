"""The rules that are selected for a signature, against each rule asked by itself."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.cloudtrail.record import ORIGIN_FIELDS, Caller, EventSignature, Head
from detector.rules.dispatch import Dispatch, OriginVerdicts
from detector.rules.rule import Rule
from detector.rules.ruleset import load
from detector.text.fold import fold
from tests.detector.rules.rule_scan import write_rule

RULES = [rule for rule in load() if rule.alerts]
CONDITIONS = (
    'event.action == "ListUsers" or user_agent.original like "aws-cli*"',
    '(event.action == "ListUsers" and event.outcome == "success") '
    'or (aws.cloudtrail.user_identity.access_key_id like "AKIA*" '
    'and not event.action == "ListUsers")',
    'event.provider == "ec2.amazonaws.com" or not cloud.region == "eu-west-1"',
    'event.outcome == "failure" or source.ip is not null',
    'user_agent.original like "aws-cli*"',
)
"""Of rules for any call, of which most ask something else of origins for each call."""
CALLERS = st.sampled_from(
    [
        None,
        Caller(),
        Caller(arn="arn:aws:iam::111122223333:user/ana", access_key_id="AKIAEXAMPLE000000001"),
        Caller(arn="arn:aws:sts::111122223333:assumed-role/run/x", access_key_id="ASIAEXAMPLE01"),
        Caller(invoked_by="config.amazonaws.com"),
    ]
)
SIGNATURES = st.builds(
    EventSignature,
    CALLERS,
    st.sampled_from([None, "ec2.amazonaws.com", "sts.amazonaws.com", "s3.amazonaws.com", "EC2"]),
    st.sampled_from(["DescribeInstances", "GetCallerIdentity", "GetBucketAcl", "ListUsers"]),
    st.sampled_from(["eu-west-1", "us-east-1"]),
    st.sampled_from([None, "198.51.100.7", "config.amazonaws.com"]),
    st.sampled_from([None, "aws-cli/2.15.0", "Boto3/1.28", "AWS-CLI/2.15.0"]),
    st.sampled_from([None, "AccessDenied"]),
    st.sampled_from([None, True, False]),
    st.sampled_from([None, "111122223333"]),
    st.sampled_from([None, "Management"]),
)


def wanted(signature: EventSignature, rules: Iterable[Rule]) -> list[Rule]:
    """Return the rules that a signature passes, each asked for itself."""
    head = Head(None, *signature)
    return [
        rule
        for rule in rules
        if any(is_pair(head, pair) for pair in rule.query.required_pairs)
        and rule.query.prefilter.accepts_pair(head)
        and rule.query.prefilter.accepts(head)
    ]


def is_pair(head: Head, pair: tuple[str | None, str | None]) -> bool:
    named = zip((head.event_source, head.event_name), pair, strict=True)
    return all(part is None or (value and fold(value) == fold(part)) for value, part in named)


@pytest.fixture(scope="module")
def rules_for_any_call(tmp_path_factory: pytest.TempPathFactory) -> list[Rule]:
    folder = tmp_path_factory.mktemp("rules")
    for number, condition in enumerate(CONDITIONS):
        query = f"from logs-aws.cloudtrail-* metadata _id, _version, _index | where {condition}"
        path = write_rule(folder, query, name=f"{number}.toml")
        path.write_text(path.read_text().replace('"r-1"', f'"r-{number}"'))
    rules = load([folder], builtin=False)
    assert not rules.problems
    return list(rules)


@settings(max_examples=60)
@given(st.lists(SIGNATURES, max_size=12))
def test_rules_of_origins_are_those_of_each_signature(
    rules_for_any_call: list[Rule], signatures: list[EventSignature]
) -> None:
    rules = [*RULES, *rules_for_any_call]
    dispatch = Dispatch(rules)
    verdicts: dict[object, OriginVerdicts] = {}
    for signature in signatures:
        known = verdicts.setdefault(attrgetter(*ORIGIN_FIELDS)(signature), OriginVerdicts())
        selected = dispatch.select(dispatch.candidates(signature), signature, known)
        assert selected == wanted(signature, rules) == dispatch.rules_for(signature)


def test_what_one_call_asks_is_not_taken_for_what_another_asks(
    rules_for_any_call: list[Rule],
) -> None:
    signature = EventSignature(None, "iam.amazonaws.com", *["x"] * 5, *[None] * 3)
    dispatch, known = Dispatch(rules_for_any_call[:1]), OriginVerdicts()
    for name, is_wanted in ("ListRoles", False), ("ListUsers", True), ("GetUser", False):
        of_call = signature._replace(event_name=name)
        selected = dispatch.select(dispatch.candidates(of_call), of_call, known)
        assert bool(selected) is is_wanted
