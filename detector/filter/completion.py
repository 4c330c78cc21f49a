"""Complete a filter that is being typed."""

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
from detector.filter.quoting import field_values, quote_value
from detector.filter.time_expressions import KEYWORDS

R = TypeVar("R")

MAX_OPTIONS = 8
"""The most options offered at once."""

_SAMPLE_ROWS = 10_000
"""Values are taken from at most this many rows, starting with the first."""

_QUOTED = r'"(?:\\.|[^"\\])*(?:"|\\?$)'
_TOKENS = re.compile(rf'(?:{_QUOTED}|[^\s"])+', re.DOTALL)
_VALUES = re.compile(rf'(?:{_QUOTED}|[^,"])+', re.DOTALL)
_DAYS = ("today", "yesterday", "now-1h")
_INTERVALS = ("15m", "1h", "24h", "7d")


@dataclass(frozen=True)
class Completion:
    """``options`` are replacements for the text from offset ``start`` on."""

    start: int
    options: tuple[str, ...] = ()


def frequent_values(field: Field[R], rows: Iterable[R]) -> list[str]:
    """Return the rows' distinct values in a field, the most frequent first."""
    counted = Counter(
        value for row in islice(rows, _SAMPLE_ROWS) for value in field_values(field, row)
    )
    return sorted(counted, key=lambda value: (-counted[value], value))


def complete(
    text: str, fields: Fields[R], values: Callable[[Field[R]], Iterable[str]]
) -> Completion:
    """Complete the end of ``text``; ``values`` returns the values of a field."""
    tokens, token, start = _last(_TOKENS, text)
    opening = len(token) - len(token.lstrip("!-("))
    token, start = token[opening:], start + opening
    before = tokens[-1].casefold() if tokens else ""
    match = FIELD.match(token)
    if match:
        return _value(
            token[match.end() :], start + match.end(), fields, match[1].casefold(), values
        )
    if fields.time and before in ("last", *KEYWORDS):
        return _beginning(token, start, _INTERVALS if before == "last" else _DAYS)
    starts = [field.name + _usual_operator(field) for field in fields]
    if fields.time:
        starts += ["last ", "since "]
    return _beginning(token, start, starts)


def _usual_operator(field: Field[R]) -> str:
    return ">=" if isinstance(field.kind, Number) else ":"


def _value(
    typed: str,
    start: int,
    fields: Fields[R],
    name: str,
    values: Callable[[Field[R]], Iterable[str]],
) -> Completion:
    """Complete the last value after a field and its operator."""
    field = fields.get(name)
    if field is None:
        return Completion(start)  # an unknown field has no values to offer
    _, value, offset = _last(_VALUES, typed)
    folded = value.strip('"').replace('\\"', '"').casefold()
    options = [option for option in _options(field, values) if folded in option.casefold()]
    options.sort(key=lambda option: not option.casefold().startswith(folded))
    quoted = map(quote_value, options[:MAX_OPTIONS])
    return Completion(start + offset, tuple(dict.fromkeys(quoted)))


def _options(field: Field[R], values: Callable[[Field[R]], Iterable[str]]) -> Iterable[str]:
    if isinstance(field.kind, Choice):
        return field.kind.words
    if isinstance(field.kind, Time):
        return _DAYS
    if isinstance(field.kind, Number):
        return ()
    return values(field)


def _last(parts: re.Pattern[str], text: str) -> tuple[list[str], str, int]:
    """Return the parts before the last one, the last one (may be empty), and its start offset."""
    matches = list(parts.finditer(text))
    if matches and matches[-1].end() == len(text):
        return [part[0] for part in matches[:-1]], matches[-1][0], matches[-1].start()
    return [part[0] for part in matches], "", len(text)


def _beginning(token: str, start: int, options: Iterable[str]) -> Completion:
    folded = token.casefold()
    return Completion(
        start, tuple(option for option in options if option.startswith(folded))[:MAX_OPTIONS]
    )
