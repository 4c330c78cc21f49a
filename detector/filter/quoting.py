"""Values and terms as they are written in a filter: the reverse of reading it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypeVar

from detector.cloudtrail.record import format_time
from detector.filter.field_types import Number, Time
from detector.filter.fields import Field

R = TypeVar("R")

_PLAIN = re.compile(r"""[^\s",()*?!<>=-][^\s",()*?]*""")


def written(text: str) -> str:
    """``text`` as a value that means just this text: in quotes where it must be."""
    if _PLAIN.fullmatch(text) and ".." not in text:
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def values_of(field: Field[R], row: R) -> list[str]:
    """What the row has in the field, as it can be written in a filter: texts, a number, the minute
    of a time."""
    value: Any = (field.shown or field.read)(row)
    if value is None:
        return []
    if isinstance(field.kind, Time):
        return [format_time(value)[:16]]
    if isinstance(field.kind, Number):
        return [f"{value:g}" if isinstance(value, float) else str(value)]
    return [text for text in ([value] if isinstance(value, str) else value) if text]


def term(field: Field[R], values: Sequence[str], wanted: bool) -> str:
    """The rows that have one of ``values`` in the field, or that have none of them; ``()`` is for
    having nothing."""
    return f"{'' if wanted else '-'}{field.name}={','.join(map(written, values)) or written('')}"
