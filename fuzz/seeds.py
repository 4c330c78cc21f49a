"""Where the fuzzer starts from: the fixtures of the tests, and the words of the languages."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import detector.esql
from detector.ecs.fields import field_table
from detector.ecs.values import TYPE_NAMES
from detector.esql.expressions.special_functions import SPECIAL_FUNCTIONS
from detector.esql.functions import FUNCTIONS
from detector.esql.functions.aggregates import AGGREGATES
from detector.esql.grok import PATTERNS
from detector.rules.ruleset import load
from tests.detector.esql import test_expressions, test_kql
from tests.detector.formats import forms
from tests.hostile.payloads import PAYLOADS

FINDS = Path(__file__).parent.parent / "tests" / "hostile" / "finds"
GRAMMAR = Path(detector.esql.__file__).with_name("esql.lark")


def _formats() -> Iterator[bytes]:
    records = forms.sweep()[:3]
    yield from forms.forms(records).values()
    yield from forms.containers(forms.document(records)).values()
    yield from map(forms.lines, forms.ASIDE.values())


COLUMNS = """n = aws.cloudtrail.error_code, s = user_agent.original, i = to_integer(aws.cloudtrail.error_message),
    l = to_long(user.id), d = to_double(cloud.region), yes = aws.cloudtrail.read_only, no = not yes,
    unknown = to_boolean(n), none = to_integer(n), ip = source.ip, ip6 = to_ip(n), noip = to_ip(s),
    nodate = aws.cloudtrail.user_identity.session_context.creation_date, mv = aws.cloudtrail.resources.arn,
    nums = to_integer(mv), floats = to_double(mv), flags = to_boolean(mv), ips = to_ip(mv)"""
"""The columns of the tests' table of expressions, of what records hold."""


def _esql() -> Iterator[bytes]:
    for rule in load():
        yield rule.query_text.encode()
    for line in test_expressions.TABLE.splitlines():
        expression = line.partition("  |")[0].strip()
        if expression and not expression.startswith("#"):
            yield f"from logs-* | eval {COLUMNS} | eval x = {expression} | keep x".encode()


def _kql() -> Iterator[bytes]:
    for test in (test_kql.test_it_holds, test_kql.test_it_does_not_hold):
        (mark,) = test.pytestmark  # type: ignore[attr-defined]
        yield from (text.encode() for text in mark.args[1])


def _safe() -> Iterator[bytes]:
    for payload in PAYLOADS.values():
        yield payload[:300].encode("utf-8", "surrogatepass")


SEEDS: dict[str, Callable[[], Iterator[bytes]]] = {
    "formats": _formats,
    "esql": _esql,
    "kql": _kql,
    "safe": _safe,
}


def finds(target: str) -> list[Path]:
    """What has failed once and must not again."""
    return sorted(FINDS.glob(f"{target}/*"))


# words


@cache
def words(target: str) -> tuple[str, ...]:
    """What a text of the target's language is made of; none where it is not made of words."""
    if target == "esql":
        terminals = re.findall(r"/\(?([a-z_|]+)\)?\(\?!", GRAMMAR.read_text())
        return (
            *(word for each in terminals for word in each.split("|")),
            *FUNCTIONS,
            *AGGREGATES,
            *SPECIAL_FUNCTIONS,
            *TYPE_NAMES,
            *field_table(),
            *_SIGNS,
            *_CONSTANTS,
            *(f"%{{{name}:x}}" for name in PATTERNS),
        )
    if target == "kql":
        return (
            *field_table(),
            "and",
            "or",
            "not",
            ":",
            "<",
            "<=",
            "(",
            ")",
            "*",
            '"',
            "\\",
            *_CONSTANTS,
        )
    return ()


_SIGNS = (
    "|",
    "(",
    ")",
    "[",
    "]",
    ",",
    "=",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    "+",
    "-",
    "*",
    "/",
    "%",
    "::",
    ".",
    '"',
    '"""',
    "`",
    "//",
)
_CONSTANTS = (
    "0",
    "1",
    "-1",
    "9223372036854775807",
    "1e308",
    "0.5",
    "null",
    "true",
    '"a"',
    '"\\\\"',
    '"2024-02-29"',
    '"10.0.0.0/8"',
    "30 seconds",
    "1 month",
    "5 days",
    "2 weeks",
    "3 quarters",
    "x",
    "n",
    "s",
    "mv",
    "nums",
)
_TOKEN = re.compile(r'"""|"(?:\\.|[^"\\])*"|\w+|\s+|.', re.DOTALL)


def reworded(text: str, target: str, dice: random.Random) -> str:
    """``text`` with a few of its words changed, doubled, moved or left out, or a piece of another
    seed put in."""
    tokens = _TOKEN.findall(text)
    for _ in range(dice.randrange(1, 5)):
        at = dice.randrange(len(tokens) + 1)
        match dice.randrange(6):
            case 0:
                tokens[at:at] = [" ", dice.choice(words(target)), " "]
            case 1:
                tokens[at : at + 1] = [dice.choice(words(target))]
            case 2:
                del tokens[at : at + dice.randrange(1, 4)]
            case 3:
                tokens[at:at] = tokens[at : at + dice.randrange(1, 8)]
            case 4:
                tokens[at:at] = [f" {dice.choice(words(target))}(", *tokens[at : at + 1], ") "]
            case 5:
                other = _TOKEN.findall(dice.choice(_texts(target)))
                begin = dice.randrange(len(other))
                tokens[at:at] = other[begin : begin + dice.randrange(1, 12)]
    return "".join(tokens)


@cache
def _texts(target: str) -> tuple[str, ...]:
    return tuple(seed.decode() for seed in SEEDS[target]())
