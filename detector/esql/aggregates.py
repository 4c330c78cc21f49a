"""The aggregate functions of STATS. Each is given the arguments of every row of a group, and is exact.

Nulls do not count; every value of a multivalue does. The result depends on the set of rows, not on their order.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median as middle
from typing import Any

from detector.ecs.values import Type, in_range, many, order, single
from detector.esql.signature import Signature

Rows = Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """What is given beside the rows: ``types`` of the arguments, ``constants`` after the first,
    where it takes them."""

    signature: Signature
    implementation: Callable[..., Any]
    takes: frozenset[str]

    def settled(self, types: Sequence[Type], constants: Sequence[Any]) -> Callable[[Rows], Any]:
        """What computes it from rows alone."""
        given = {"types": types, "constants": constants}
        wanted = {name: given[name] for name in self.takes}
        return lambda rows: self.implementation(rows, **wanted)


AGGREGATES: dict[str, Aggregate] = {}


def aggregate(signature: str, *aliases: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(implementation: Callable[..., Any]) -> Callable[..., Any]:
        parsed = Signature.parse(signature)
        takes = frozenset(inspect.signature(implementation).parameters) & {"types", "constants"}
        for name in (parsed.name, *aliases):
            AGGREGATES[name] = Aggregate(parsed, implementation, takes)
        return implementation

    return register


def _flat(rows: Rows) -> list[Any]:
    """The values of the first argument over all rows."""
    return [value for row in rows for value in many(row[0])]


@aggregate("count(any?) -> long")
def count(rows: Rows) -> int:
    return len(_flat(rows)) if rows and rows[0] else len(rows)


@aggregate("count_distinct(any, long?) -> long")
def count_distinct(rows: Rows) -> int:
    """The precision that ES|QL takes as a second argument says nothing to an exact count."""
    return len(set(_flat(rows)))


@aggregate("values(same) -> same[]")
def values(rows: Rows) -> Any:
    return single(sorted(set(_flat(rows))))


@aggregate("min(same) -> same")
def minimum(rows: Rows, *, types: Sequence[Type]) -> Any:
    return min(_flat(rows), key=order(types[0]), default=None)


@aggregate("max(same) -> same")
def maximum(rows: Rows, *, types: Sequence[Type]) -> Any:
    return max(_flat(rows), key=order(types[0]), default=None)


@aggregate("sum(number) -> wide")
def summed(rows: Rows, *, types: Sequence[Type]) -> Any:
    if not (found := _flat(rows)):
        return None
    return (
        in_range(math.fsum(found), "double")
        if types[0] == "double"
        else in_range(sum(found), "long")
    )


@aggregate("avg(number) -> double")
def average(rows: Rows) -> Any:
    found = _flat(rows)
    return math.fsum(found) / len(found) if found else None


@aggregate("median(number) -> double")
def median(rows: Rows) -> Any:
    found = _flat(rows)
    return float(middle(found)) if found else None


@aggregate("percentile(number, number) -> double")
def percentile(rows: Rows, *, constants: Sequence[Any]) -> Any:
    """Between two values, in proportion."""
    found = sorted(_flat(rows))
    if not found or not constants or not 0 <= constants[0] <= 100:
        return None
    place = (len(found) - 1) * constants[0] / 100
    low = math.floor(place)
    high = min(low + 1, len(found) - 1)
    return float(found[low] + (found[high] - found[low]) * (place - low))


@aggregate("median_absolute_deviation(number) -> double")
def median_absolute_deviation(rows: Rows) -> Any:
    found = _flat(rows)
    return float(middle([abs(value - middle(found)) for value in found])) if found else None


@aggregate("variance(number) -> double")
def variance(rows: Rows) -> Any:
    found = _flat(rows)
    if not found:
        return None
    mean = math.fsum(found) / len(found)
    return math.fsum((value - mean) ** 2 for value in found) / len(found)


@aggregate("std_dev(number) -> double")
def std_dev(rows: Rows) -> Any:
    found = variance(rows)
    return None if found is None else math.sqrt(found)


@aggregate("first(same, any) -> first")
def first(rows: Rows, *, types: Sequence[Type]) -> Any:
    """The value of the row with the least second argument; of several such rows, the least
    value."""
    return _at_end(rows, types, min)


@aggregate("last(same, any) -> first")
def last(rows: Rows, *, types: Sequence[Type]) -> Any:
    """The value of the row with the greatest second argument; of several such rows, the least
    value."""
    return _at_end(rows, types, max)


def _at_end(rows: Rows, types: Sequence[Type], end: Callable[..., Any]) -> Any:
    by, value = order(types[1]), order(types[0])
    known = [row for row in rows if row[0] is not None and row[1] is not None]
    if not known:
        return None
    edge = end(by(row[1]) for row in known)
    return min((one for row in known if by(row[1]) == edge for one in many(row[0])), key=value)


@aggregate("top(same, long, keyword?) -> same[]")
def top(rows: Rows, *, types: Sequence[Type], constants: Sequence[Any]) -> Any:
    """The first values in ``asc`` (unless said otherwise) or ``desc`` order; equal ones count
    each."""
    number, *direction = constants
    descending = bool(direction) and str(direction[0]).lower() == "desc"
    return single(sorted(_flat(rows), key=order(types[0]), reverse=descending)[:number])


@aggregate("weighted_avg(number, number) -> double")
def weighted_average(rows: Rows) -> Any:
    known = [(row[0], row[1]) for row in rows if row[0] is not None and row[1] is not None]
    weight = math.fsum(weight for _, weight in known)
    return math.fsum(value * weight for value, weight in known) / weight if weight else None


@aggregate("present(any) -> boolean")
def present(rows: Rows) -> bool:
    return bool(_flat(rows))


@aggregate("absent(any) -> boolean")
def absent(rows: Rows) -> bool:
    return not _flat(rows)
