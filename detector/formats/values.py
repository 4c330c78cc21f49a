"""Normalizes names and values of documents by other tools."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from detector.text.late_pattern import late_pattern

JsonObject = dict[str, Any]
RECORD_CAP = 16 << 20
"""The greatest size of a record in bytes. CloudTrail's own have at most 1 MB."""

_JOINTS = late_pattern(r"[^0-9a-z]+")
_NAME_CAP = 256


@lru_cache(1 << 14)
def squash(name: str) -> str:
    """Return a name in lower case, without the characters that join its parts."""
    return _JOINTS.sub("", name[:_NAME_CAP].lower())


def one_value(value: Any) -> Any:
    """Return the one value that a list or an object wraps; None if it has several.

    ``["us-east-1"]``, ``{"S": "us-east-1"}`` and ``{"type": "string", "value": "us-east-1"}``.
    """
    for _ in range(3):
        if isinstance(value, list):
            distinct = [inner for index, inner in enumerate(value) if inner not in value[:index]]
            if len(distinct) != 1 or len(value) > 8:
                return None
            value = distinct[0]
        elif isinstance(value, dict):
            inner = value.get("value", value.get("Value"))
            value = next(iter(value.values())) if len(value) == 1 else inner
        else:
            break
    if isinstance(value, list | dict):
        return None
    return value


def text_of(value: Any) -> str | None:
    """Return a text or an integer as text; None for an empty text and all other values."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        return value or None
    return str(value) if isinstance(value, int) else None


def as_object(value: Any) -> Any:
    """Return the object that a list of entries represents; any other value as it is.

    ``[["type", "IAMUser"], …]``, ``[{"key": "type", "value": "IAMUser"}, …]`` and
    ``[{"type": "IAMUser"}, {"arn": …}]``.
    """
    if not isinstance(value, list) or not value:
        return value
    if all(isinstance(part, list) and len(part) == 2 for part in value):
        if all(isinstance(part[0], str) for part in value):
            return _joined(value, map(tuple, value))
        return value
    if not all(isinstance(part, dict) for part in value):
        return value
    for name, inner in _PAIRS:
        if all(part.keys() >= {name, inner} and len(part) <= 3 for part in value):
            return _joined(value, ((str(part[name]), part[inner]) for part in value))
    if len(value) > 1 and all(len(part) == 1 for part in value):
        return _joined(value, (item for part in value for item in part.items()))
    return value


def _joined(parts: list[Any], pairs: Iterable[tuple[str, Any]]) -> Any:
    """Return an object made from pairs; the unchanged parts if a name occurs twice."""
    joined = dict(pairs)
    if len(joined) < len(parts):
        return parts
    return joined


_PAIRS = (
    ("key", "value"),
    ("Key", "Value"),
    ("name", "value"),
    ("Name", "Value"),
    ("field", "value"),
    ("k", "v"),
)
"""The key and value names with which maps are written as lists of entries."""
