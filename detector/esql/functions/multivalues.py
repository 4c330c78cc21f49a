"""Functions on multivalues.

A single value is passed as a list of one; null gives null.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from detector.ecs.values import Type, in_range, order
from detector.esql.functions.median import median_of
from detector.esql.functions.registry import LONGEST_TEXT, bounded_join, function

_MOST_VALUES = 1 << 16
"""The most values that a function may create; only repeated doubling would exceed this."""
_EXACT_DOUBLES = 2**52
"""Doubles represent all integers below this exactly."""


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
    """Return the median; the mean of two integers is rounded down."""
    if types[0] == "double":
        return median_of(values)
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) // 2


@function("mv_percentile(number[], number) -> first")
def mv_percentile(values: list[Any], percentile: float, *, types: Sequence[Type]) -> Any:
    """Interpolate linearly between the two nearest values; between integers, truncate."""
    if not 0 <= percentile <= 100:
        raise ValueError("a percentile is a number from 0 to 100")
    ordered = sorted(values)
    index = percentile / 100.0 * (len(ordered) - 1)
    low = math.floor(index)
    if low == len(ordered) - 1:
        return ordered[-1]
    fraction, lower, upper = index - low, ordered[low], ordered[low + 1]
    if types[0] != "double":
        return _between_integers(fraction, lower, upper)
    if lower < 0 < upper:  # their difference may overflow a double
        return (lower + fraction * upper) - fraction * lower
    return lower + fraction * (upper - lower)


def _between_integers(fraction: float, lower: int, upper: int) -> int:
    """Interpolate and truncate toward zero; use doubles only where they are exact."""
    if lower > -_EXACT_DOUBLES and upper < _EXACT_DOUBLES:
        return lower + int(fraction * (upper - lower))
    numerator, denominator = fraction.as_integer_ratio()
    scaled = lower * denominator + numerator * (upper - lower)
    return scaled // denominator if scaled >= 0 else -(-scaled // denominator)


@function("mv_median_absolute_deviation(number[]) -> first")
def mv_median_absolute_deviation(values: list[Any], *, types: Sequence[Type]) -> Any:
    """Return the median distance from the median; both medians of integers are truncated."""
    is_double = types[0] == "double"
    middle = _halved_sum if is_double else _cut_mean
    center = middle(sorted(values))
    return in_range(middle(sorted(abs(value - center) for value in values)), types[0])


def _halved_sum(ordered: list[float]) -> float:
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return low / 2 + high / 2


def _cut_mean(ordered: list[int]) -> int:
    total = ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]
    return total // 2 if total >= 0 else -(-total // 2)


@function("mv_pseries_weighted_sum(double[], double) -> double")
def mv_pseries_weighted_sum(values: list[float], exponent: float) -> Any:
    """Sum the values, each i-th one (from 1) divided by ``i ** exponent``."""
    terms = (value / math.pow(place, exponent) for place, value in enumerate(values, start=1))
    return in_range(math.fsum(terms), "double")


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
    """Tell whether ``superset`` has all values of ``subset``; null is the empty list."""
    return set(subset) <= set(superset)


@function("mv_intersection(same[], same[]) -> same[]")
def mv_intersection(left: list[Any], right: list[Any]) -> list[Any]:
    right_values = set(right)
    return [value for value in dict.fromkeys(left) if value in right_values]


@function("mv_intersects(same{}, same{}) -> boolean")
def mv_intersects(left: list[Any], right: list[Any]) -> bool:
    """Tell whether the lists share a value; null is the empty list."""
    return not set(left).isdisjoint(right)


@function("mv_difference(same{}, same{}) -> same[]")
def mv_difference(left: list[Any], right: list[Any]) -> list[Any]:
    """Return the values of ``left`` that are not in ``right``; null is the empty list."""
    removed = set(right)
    return [value for value in left if value not in removed]


@function("mv_union(same{}, same{}) -> same[]")
def mv_union(left: list[Any], right: list[Any]) -> list[Any]:
    return list(dict.fromkeys(left + right))


@function("mv_slice(same[], integer, integer?) -> same[]")
def mv_slice(values: list[Any], start: int, end: int | None = None) -> list[Any]:
    """Return the values from ``start`` to ``end``, both included.

    Indexes begin at 0; negative ones count from the end. Without ``end``, return one value."""
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
    """Join values pairwise with ``delimiter``; values without a partner are kept."""
    size = sum(map(len, left)) + sum(map(len, right)) + len(delimiter) * min(len(left), len(right))
    if size > LONGEST_TEXT:
        raise ValueError
    pairs = [delimiter.join(pair) for pair in zip(left, right, strict=False)]
    return pairs + left[len(pairs) :] + right[len(pairs) :]
