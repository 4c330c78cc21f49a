"""The seeds of the fuzzer, from the tests, and the languages' vocabulary."""

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
from tests.detector.formats.native.mutations import plain_documents
from tests.hostile.payloads import PAYLOADS

FINDS = Path(__file__).parent.parent / "tests" / "hostile" / "finds"
GRAMMAR = Path(detector.esql.__file__).with_name("esql.lark")


def _formats() -> Iterator[bytes]:
    records = forms.sweep()[:3]
    yield from forms.forms(records).values()
    yield from forms.containers(forms.document(records)).values()
    yield from map(forms.lines, forms.ASIDE.values())


COLUMNS = """n = aws.cloudtrail.error_code, s = user_agent.original,
    i = to_integer(aws.cloudtrail.error_message),
    l = to_long(user.id), d = to_double(cloud.region), yes = aws.cloudtrail.read_only, no = not yes,
    unknown = to_boolean(n), none = to_integer(n), ip = source.ip, ip6 = to_ip(n), noip = to_ip(s),
    nodate = aws.cloudtrail.user_identity.session_context.creation_date,
    mv = aws.cloudtrail.resources.arn,
    nums = to_integer(mv), floats = to_double(mv), flags = to_boolean(mv), ips = to_ip(mv)"""
"""The columns of the tests' table of expressions, from fields of records."""


def _esql() -> Iterator[bytes]:
    for rule in load():
        yield rule.query_text.encode()
    for line in test_expressions.TABLE.splitlines():
        expression = line.partition("  |")[0].strip()
        if expression and not expression.startswith("#"):
            yield f"from logs-* | eval {COLUMNS} | eval x = {expression} | keep x".encode()


def _kql() -> Iterator[bytes]:
    for test in (test_kql.test_condition_matches, test_kql.test_condition_does_not_match):
        (mark,) = test.pytestmark  # type: ignore[attr-defined]
        yield from (text.encode() for text in mark.args[1])


def _safe() -> Iterator[bytes]:
    for payload in PAYLOADS.values():
        yield payload[:300].encode("utf-8", "surrogatepass")


SEEDS: dict[str, Callable[[], Iterator[bytes]]] = {
    "formats": _formats,
    "native": plain_documents,
    "esql": _esql,
    "kql": _kql,
    "safe": _safe,
}


def find_paths(target: str) -> list[Path]:
    """List the inputs that failed once and must not again."""
    return sorted(FINDS.glob(f"{target}/*"))


# vocabulary


@cache
def vocabulary(target: str) -> tuple[str, ...]:
    """List the words of the target's language, if it has one."""
    if target == "esql":
        terminals = re.findall(r"/\(?([a-z_|]+)\)?\(\?!", GRAMMAR.read_text())
        return (
            *"|".join(terminals).split("|"),
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


def mutate_words(text: str, target: str, dice: random.Random) -> str:
    """Change, double, move or drop a few words of a text.

    Or a piece of another seed is put in.
    """
    tokens = _TOKEN.findall(text)
    for _ in range(dice.randrange(1, 5)):
        index = dice.randrange(len(tokens) + 1)
        match dice.randrange(6):
            case 0:
                tokens[index:index] = [" ", dice.choice(vocabulary(target)), " "]
            case 1:
                tokens[index : index + 1] = [dice.choice(vocabulary(target))]
            case 2:
                del tokens[index : index + dice.randrange(1, 4)]
            case 3:
                tokens[index:index] = tokens[index : index + dice.randrange(1, 8)]
            case 4:
                tokens[index:index] = [
                    f" {dice.choice(vocabulary(target))}(",
                    *tokens[index : index + 1],
                    ") ",
                ]
            case 5:
                other = _TOKEN.findall(dice.choice(_texts(target)))
                begin = dice.randrange(len(other))
                tokens[index:index] = other[begin : begin + dice.randrange(1, 12)]
    return "".join(tokens)


@cache
def _texts(target: str) -> tuple[str, ...]:
    return tuple(seed.decode() for seed in SEEDS[target]())
