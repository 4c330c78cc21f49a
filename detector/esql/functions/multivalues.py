"""Compute functions of multivalues.

A single value is a list of one; null gives null.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from detector.ecs.values import Type, in_range, order
from detector.esql.functions.median import median_of
from detector.esql.functions.registry import LONGEST_TEXT, bounded_join, function

_MOST_VALUES = 1 << 16
"""Values of a multivalue that a function makes; more would only come of a query that doubles."""


@function("mv_count(any[]) -> integer")
def mv_count(values: list[Any]) -> int:
    return len(values)


@function("mv_first(same[]) -> same")
def mv_first(values: list[Any]) -> Any:
    return values[0]


@function("mv_last(same[]) -> same")
def mv_last(values: list[Any]) -> Any:
    return values[-1]


@function("mv_min(same[]) -> same")
def mv_min(values: list[Any], *, types: Sequence[Type]) -> Any:
    return min(values, key=order(types[0]))


@function("mv_max(same[]) -> same")
def mv_max(values: list[Any], *, types: Sequence[Type]) -> Any:
    return max(values, key=order(types[0]))


@function("mv_sum(number[]) -> first")
def mv_sum(values: list[Any], *, types: Sequence[Type]) -> Any:
    total = math.fsum(values) if types[0] == "double" else sum(values)
    return in_range(total, types[0])


@function("mv_avg(number[]) -> double")
def mv_avg(values: list[Any]) -> float:
    return math.fsum(values) / len(values)


@function("mv_median(number[]) -> first")
def mv_median(values: list[Any], *, types: Sequence[Type]) -> Any:
    """Return the median; between two integers it is rounded down."""
    if types[0] == "double":
        return median_of(values)
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) // 2


@function("mv_dedupe(same[]) -> same[]")
def mv_dedupe(values: list[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


@function("mv_append(same[], same[]) -> same[]")
def mv_append(left: list[Any], right: list[Any]) -> list[Any]:
    if len(left) + len(right) > _MOST_VALUES:
        raise ValueError
    return left + right


@function("mv_concat(keyword[], keyword) -> keyword")
def mv_concat(values: list[str], delimiter: str) -> str:
    return bounded_join(values, delimiter)


@function("mv_contains(same{}, same{}) -> boolean")
def mv_contains(superset: list[Any], subset: list[Any]) -> bool:
    """Check whether ``superset`` has all of ``subset``; null is the empty list."""
    return set(subset) <= set(superset)


@function("mv_intersection(same[], same[]) -> same[]")
def mv_intersection(left: list[Any], right: list[Any]) -> list[Any]:
    right_values = set(right)
    return [value for value in dict.fromkeys(left) if value in right_values]


@function("mv_union(same{}, same{}) -> same[]")
def mv_union(left: list[Any], right: list[Any]) -> list[Any]:
    return list(dict.fromkeys(left + right))


@function("mv_slice(same[], integer, integer?) -> same[]")
def mv_slice(values: list[Any], start: int, end: int | None = None) -> list[Any]:
    """Return the values from ``start`` to ``end``, both included.

    Indexes begin at 0; negative ones count from the end. Without ``end``, one value."""
    last = start if end is None else end
    if last < start and (start < 0) == (last < 0):
        raise ValueError
    first = start
    if start < 0:
        first = max(start + len(values), 0)
    if last < 0:
        last += len(values)
    return values[first : last + 1] if last >= first else []


def _is_descending(direction: str) -> bool:
    if direction.upper() not in ("ASC", "DESC"):
        raise ValueError("the order is ASC or DESC")
    return direction.upper() == "DESC"


@function("mv_sort(same[], keyword?) -> same[]", constant_checks={1: _is_descending})
def mv_sort(values: list[Any], direction: str = "ASC", *, types: Sequence[Type]) -> list[Any]:
    return sorted(values, key=order(types[0]), reverse=_is_descending(direction))


@function("mv_zip(keyword[], keyword[], keyword?) -> keyword[]")
def mv_zip(left: list[str], right: list[str], delimiter: str = ",") -> list[str]:
    """Join values pairwise by ``delimiter``; values without a partner stay."""
    size = sum(map(len, left)) + sum(map(len, right)) + len(delimiter) * min(len(left), len(right))
    if size > LONGEST_TEXT:
        raise ValueError
    pairs = [delimiter.join(pair) for pair in zip(left, right, strict=False)]
    return pairs + left[len(pairs) :] + right[len(pairs) :]
