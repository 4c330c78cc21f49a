"""Convert values from one type to another.

A value that cannot be converted becomes null; in a multivalue, it is dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from detector.ecs import values
from detector.ecs.values import Type
from detector.esql.functions.registry import function
from detector.text.time import within_calendar


@function("to_string(any*) -> keyword", "to_str")
def to_string(value: Any, *, types: Sequence[Type]) -> str:
    return values.text_of(value, types[0])


def _convert_number(value: Any, source: Type, target: Type) -> Any:
    if source == "keyword":
        return values.number_from_text(value, target)
    if source == "ip":
        raise ValueError
    if source in ("boolean", "date"):
        value = int(value)
    return values.converted_number(value, target)


@function("to_integer(any*) -> integer", "to_int")
def to_integer(value: Any, *, types: Sequence[Type]) -> Any:
    return _convert_number(value, types[0], "integer")


@function("to_long(any*) -> long")
def to_long(value: Any, *, types: Sequence[Type]) -> Any:
    return _convert_number(value, types[0], "long")


@function("to_double(any*) -> double", "to_dbl")
def to_double(value: Any, *, types: Sequence[Type]) -> Any:
    return _convert_number(value, types[0], "double")


@function("to_boolean(any*) -> boolean", "to_bool")
def to_boolean(value: Any, *, types: Sequence[Type]) -> bool:
    """Convert to boolean; the only text that is true is ``true`` (in any case)."""
    if types[0] in ("ip", "date"):
        raise ValueError
    if isinstance(value, str):
        return value.lower() == "true"
    return bool(value)


@function("to_datetime(any*) -> date", "to_dt", "to_date")
def to_datetime(value: Any, *, types: Sequence[Type]) -> Any:
    """Convert to a date; a number is in milliseconds since the epoch."""
    if types[0] == "keyword":
        return values.date_from_text(value)
    if types[0] in ("boolean", "ip"):
        raise ValueError
    milliseconds = values.converted_number(value, "long")
    return None if milliseconds is None else within_calendar(milliseconds)


@function("to_ip(any*) -> ip")
def to_ip(value: Any, *, types: Sequence[Type]) -> Any:
    if types[0] not in ("keyword", "ip"):
        raise ValueError
    return values.ip_from_text(value)


@function("to_degrees(number*) -> double")
def to_degrees(value: Any) -> float:
    return float(value) * 57.29577951308232


@function("to_radians(number*) -> double")
def to_radians(value: Any) -> float:
    return float(value) / 57.29577951308232
