"""Lucene queries: an evaluator over plain values that shares no code, and what is refused."""

from __future__ import annotations

import contextlib
import random
import re
from typing import NamedTuple

import orjson
import pytest

from detector.cloudtrail.record import Record
from detector.ecs.fields import field_table
from detector.esql import ast
from detector.esql.errors import QUERY_START, EsqlError
from detector.esql.lucene.parser import idle_clauses, parse_lucene
from detector.esql.plan.planner import plan_tree
from tests.detector.esql.conftest import START, record
from tests.detector.head_check import rows_of


def matches(query: str, event: Record) -> bool:
    source = ast.From(("logs-aws.cloudtrail-*",), (), span=QUERY_START)
    commands = source, ast.Where(parse_lucene(query), span=QUERY_START)
    planned = plan_tree(ast.Tree(commands, span=QUERY_START), query, field_table())
    return bool(rows_of(planned, orjson.dumps(event.document), START))


Values = dict[str, list[str]]

NAMES = ["RunInstances", "runinstances", "Run", "Stop Instances", "A:B", "a/b", "x-y", "Ünï", "10"]


def event_of(values: Values) -> Record:
    """Make a record that has these ECS fields."""
    resources = [{"ARN": arn} for arn in values["aws.cloudtrail.resources.arn"]]
    return record(
        eventName=next(iter(values["event.action"]), None),
        errorCode=next(iter(values["aws.cloudtrail.error_code"]), None),
        awsRegion=next(iter(values["cloud.region"]), None),
        resources=resources or None,
    )


def random_values(rng: random.Random) -> Values:
    def some(most: int) -> list[str]:
        return rng.sample(NAMES, rng.randint(0, most))

    return {
        "event.action": some(1),
        "aws.cloudtrail.error_code": some(1),
        "cloud.region": some(1),
        "aws.cloudtrail.resources.arn": some(3),
    }


class Clause(NamedTuple):
    text: str
    result: bool


def escape(text: str) -> str:
    return re.sub(r"([^\w])", r"\\\1", text)


def random_leaf(rng: random.Random, values: Values) -> Clause:
    """Make a condition on one field, and say in plain Python whether it is true."""
    field = rng.choice(sorted(values))
    held, name = values[field], rng.choice(NAMES)
    match rng.randrange(8):
        case 0:
            return Clause(f"{field}:{escape(name)}", name in held)
        case 1:
            return Clause(f'{field}:"{name}"', name in held)
        case 2:
            cut = rng.randint(1, len(name))
            start = name[:cut]
            pattern = escape(start) + "*"
            return Clause(f"{field}:{pattern}", any(each.startswith(start) for each in held))
        case 3:
            written = "?" + escape(name[1:])
            fits = (each for each in held if len(each) == len(name) and each[1:] == name[1:])
            return Clause(f"{field}:{written}", any(fits))
        case 4:
            written = rng.choice([f"_exists_:{field}", f"{field}:*"])
            return Clause(written, bool(held))
        case 5:
            regex = "[a-zA-Z]+"
            return Clause(f"{field}:/{regex}/", any(re.fullmatch(regex, each) for each in held))
        case 6:
            low, high = sorted(rng.sample(NAMES, 2))
            opening, closing = rng.choice("[{"), rng.choice("]}")

            def within(each: str) -> bool:
                above = each >= low if opening == "[" else each > low
                below = each <= high if closing == "]" else each < high
                return above and below

            written = f'{field}:{opening}"{low}" TO "{high}"{closing}'
            return Clause(written, any(map(within, held)))
    operator, test = rng.choice(
        [(">", str.__gt__), (">=", str.__ge__), ("<", str.__lt__), ("<=", str.__le__)]
    )
    bound = rng.choice(["M", "b", "10"])
    return Clause(f"{field}:{operator}{bound}", any(test(each, bound) for each in held))


def random_group(rng: random.Random, values: Values, depth: int) -> Clause:
    """Join clauses, and tell by Lucene's three marks whether the group is true."""
    text, marks, results = "", [], []
    for index in range(rng.randint(1, 4)):
        nested = depth > 0 and rng.random() < 0.3
        part = random_group(rng, values, depth - 1) if nested else random_leaf(rng, values)
        joint = rng.choice([" AND ", " && ", " OR ", " || ", " "]) if index else ""
        sign = rng.choice(["", "", "", "NOT ", "-", "+", "!"])
        is_and = joint.strip() in ("AND", "&&")
        if is_and and marks[-1] == "optional":
            marks[-1] = "required"
        if sign in ("NOT ", "-", "!"):
            marks.append("prohibited")
        elif sign == "+" or is_and:
            marks.append("required")
        else:
            marks.append("optional")
        written = f"({part.text})" if nested else part.text
        boost = rng.choice(["", "", "^2", "^0.5"])
        text += f"{joint}{sign}{written}{boost}"
        results.append(part.result)
    marked = list(zip(marks, results, strict=True))
    required = [result for mark, result in marked if mark == "required"]
    optional = [result for mark, result in marked if mark == "optional"]
    prohibited = [result for mark, result in marked if mark == "prohibited"]
    is_true = all(required) and not any(prohibited)
    if optional and not required:
        is_true = is_true and any(optional)
    return Clause(text, is_true)


@pytest.mark.parametrize("seed", range(40))
def test_queries_match_oracle(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(25):
        values = random_values(rng)
        query, expected = random_group(rng, values, 2)
        assert matches(query, event_of(values)) is expected, (query, values)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("event.action:DescribeInstances", True),
        ("event.action:describeinstances", False),
        ("event.action:(StopInstances OR DescribeInstances)", True),
        ("event.action:StopInstances OR user.name:ana AND cloud.region:eu-west-1", False),
        ("source.ip:203.0.113.7", True),
        ('source.ip:"203.0.113.0/24"', True),
        ("source.ip:203.0.113.0\\/24", True),
        ("source.ip:[203.0.113.1 TO 203.0.113.7}", False),
        ("@timestamp:[2026-01-01 TO 2026-01-01]", True),
        ("@timestamp:>2026-01-01", False),
        ("*:*", True),
        ("-user.name:ana", False),
        ("-user.name:bob", True),
        ("user.name:\\u0061na", True),
        ("NOT _exists_:aws.cloudtrail.error_code", True),
        ("user_agent.original:aws\\-cli\\/*", True),
        ("user_agent.original:aws-cli*", True),
        ("user_agent.original:/aws-cli\\/2.*/", True),
        ("event.action:[* TO *]", True),
        ("aws.cloudtrail.error_code:[* TO *]", False),
        ("event.action:(+Describe* -*Regions)", True),
    ],
)
def test_query_means_what_elasticsearch_says(query: str, expected: bool) -> None:
    assert matches(query, record()) is expected


@pytest.mark.parametrize(
    ("query", "column", "message"),
    [
        ("DescribeInstances", 1, "names no field"),
        ("event.action:DescribeInstances mimikatz", 32, "names no field"),
        ("event.action:Descrbe~1", 21, "~ (fuzzy terms"),
        ('user.name:"ana bob"~2', 20, "~ (fuzzy terms"),
        ("event.action:(Run Stop)", 15, 'write "Run Stop", or OR between'),
        ("event.*:x", 1, "in the name of a field"),
        ("*:x", 1, "a value of any field"),
        ("_exists_:user.*", 10, "takes the name of one field"),
        ('user.name:"ana', 11, "the string is not closed"),
        ("user.name:/ana", 11, "the regular expression is not closed"),
        ("user.name:[a", 11, "no range"),
        ("event.action:(a OR b", 21, "expected )"),
        ("user.name:a)", 12, "unexpected )"),
        ("user.name:", 11, "unexpected end of the query; expected a value"),
        ("user.name:a AND", 16, "unexpected end of the query"),
        ("", 1, "unexpected end of the query"),
        ("user_agent.original.text:aws", 1, "text cut into words"),
        ("usr.name:a", 1, "did you mean user.name?"),
        ("source.ip:abc", 11, "source.ip is of type ip, and abc is none"),
        ("source.ip:10.*", 11, "in which * stands for nothing"),
        ("source.ip:/10.*/", 11, "no regular expression matches"),
        ("user.name:/a~b/", 11, "complement"),
        ("(" * 3000 + "user.name:a", 1, "nested too deeply"),
        ("user.name:a\nAND\n  user.name:b~", 14, "~ (fuzzy terms"),
    ],
)
def test_what_cannot_be_exact_is_refused(query: str, column: int, message: str) -> None:
    with pytest.raises(EsqlError) as refusal:
        matches(query, record())
    assert message in refusal.value.message
    assert refusal.value.column == column


@pytest.mark.parametrize(
    ("query", "idle"),
    [
        ("user.name:a OR user.name:b AND cloud.region:c", ["a"]),
        ("user.name:a OR user.name:b", []),
        ("+user.name:a user.name:b", ["b"]),
        ("user.name:a AND (cloud.region:b OR cloud.region:c)", []),
        ("user.name:a AND (cloud.region:b OR +cloud.region:c)", ["b"]),
    ],
)
def test_clauses_that_decide_nothing_are_told(query: str, idle: list[str]) -> None:
    assert [query[span.start : span.end] for span in idle_clauses(query)] == idle


def test_any_text_is_a_query_or_one_refusal() -> None:
    rng = random.Random(11)
    pieces = ["a", "b:", '"', "\\", "/", "(", ")", "[", "]", "{", "}", " TO ", " AND ", " OR "]
    pieces += ["-", "+", "!", "*", "?", "~1", "^2", "&&", " ", "\n", "\\u00", "é", "\ud800", ">="]
    for _ in range(4000):
        text = "".join(rng.choice(pieces) for _ in range(rng.randrange(1, 14)))
        with contextlib.suppress(EsqlError):
            parse_lucene(text)
