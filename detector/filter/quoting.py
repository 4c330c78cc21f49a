"""Format values and terms in the filter language: the inverse of parsing."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from detector.filter.field_types import Number, Time
from detector.filter.fields import Field
from detector.text.time import format_time

R = TypeVar("R")

_PLAIN = re.compile(r"""[^\s",()*?!<>=:-][^\s",()*?]*""")


def quote_value(text: str) -> str:
    """Return ``text`` as a filter value, quoted if necessary."""
    if _PLAIN.fullmatch(text) and ".." not in text:
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def utc_minute(seconds: float) -> str:
    """Format epoch seconds as a UTC minute: ``2026-03-01T11:30``."""
    return format_time(seconds)[:16]


def field_values(
    field: Field[R], row: R, write_time: Callable[[float], str] = utc_minute
) -> list[str]:
    """Return a row's values in a field, as a filter writes them.

    ``write_time`` formats epoch seconds to the minute.
    """
    value: Any = (field.shown or field.read)(row)
    if value is None:
        return []
    if isinstance(field.kind, Time):
        return [write_time(value)]
    if isinstance(field.kind, Number):
        return [f"{value:g}" if isinstance(value, float) else str(value)]
    texts = [value] if isinstance(value, str) else value
    return [text for text in texts if text]


def format_term(field: Field[R], values: Sequence[str], wanted: bool) -> str:
    """Return a term for rows with one of ``values``, or without any if not ``wanted``.

    ``()`` stands for an absent value.
    """
    sign = "" if wanted else "-"
    alternatives = ",".join(map(quote_value, values)) or quote_value("")
    return f"{sign}{field.name}={alternatives}"
