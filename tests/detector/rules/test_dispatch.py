"""The rules that are selected for a signature, against each rule asked by itself."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

from hypothesis import given, settings
from hypothesis import strategies as st

from detector.cloudtrail.record import ORIGIN_FIELDS, Caller, EventSignature, Head
from detector.rules.dispatch import Dispatch, OriginVerdicts
from detector.rules.rule import Rule
from detector.rules.ruleset import load
from detector.text.fold import fold

RULES = [rule for rule in load() if rule.alerts]
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


@settings(max_examples=60)
@given(st.lists(SIGNATURES, max_size=12))
def test_rules_of_origins_are_those_of_each_signature(signatures: list[EventSignature]) -> None:
    dispatch = Dispatch(RULES)
    verdicts: dict[object, OriginVerdicts] = {}
    for signature in signatures:
        known = verdicts.setdefault(attrgetter(*ORIGIN_FIELDS)(signature), OriginVerdicts())
        selected = dispatch.select(dispatch.candidates(signature), signature, known)
        assert selected == wanted(signature, RULES) == dispatch.rules_for(signature)
