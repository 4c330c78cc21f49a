"""Write values and terms in the filter language: the reverse of parsing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypeVar

from detector.filter.field_types import Number, Time
from detector.filter.fields import Field
from detector.text.time import format_time

R = TypeVar("R")

_PLAIN = re.compile(r"""[^\s",()*?!<>=:-][^\s",()*?]*""")


def quote_value(text: str) -> str:
    """Return ``text`` as a filter value, in quotes where needed."""
    if _PLAIN.fullmatch(text) and ".." not in text:
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def field_values(field: Field[R], row: R) -> list[str]:
    """Return a row's values in a field, as a filter writes them."""
    value: Any = (field.shown or field.read)(row)
    if value is None:
        return []
    if isinstance(field.kind, Time):
        return [format_time(value)[:16]]
    if isinstance(field.kind, Number):
        return [f"{value:g}" if isinstance(value, float) else str(value)]
    texts = [value] if isinstance(value, str) else value
    return [text for text in texts if text]


def format_term(field: Field[R], values: Sequence[str], wanted: bool) -> str:
    """Return a term for rows with, or without, one of ``values``.

    ``()`` stands for an absent value.
    """
    sign = "" if wanted else "-"
    alternatives = ",".join(map(quote_value, values)) or quote_value("")
    return f"{sign}{field.name}={alternatives}"
