"""The median, without the module ``statistics``, whose import takes a twentieth of startup time."""

from __future__ import annotations

from collections.abc import Iterable


def median_of(values: Iterable[float]) -> float:
    """Return the middle value, or the mean of the two. Raises IndexError without values."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2
