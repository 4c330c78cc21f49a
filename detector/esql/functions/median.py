"""The median, without the module ``statistics``, whose import costs a twentieth of a start."""

from __future__ import annotations

from collections.abc import Iterable


def median_of(values: Iterable[float]) -> float:
    """Return the middle of the values, or the mean of both. Raises IndexError for none."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2
