"""Multivalues. A single value is a set of one; null gives null."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Any

from detector.ecs.values import Type, in_range, order
from detector.esql.functions.registry import function


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
    return in_range(math.fsum(values) if types[0] == "double" else sum(values), types[0])


@function("mv_avg(number[]) -> double")
def mv_avg(values: list[Any]) -> float:
    return math.fsum(values) / len(values)


@function("mv_median(number[]) -> first")
def mv_median(values: list[Any], *, types: Sequence[Type]) -> Any:
    """Between two whole numbers, rounded down."""
    if types[0] == "double":
        return median(values)
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) // 2


@function("mv_dedupe(same[]) -> same[]")
def mv_dedupe(values: list[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


@function("mv_append(same[], same[]) -> same[]")
def mv_append(one: list[Any], other: list[Any]) -> list[Any]:
    return one + other


@function("mv_concat(keyword[], keyword) -> keyword")
def mv_concat(values: list[str], delimiter: str) -> str:
    return delimiter.join(values)


@function("mv_contains(same{}, same{}) -> boolean")
def mv_contains(values: list[Any], wanted: list[Any]) -> bool:
    """Whether all of ``wanted`` are among ``values``; null is the empty set."""
    return set(wanted) <= set(values)


@function("mv_intersection(same[], same[]) -> same[]")
def mv_intersection(one: list[Any], other: list[Any]) -> list[Any]:
    return [value for value in dict.fromkeys(one) if value in set(other)]


@function("mv_union(same{}, same{}) -> same[]")
def mv_union(one: list[Any], other: list[Any]) -> list[Any]:
    return list(dict.fromkeys(one + other))


@function("mv_slice(same[], integer, integer?) -> same[]")
def mv_slice(values: list[Any], start: int, end: int | None = None) -> list[Any]:
    """From 0, both ends included; negative places count from the end."""
    last = start if end is None else end
    if last < start and (start < 0) == (last < 0):
        raise ValueError
    first = max(start + len(values) if start < 0 else start, 0)
    stop = last + len(values) if last < 0 else last
    return values[first : stop + 1] if stop >= first else []


@function("mv_sort(same[], keyword?) -> same[]")
def mv_sort(values: list[Any], direction: str = "ASC", *, types: Sequence[Type]) -> list[Any]:
    if direction.upper() not in ("ASC", "DESC"):
        raise ValueError
    return sorted(values, key=order(types[0]), reverse=direction.upper() == "DESC")


@function("mv_zip(keyword[], keyword[], keyword?) -> keyword[]")
def mv_zip(one: list[str], other: list[str], delimiter: str = ",") -> list[str]:
    """Pairs joined by ``delimiter``; what has no partner stays alone."""
    paired = min(len(one), len(other))
    return (
        [delimiter.join(pair) for pair in zip(one, other, strict=False)]
        + one[paired:]
        + other[paired:]
    )
