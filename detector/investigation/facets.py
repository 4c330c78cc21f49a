"""Facets: the most frequent values of a field in a list, and the counts of all other rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import msgspec

R = TypeVar("R")

DISTINCT_LIMIT = 50_000
"""Maximum distinct values counted for a field; further ones are reported as not counted."""


class Facet(msgspec.Struct, frozen=True):
    """The most frequent values of a field over ``rows`` rows.

    ``top`` lists them with their counts; ``distinct`` is the number of all values. ``missing`` rows
    have no value. ``uncounted`` counts values beyond the limit on distinct values."""

    field: str
    rows: int
    top: tuple[tuple[str, int], ...]
    distinct: int
    missing: int
    uncounted: int = 0

    @property
    def summary(self) -> str:
        """What the top values leave out, in words; ``""`` if nothing."""
        parts = []
        if self.distinct > len(self.top):
            parts.append(f"{self.distinct - len(self.top):,} more values")
        if self.missing:
            parts.append(f"{self.missing:,} without")
        if self.uncounted:
            parts.append(f"{self.uncounted:,} rows not counted: too many values")
        return ", ".join(parts)


def facet_of(field: str, rows: Iterable[R], read: Callable[[R], Any], top: int = 10) -> Facet:
    """Count the values of a field over rows; a row with several values counts for each."""
    counts: Counter[str] = Counter()
    total = missing = uncounted = 0
    for row in rows:
        total += 1
        values = _values(read(row))
        if not values:
            missing += 1
        for value in values:
            if value in counts or len(counts) < DISTINCT_LIMIT:
                counts[value] += 1
            else:
                uncounted += 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return Facet(field, total, tuple(ordered[:top]), len(counts), missing, uncounted)


def _values(value: Any) -> Sequence[str]:
    if value is None or value == "":
        return ()
    if isinstance(value, str | int | float):
        return (str(value),)
    return [text for text in dict.fromkeys(map(str, value)) if text]
