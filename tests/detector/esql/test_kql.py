"""KQL: what each form means of a record, and what is refused."""

from __future__ import annotations

import orjson
import pytest

from detector.cloudtrail.record import Record
from detector.ecs.fields import field_table
from detector.esql import ast, kql
from detector.esql.errors import EsqlError, Span
from detector.esql.plan.planner import plan, plan_tree
from detector.text.time import parse_time
from tests.detector.esql.conftest import record
from tests.detector.head_check import rows_of

AT = Span(1, 1, 0, 0)
RESOURCES = [{"ARN": "arn:aws:s3:::one", "type": "AWS::S3::Bucket"}, {"ARN": "arn:aws:s3:::two"}]
CALL = record(
    errorCode="AccessDenied",
    resources=RESOURCES,
    readOnly=True,
    requestParameters={
        "name": "a b",
        "key": "home/.aws/credentials",
        "n": 5,
        "odd": 'say "x" (y)',
        "star": "a*b",
        "words": "a not b",
        "far": "axb",
    },
)
PARAMETERS = "aws.cloudtrail.flattened.request_parameters"


def matches(text: str) -> bool:
    return matches_record(text, CALL)


def matches_record(text: str, call: Record) -> bool:
    source = ast.From(("logs-aws.cloudtrail-*",), (), span=AT)
    query = plan_tree(
        ast.Tree((source, ast.Where(kql.parse_kql(text), span=AT)), span=AT), text, field_table()
    )
    return bool(rows_of(query, orjson.dumps(call.document), parse_time(call.event_time) or 0))


@pytest.mark.parametrize(
    "text",
    [
        'event.action: "DescribeInstances"',
        "event.action:DescribeInstances",
        "event.action : Describe*",
        "event.action: *Instances",
        "event.action: *scribe*",
        "event.action: *",
        "event.action: (Get or Describe*)",
        "event.action: (Describe* and not *Volumes)",
        "event.action: (GetX or not GetY)",
        "NOT event.action: GetX",
        "not (event.action: GetX or event.action: GetY)",
        "event.action: GetX or event.provider: ec2.amazonaws.com and event.outcome: failure",
        "(event.action: GetX or event.provider: ec2.amazonaws.com) AND event.outcome: failure",
        "not user.target.name: *",
        'not user.target.name: "x"',
        "aws.cloudtrail.resources.arn: *two",
        "aws.cloudtrail.resources.arn: (*one and *two)",
        "aws.cloudtrail.resources.arn: *",
        "source.ip: 203.0.113.7",
        "source.ip: 203.0.113.0/24",
        'source.ip: ("10.0.0.0/8" or "203.0.113.0/24")',
        "aws.cloudtrail.read_only: true",
        "aws.cloudtrail.flattened.request_parameters.key: (*/.aws/credentials or */id_rsa)",
        'aws.cloudtrail.flattened.request_parameters.name: "a b"',
        "aws.cloudtrail.flattened.request_parameters.name: a b",
        r'aws.cloudtrail.flattened.request_parameters.odd: "say \"x\" (y)"',
        r"aws.cloudtrail.user_identity.arn: *\:user/ana",
        rf"{PARAMETERS}.star: a\*b",
        rf"{PARAMETERS}.star: a\**",
        f"{PARAMETERS}.far: a*b",
        f'{PARAMETERS}.words: "a not b"',
        "@timestamp >= 2026-01-01",
        "@timestamp < 2026-01-02",
        "event.dataset:aws.cloudtrail and\n    event.provider:ec2.amazonaws.com",
    ],
)
def test_condition_matches(text):
    assert matches(text)


@pytest.mark.parametrize(
    "text",
    [
        'event.action: "Describe*"',
        "event.action: describeinstances",
        "event.action: Describe",
        "user.target.name: *",
        "not aws.cloudtrail.resources.arn: *two",
        "source.ip: 10.0.0.0/8",
        "event.action: (GetX and *)",
        "aws.cloudtrail.user_identity.arn: *?user/ana",
        rf"{PARAMETERS}.far: a\*b",
        rf"{PARAMETERS}.far: a\**",
        "@timestamp > 2026-01-01",
        "source.as.number: 64496",
    ],
)
def test_condition_does_not_match(text):
    assert not matches(text)


@pytest.mark.parametrize(
    "text, line, column, says",
    [
        ("hello", 1, 1, "hello names no field"),
        ("event.action: GetX or\n  hello world", 2, 3, "hello world names no field"),
        ("event.action:", 1, 14, "expected a value"),
        ("event.action: (GetX", 1, 20, "unexpected end of the query; expected )"),
        ("event.action: GetX )", 1, 20, "unexpected )"),
        ('event.action: "GetX', 1, 15, "not closed"),
        ("a: { b: c }", 1, 4, "nested fields"),
        ("aws.*: x", 1, 1, "* in the name of a field"),
        (
            "aws.cloudtrail.request_parameters.text: x",
            1,
            1,
            "use aws.cloudtrail.request_parameters",
        ),
        ("aws.cloudtrail.flattened.request_parameters: x", 1, 1, "name the element"),
        ("and", 1, 1, "expected a value"),
        ("a: not b", 1, 4, "unexpected not; expected a value"),
        ("a: not", 1, 4, "unexpected not; expected a value"),
        ("a: b not c", 1, 6, "unexpected not; expected and, or, or the end of the query"),
        ("a: (b not c)", 1, 7, "unexpected not; expected )"),
    ],
)
def test_refusal_has_its_place(text, line, column, says):
    with pytest.raises(EsqlError) as error:
        kql.parse_kql(text)
    assert says in error.value.message
    assert (error.value.line, error.value.column) == (line, column)


@pytest.mark.parametrize(
    "text, says",
    [
        ("event.acton: x", "did you mean event.action?"),
        ("source.ip: x*", "of type ip"),
        ("source.ip: hello", "hello is none"),
        ("source.as.number: many", "many is none"),
    ],
)
def test_value_that_does_not_fit_its_field_is_refused(text, says):
    with pytest.raises(EsqlError) as error:
        matches(text)
    assert says in error.value.message


@pytest.mark.parametrize(
    ("text", "operator", "value"),
    [
        (r"a: b\*c", ":", "b*c"),
        (r"a: \*", ":", "*"),
        (r"a: b\\\*", ":", r"b\*"),
        (r"a: b\**", "*", r"\b\**"),
        ("a: b*c", "*", r"\b*\c"),
        ('a: "b*c"', ":", "b*c"),
        ("a: **", "exists", ""),
    ],
)
def test_star_after_a_backslash_stands_for_itself(text, operator, value):
    match = kql.parse_kql(text)
    assert isinstance(match, ast.FieldMatch)
    assert (match.operator, match.value) == (operator, value)


def test_and_binds_closer_than_or():
    tree = kql.parse_kql("a: 1 or b: 2 and not c: 3")
    assert isinstance(tree, ast.Logic) and tree.operator == "or"
    assert isinstance(tree.operands[1], ast.Logic) and tree.operands[1].operator == "and"


def test_kql_in_an_esql_query_names_required_pairs():
    query = plan(
        'from logs-* | where kql("event.action: (A or B) and event.provider: P") '
        'and user.name == "x"',
        field_table(),
    )
    assert query.required_pairs == {("P", "A"), ("P", "B")}
    with pytest.raises(EsqlError, match="did you mean") as error:
        plan('from logs-* | where kql("event.acton: A")', field_table())
    assert error.value.column == 25


@pytest.mark.parametrize(
    "name",
    [
        "event.*",
        "*",
        "*.name",
        "user.*.name",
        "aws.cloudtrail.*",
        "event*",
        "e*t.action",
        "\\e*",
        "a\\:b*",
        "source.ge\\*o.*",
        "event action*",
    ],
)
def test_refusal_names_a_field_as_it_is_written(name):
    with pytest.raises(EsqlError) as caught:
        kql.parse_kql(f"{name}: success")
    assert f"({name})" in caught.value.message.replace("\\\\", "\\")
