"""What a filter that is being typed may go on with: names of fields, and values that the rows have."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from detector.filter.field_types import Choice, Number, Time
from detector.filter.fields import Field, Fields
from detector.filter.parser import FIELD
from detector.filter.quoting import values_of, written
from detector.filter.time_expressions import KEYWORDS

R = TypeVar("R")

MOST = 8
"""Options offered at a time."""

_LOOKED_AT = 10_000
"""Rows whose values are offered."""

_QUOTED = r'"(?:\\.|[^"\\])*(?:"|\\?$)'
_TOKENS = re.compile(rf'(?:{_QUOTED}|[^\s"])+', re.DOTALL)
_VALUES = re.compile(rf'(?:{_QUOTED}|[^,"])+', re.DOTALL)
_DAYS = ("today", "yesterday", "now-1h")
_INTERVALS = ("15m", "1h", "24h", "7d")


@dataclass(frozen=True)
class Completion:
    """``options`` may stand in place of the text from ``start`` on."""

    start: int
    options: tuple[str, ...] = ()


def present(field: Field[R], rows: Iterable[R]) -> list[str]:
    """The values that rows have in the field, the most frequent first; of very many rows those of
    the first ones."""
    counted = Counter(value for row in islice(rows, _LOOKED_AT) for value in values_of(field, row))
    return sorted(counted, key=lambda value: (-counted[value], value))


def complete(
    text: str, fields: Fields[R], values: Callable[[Field[R]], Iterable[str]]
) -> Completion:
    """How the end of ``text`` may go on; ``values`` gives those that a field of text has in the
    rows."""
    tokens, token, start = _last(_TOKENS, text)
    opening = len(token) - len(token.lstrip("!-("))
    token, start = token[opening:], start + opening
    before = tokens[-1].casefold() if tokens else ""
    if found := FIELD.match(token):
        return _value(
            token[found.end() :], start + found.end(), fields, found[1].casefold(), values
        )
    if fields.time and before in ("last", *KEYWORDS):
        return _beginning(token, start, _INTERVALS if before == "last" else _DAYS)
    names = [f"{field.name}{'>=' if isinstance(field.kind, Number) else ':'}" for field in fields]
    return _beginning(token, start, [*names, *(("last ", "since ") if fields.time else ())])


def _value(
    typed: str,
    start: int,
    fields: Fields[R],
    name: str,
    values: Callable[[Field[R]], Iterable[str]],
) -> Completion:
    """The last of the values after a field."""
    field = fields.get(name)
    if field is None:
        return Completion(start)  # which is said to be unknown
    _, value, place = _last(_VALUES, typed)
    kind = field.kind
    known = (
        kind.words
        if isinstance(kind, Choice)
        else _DAYS
        if isinstance(kind, Time)
        else ()
        if isinstance(kind, Number)
        else values(field)
    )
    folded = value.strip('"').replace('\\"', '"').casefold()
    known = [value for value in known if folded in value.casefold()]
    known.sort(key=lambda value: not value.casefold().startswith(folded))
    return Completion(start + place, tuple(dict.fromkeys(map(written, known[:MOST]))))


def _last(parts: re.Pattern[str], text: str) -> tuple[list[str], str, int]:
    """The parts before the one that ``text`` ends in; that one, maybe empty, and where it
    begins."""
    found = list(parts.finditer(text))
    if found and found[-1].end() == len(text):
        return [part[0] for part in found[:-1]], found[-1][0], found[-1].start()
    return [part[0] for part in found], "", len(text)


def _beginning(token: str, start: int, options: Iterable[str]) -> Completion:
    folded = token.casefold()
    return Completion(
        start, tuple(option for option in options if option.startswith(folded))[:MOST]
    )
