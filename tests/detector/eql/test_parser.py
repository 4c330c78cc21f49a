"""EQL's syntax: what is read, and what is refused, where and with which words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.eql.parser import parse_eql
from detector.esql import ast
from detector.esql.errors import EsqlError
from tests.detector.eql.test_against_oracle import compiled
from tests.detector.esql.conftest import START, record


def holds(query: str, **changed) -> bool:
    return bool(compiled(query).rows(record(**changed), START))


@pytest.mark.parametrize(
    "query",
    [
        "any where true",
        'any where event.action == "DescribeInstances" // a comment',
        'any where /* a\ncomment */ not event.action == "x" and `event.action` : "describe*"',
        "any where /* a /* comment */ in another */ true // /* and a line",
        "any /* a /* where true */ where true",
        'any where event.action == """DescribeInstances"""',
        'any where "\\u{44}escribeInstances" == event.action',
        'any where not event.action == "x" or false',
        'any where not (event.action == "x" or event.action == "y")',
        'any where event.action not in ("x", null, "y")',
        "any where length(event.action) - 1 >= 2 * 8",
        'any where user_agent.original like "aws-cli/*" and source.ip == "203.0.113.0/24"',
        'any where @timestamp >= "2026-01-01" and @timestamp < "2026-01-02T00:00:00Z"',
        "any where aws.cloudtrail.error_code == null and event.outcome != null",
        'any where aws.cloudtrail.error_code != "AccessDenied"',
        'any where not aws.cloudtrail.error_code : ("Access*", "Unauthorized*")',
        'any where not stringContains(aws.cloudtrail.request_parameters, "x")',
    ],
)
def test_query_is_true_of_the_usual_record(query):
    assert holds(query)


@pytest.mark.parametrize(
    "query",
    [
        "any where false",
        'any where event.action == "describeinstances"',
        'any where event.action == "Describe*"',
        'any where aws.cloudtrail.error_code == "x" or not true',
        'any where stringContains(aws.cloudtrail.request_parameters, "x")',
        "any where aws.cloudtrail.read_only",
        "iam where true",
    ],
)
def test_query_is_false_of_the_usual_record(query):
    assert not holds(query)


def test_category_is_that_of_the_named_field():
    attach = {"eventName": "AttachUserPolicy", "eventSource": "iam.amazonaws.com"}
    assert holds("iam where true", **attach) and not holds("file where true", **attach)
    by_type = parse_eql("info where true", "event.type")
    (_, where) = by_type.commands
    assert isinstance(where, ast.Where)
    assert "Column(name='event.type')" in repr(where.condition)


@pytest.mark.parametrize(
    "query, line, column, message",
    [
        ("any where", 1, 10, "unexpected end of the query; expected a value or the name"),
        ("event.action == 1", 1, 6, "unexpected .; expected where"),
        ("any were true", 1, 5, "unexpected were; expected where"),
        ('any where event.action = "x"', 1, 24, "a single = compares nothing; use == or :"),
        ("any where event.action == 'x'", 1, 27, "strings stand in double quotes"),
        ('any where event.action == ?"x"', 1, 27, "the name of a field must stand after ?"),
        ('any where event.action == "x', 1, 27, "the string is not closed on its line"),
        ('any where event.action : "\\w"', 1, 26, "\\w is no escape sequence"),
        ('any where a == "x" AND b == "y"', 1, 20, "keywords are in lower case: write and"),
        ("any where\n  event.action == cloud.region", 2, 19, "two fields cannot be compared"),
        ("any where 1 < length(user.name) < 3", 1, 33, "comparisons cannot be chained"),
        ("any where user.name + 1 and true", 1, 21, "a condition must stand here, not a value"),
        ('any where length(user.name == "x") == 1', 1, 28, "a value must stand here, not a cond"),
        ("any where user.name : 5", 1, 23, ": compares strings only; use =="),
        ("any where user.name in (user.id)", 1, 25, "a constant must stand here"),
        ("any where user.name in (null)", 1, 21, "null is in no list"),
        ("any where user.name < null", 1, 21, "null can stand after == and != only"),
        ('any where user.names == "x"', 1, 11, "no column user.names here"),
        ("any where user.name == 5", 1, 11, "cannot compare keyword with integer"),
        ('any where process.args[0] == "x"', 1, 23, "an element of a list is not supported"),
        ('any where user.name like "a" and', 1, 33, "unexpected end of the query"),
        ("any where true | head 5", 1, 16, "the pipe head is not supported"),
        ("any where true\n| tail 5", 2, 1, "the pipe tail is not supported"),
        ("any where true true", 1, 16, "unexpected true; expected and, or, or the end"),
        ("any where descendant of [any where true]", 1, 11, "descendant of is not supported"),
        ("sample [any where true] [any where true]", 1, 1, "a sample needs by and a field"),
        ("sample by user.name [any where true]", 1, 37, "the next event of the sample"),
        (
            "sample by user.name [any where true] with runs=2 [any where true]",
            *(1, 21, "an event of a sample has no runs"),
        ),
        ("join [any where true] [any where true]", 1, 1, "join is not supported"),
        ("sequence [any where true]", 1, 26, "expected [ and the next event of the sequence"),
        (
            "sequence [any where true] ![any where true] [any where true]",
            1,
            27,
            "needs with maxspan",
        ),
        (
            "sequence with maxspan=5m [any where true] ![any where true]",
            1,
            43,
            "between two events only",
        ),
        (
            "sequence with maxspan=5m ![any where true] [any where true] [any where true]",
            1,
            26,
            "between two events only",
        ),
        (
            "sequence with maxspan=5m [any where true] ![any where true] with runs=2 "
            "[any where true]",
            1,
            43,
            "a missing event has no runs",
        ),
        ("sequence [any where true] [any where true] fork", 1, 44, "fork is not supported"),
        ("sequence with maxspan=5 [any where true]", 1, 23, "write a maxspan like 30s"),
        ("sequence with maxspan=0s [any where true]", 1, 23, "a maxspan must be more than 0"),
        ("sequence with maxspan=1s by user.name [any where true]", 1, 26, "by must stand before"),
        ("sequence [any where true] with runs=101", 1, 37, "runs is a whole number from 1 to 100"),
        ("sequence by length(user.name) [any where true]", 1, 13, "by takes names of fields only"),
        (
            "sequence [any where true] by user.name [any where true]",
            1,
            40,
            "each step must be grouped by as many fields as the first",
        ),
        (
            "sequence [any where true] by user.name [any where true] by source.ip",
            1,
            60,
            "ip never equals keyword",
        ),
        ("sequence [any where true] [any where false] until [any where true]", 1, 51, "until must"),
        ("any where (true", 1, 16, "unexpected end of the query; expected )"),
        ("any where " + "(" * 5000 + "true" + ")" * 5000, 1, 1, "nested too deeply"),
    ],
)
def test_refusal_has_place_and_what_to_do(query, line, column, message):
    with pytest.raises(EsqlError) as error:
        compiled(query)
    assert (error.value.line, error.value.column) == (line, column)
    assert message in error.value.message


def test_equal_steps_are_one_filter():
    text = "sequence by user.name with maxspan=1m [any where true] with runs=2 [iam where true]"
    (_, node) = parse_eql(text + " [any where true]").commands
    assert isinstance(node, ast.Sequence)
    assert (len(node.steps), node.order, node.width) == (2, (0, 0, 1, 0), 61)


@pytest.mark.parametrize(
    "span, width", [("500ms", 1), ("1500ms", 2), ("30s", 31), ("15m", 901), ("1d", 86_401)]
)
def test_maxspan_counts_its_last_second(span, width):
    (_, node) = parse_eql(
        f"sequence with maxspan={span} [any where true] [iam where true]"
    ).commands
    assert isinstance(node, ast.Sequence) and node.width == width


def test_fields_of_a_sequence_may_be_absent_only_if_optional():
    query = compiled(
        "sequence by user.name, ?aws.cloudtrail.error_code [any where true] [any where true]"
    )
    ((key, inputs),) = query.rows(record(), START)
    assert key == ("ana", None) and inputs[0] == 1
    nobody = record(userIdentity={"type": "AWSService"})
    assert query.rows(nobody, START) == []


WORDS = """any where and or not in in~ like regex~ : == != < ( ) [ ] ! | , . ? + - * / % = ~ `a` 'b'
"c*" "d\\\\" \"\"\"e\"\"\" 1 2.5 .3e1 null true false user.name source.ip @timestamp length( concat(
number( sequence by with maxspan= 5m runs=2 until sample fork // /* */ iam \x00 \u202e é"""


@given(st.lists(st.sampled_from(WORDS.split()), max_size=12), st.booleans())
def test_any_text_is_read_or_refused_with_its_place(words, is_condition):
    text = " ".join(words)
    if is_condition:
        text = f"any where {text}"
    try:
        query = compiled(text)
    except EsqlError as error:
        assert error.line == 1 and 1 <= error.column <= len(text) + 1
        assert error.message and error.message.isprintable()
    else:
        query.rows(record(), START)
