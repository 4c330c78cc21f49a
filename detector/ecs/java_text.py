"""Java's text form of JSON, as Elastic's integration writes it.

The integration writes a JSON object as Java's ``Map.toString`` does: ``{key=value, key={...},
key=[a, b]}``, with the keys in the order of a ``HashMap``, not of the JSON. Rules match this text
with dissect, grok and like, so it must be identical here. Sources: the OpenJDK documentation of
``String.hashCode`` and of ``HashMap``'s capacity (16, doubled above three quarters full); the
integration's sample documents.
"""

from __future__ import annotations

from typing import Any

from detector.ecs.values import java_double


def java_text(value: Any) -> str:
    """Format a JSON value as Java's ``toString`` does."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={java_text(value[key])}" for key in hash_order(value)) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(java_text, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return java_double(value)
    return "null" if value is None else str(value)


class _Shrunk(dict[str, Any]):
    """A JSON object from which members were removed.

    A HashMap keeps its capacity after removals, and the capacity determines the key order."""

    capacity = 0


def shrunk(members: dict[str, Any], removed: int) -> dict[str, Any]:
    """Return ``members`` in the key order they have after ``removed`` others were removed."""
    capacity = _capacity(len(members) + removed)
    if capacity == _capacity(len(members)):
        return members
    left = _Shrunk(members)
    left.capacity = capacity
    return left


def hash_order(keys: dict[str, Any]) -> list[str]:
    """Return the keys in the iteration order of Java's HashMap."""
    last = (keys.capacity if isinstance(keys, _Shrunk) else _capacity(len(keys))) - 1
    return sorted(keys, key=lambda key: _spread(key) & last)


def _capacity(size: int) -> int:
    capacity = 16
    while size > capacity * 3 // 4:
        capacity *= 2
    return capacity


def _spread(text: str) -> int:
    units = text.encode("utf-16-be", "surrogatepass")
    code = 0
    for high, low in zip(units[::2], units[1::2], strict=True):
        code = (code * 31 + (high << 8 | low)) & 0xFFFFFFFF
    return code ^ code >> 16
