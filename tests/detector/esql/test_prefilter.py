"""Tests of prefilters against filters, and of sliding against batch aggregation."""

from __future__ import annotations

from itertools import product

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.cloudtrail.record import (
    CALL_FIELDS,
    NO_ORIGIN,
    Head,
    Record,
    api_call_of,
    join_parts,
    signature_of,
)
from detector.ecs.fields import field_table
from detector.esql.expressions.scope import QueryOptions
from detector.esql.plan.planner import plan
from detector.esql.plan.prefilter import HeadCondition, HeadConditions
from detector.text.time import parse_time
from tests.detector.esql.conftest import record
from tests.detector.head_check import rows_of

ACTIONS = ("DescribeInstances", "GetObject", "ListBuckets", None)
RECORDS = [
    record(
        eventName=action,
        eventSource=provider,
        userAgent=agent,
        readOnly=read,
        errorCode=error,
        userIdentity={"type": "IAMUser", "accessKeyId": key},
    )
    for action, provider, agent, read, error, key in product(
        ACTIONS,
        ("ec2.amazonaws.com", "s3.amazonaws.com"),
        ("aws-cli/2.1", None),
        (True, None),
        ("AccessDenied", None),
        ("AKIA1", "ASIA1"),
    )
]
CONDITIONS = [
    'event.provider == "ec2.amazonaws.com"',
    'starts_with(event.action, "Describe")',
    'event.action rlike "(Get|List).*"',
    'not event.action like "Get*"',
    "event.action is null",
    'user_agent.name == "aws-cli"',
    "aws.cloudtrail.read_only",
    'aws.cloudtrail.error_code == "AccessDenied"',
    'aws.cloudtrail.user_identity.access_key_id like "AKIA*"',
    'kql("event.action: (Get* or List*) and not user_agent.name: aws-cli")',
    'event.dataset == "aws.cloudtrail"',
    'source.ip == "203.0.113.7"',
    'coalesce(user_agent.original, "none") == "none"',
    'event.outcome != "success"',
]


@given(
    st.lists(st.sampled_from(CONDITIONS), min_size=1, max_size=4),
    st.lists(st.sampled_from(("and", "or")), min_size=3, max_size=3),
    st.booleans(),
)
def test_prefilter_accepts_what_filter_accepts(conditions, operators, negated):
    text = conditions[0]
    for word, condition in zip(operators, conditions[1:], strict=False):
        text = f"({text}) {word} {condition}"
    query = plan(
        f"from logs-* | where {'not ' if negated else ''}({text}) | keep event.id", field_table()
    )
    for event in RECORDS:
        rows_of(query, orjson.dumps(event.document), parse_time(event.event_time) or 0)


@pytest.mark.parametrize(
    "condition, accepted",
    [
        ('starts_with(event.action, "Describe")', {"DescribeInstances"}),
        ('event.action rlike "(Get|List).*"', {"GetObject", "ListBuckets"}),
        ('event.action like "Get*" and event.outcome == "failure"', {"GetObject"}),
        ('event.action like "Get*" or event.outcome == "failure"', {*ACTIONS}),
        (
            'event.action in ("GetObject") or (event.action like "List*" and user.name == "x")',
            {"GetObject", "ListBuckets"},
        ),
    ],
)
def test_prefilter_rejects_pairs_by_action(condition, accepted):
    prefilter = plan(f"from logs-* | where {condition} | keep event.id", field_table()).prefilter
    assert {
        action
        for action in ACTIONS
        if prefilter.accepts_pair(Head(event_source="x", event_name=action))
    } == accepted


def test_prefilter_ignores_redefined_column():
    query = plan(
        'from logs-* | eval event.action = "X" | where event.action == "X" | keep event.id',
        field_table(),
    )
    assert query.prefilter.accepts_pair(Head(event_source="x", event_name="Y"))


@pytest.mark.parametrize(
    "condition",
    [
        'now() > "2020-01-01"',
        'case(cloud.region == "x", now(), null) is null',
        "true",
        'not cloud.region == "x"',
    ],
)
def test_prefilter_ignores_conditions_on_time(condition):
    prefilter = plan(f"from logs-* | where {condition} | keep event.id", field_table()).prefilter
    head = record().head()
    assert prefilter.accepts_pair(head) and prefilter.accepts(head)


AGGREGATES = (
    "count(*)",
    "count(aws.cloudtrail.error_code)",
    "count_distinct(cloud.region)",
    "values(cloud.region)",
    "min(@timestamp)",
    "max(@timestamp)",
    "min(source.ip)",
    "max(source.ip)",
    "sum(to_long(aws.cloudtrail.flattened.request_parameters.n))",
    "avg(to_long(aws.cloudtrail.flattened.request_parameters.n))",
    "sum(to_double(aws.cloudtrail.flattened.request_parameters.n))",
    "values(aws.cloudtrail.resources.arn)",
    "max(aws.cloudtrail.resources.arn)",
    'count(*) where cloud.region == "us-east-1"',
)
records_with_values = st.builds(
    lambda region, error, address, number, arns: record(
        awsRegion=region,
        errorCode=error,
        sourceIPAddress=address,
        requestParameters={"n": number},
        resources=[{"ARN": arn} for arn in arns],
    ),
    st.sampled_from(("us-east-1", "eu-west-1", "ap-south-1")),
    st.sampled_from(("AccessDenied", None)),
    st.sampled_from(("10.0.0.2", "9.0.0.1", "s3.amazonaws.com")),
    st.sampled_from((1, 7, None)),
    st.lists(st.sampled_from(("a", "b", "c")), max_size=2),
)
QUERY = plan(
    "from logs-* | stats " + ", ".join(f"c{n} = {text}" for n, text in enumerate(AGGREGATES)),
    field_table(),
)


@given(st.lists(records_with_values, max_size=8), st.integers(0, 8))
def test_sliding_aggregator_matches_batch_computation(records, retracted):
    rows = [inputs for time, event in enumerate(records) for _, inputs in QUERY.rows(event, time)]
    sliding = QUERY.sliding_aggregator()
    for row in rows:
        sliding.add(row)
    for _ in rows[:retracted]:
        sliding.retract()
    assert len(sliding) == len(rows[retracted:])
    expected = [
        QUERY.grouping.aggregates[index].compute(rows[retracted:])
        for index in range(len(AGGREGATES))
    ]
    assert [sliding.value(index) for index in range(len(AGGREGATES))] == expected


def head_conditions(condition: str, options: QueryOptions) -> tuple[HeadCondition, ...]:
    """Return those that a filter implies, none where it implies nothing."""
    query = plan(f"from logs-aws.cloudtrail-* | where {condition}", field_table(), options)
    return (*query.prefilter.pair, *query.prefilter.rest)


@given(
    st.lists(st.tuples(st.sampled_from(CONDITIONS), st.booleans()), max_size=8),
    st.sampled_from(RECORDS),
)
def test_conditions_are_together_what_each_is_by_itself(
    chosen: list[tuple[str, bool]], event: Record
) -> None:
    """Also where several rules have one, and where rules take what is absent differently."""
    conditions = [
        (condition, 1 << number)
        for number, (text, is_intended) in enumerate(chosen)
        for condition in head_conditions(text, QueryOptions(null_negation=is_intended))
    ]
    signature = signature_of(event.head())
    refused = 0
    for condition, bit in conditions:
        refused |= 0 if condition.accepts(signature) else bit
    assert HeadConditions(conditions).refused(signature) == refused


@given(
    st.lists(st.sampled_from(CONDITIONS), min_size=1, max_size=4),
    st.lists(st.sampled_from(("and", "or", "and not", "or not")), min_size=3, max_size=3),
    st.booleans(),
    st.sampled_from(RECORDS),
)
def test_what_a_call_leaves_to_ask_is_what_a_condition_asks(
    conditions: list[str], words: list[str], is_intended: bool, event: Record
) -> None:
    text = conditions[0]
    for word, condition in zip(words, conditions[1:], strict=False):
        text = f"({text}) {word} ({condition})"
    signature = signature_of(event.head())
    call = join_parts(NO_ORIGIN, api_call_of(signature))
    for condition in head_conditions(text, QueryOptions(null_negation=is_intended)):
        left = condition.left_for(call, frozenset(CALL_FIELDS))
        accepts = left if isinstance(left, bool) else left.accepts(signature)
        assert accepts == condition.accepts(signature)


def test_a_call_decides_what_it_can() -> None:
    text = '(event.action == "GetObject" and user_agent.name == "aws-cli") or source.ip is null'
    (condition,) = head_conditions(text, QueryOptions())
    of_call = [
        condition.left_for(signature_of(record(eventName=name).head()), frozenset(CALL_FIELDS))
        for name in ("GetObject", "ListBuckets")
    ]
    assert [left.reads for left in of_call if isinstance(left, HeadCondition)] == [
        {"user_agent", "source_ip_address"},
        {"source_ip_address"},
    ]
