"""Compute the aggregate functions of STATS, exactly.

An aggregate receives the values of its first argument over all rows of a group, or the arguments of
every row. Nulls are ignored; every value of a multivalue counts. The result depends on the set of
rows, not on their order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import msgspec

from detector.ecs.values import Type, in_range, many, order, single
from detector.esql.functions.median import median_of
from detector.esql.functions.registry import arguments_of
from detector.esql.functions.signature import Signature

_SEVERAL_OR_NONE = {list, type(None)}
_Values = Collection[Any]
"""The values of the first argument over all rows, with multivalues flattened."""
ArgumentRows = Sequence[Sequence[Any]]
"""The values of the arguments, row by row."""


class Aggregate(msgspec.Struct, frozen=True):
    """An aggregate function.

    ``takes`` are the names of the implementation's parameters: the ``values`` of the first
    argument, or the ``rows`` of all arguments; optionally the ``types`` of the arguments and the
    ``constants`` after the first."""

    signature: Signature
    implementation: Callable[..., Any]
    takes: frozenset[str]

    def drops_constant(self, position: int) -> bool:
        """Tell whether a constant argument is a parameter of the computation, not a row's value."""
        return "constants" in self.takes or self.signature.parameter(position).optional

    def compute(
        self,
        rows: Collection[Sequence[Any]],
        arguments: Sequence[int],
        types: Sequence[Type],
        constants: Sequence[Any],
    ) -> Any:
        """Aggregate rows; ``arguments`` are the indexes of the arguments in a row."""
        keywords: dict[str, Any] = {}
        if "types" in self.takes:
            keywords["types"] = types
        if "constants" in self.takes:
            keywords["constants"] = constants
        given: Collection[Any]
        if "rows" in self.takes:
            given = [[row[index] for index in arguments] for row in rows]
        elif arguments:
            given = _flatten([row[arguments[0]] for row in rows])
        else:  # COUNT(*) counts the rows themselves
            given = rows
        return self.implementation(given, **keywords)


AGGREGATES: dict[str, Aggregate] = {}


def refuse_constant(name: str, type: Type, value: Any) -> str | None:
    """Return why a constant after an aggregate's first argument is invalid; None if it is valid."""
    if value is None or isinstance(value, list):
        return f"one value must stand here, as {name} takes it"
    if name == "percentile" and not 0 <= value <= 100:
        return "a percentile is a number from 0 to 100"
    if name == "top" and type == "keyword" and value.lower() not in ("asc", "desc"):
        return "the order of top is asc or desc"
    if name == "top" and type != "keyword" and value < 1:
        return "top takes the number of values, at least 1"
    return None


def aggregate(signature: str, *aliases: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register an aggregate function under its name and ``aliases``."""

    def register(implementation: Callable[..., Any]) -> Callable[..., Any]:
        parsed = Signature.parse(signature)
        takes = frozenset(arguments_of(implementation))
        for name in (parsed.name, *aliases):
            AGGREGATES[name] = Aggregate(parsed, implementation, takes)
        return implementation

    return register


def _flatten(values: Sequence[Any]) -> Sequence[Any]:
    """Flatten values that may be multivalues or null."""
    if _SEVERAL_OR_NONE.isdisjoint(map(type, values)):
        return values
    return [value for each in values for value in many(each)]


@aggregate("count(any?) -> long")
def count_values(values: _Values) -> int:
    """Count values; without an argument, count rows."""
    return len(values)


@aggregate("count_distinct(any, long?) -> long")
def count_distinct(values: _Values) -> int:
    """Count distinct values exactly; the second argument, a precision, is unused."""
    return len(set(values))


@aggregate("values(same) -> same[]")
def distinct_values(values: _Values) -> Any:
    return single(sorted(set(values)))


@aggregate("min(same) -> same")
def minimum(values: _Values, *, types: Sequence[Type]) -> Any:
    return min(values, key=order(types[0]), default=None)


@aggregate("max(same) -> same")
def maximum(values: _Values, *, types: Sequence[Type]) -> Any:
    return max(values, key=order(types[0]), default=None)


@aggregate("sum(number) -> wide")
def total(values: _Values, *, types: Sequence[Type]) -> Any:
    if not values:
        return None
    if types[0] == "double":
        return in_range(_sum(values), "double")
    return in_range(sum(values), "long")


@aggregate("avg(number) -> double")
def average(values: _Values) -> Any:
    return in_range(_sum(values) / len(values), "double") if values else None


def _sum(values: Iterable[float]) -> float:
    """Sum exactly; return infinity if the sum exceeds a double."""
    try:
        return math.fsum(values)
    except OverflowError:
        return math.inf


@aggregate("median(number) -> double")
def median(values: _Values) -> Any:
    return float(median_of(values)) if values else None


@aggregate("percentile(number, number) -> double")
def percentile(values: _Values, *, constants: Sequence[Any]) -> Any:
    """Interpolate linearly between the two nearest values."""
    values = sorted(values)
    if not values or not constants or not 0 <= constants[0] <= 100:
        return None
    position = (len(values) - 1) * constants[0] / 100
    low = math.floor(position)
    high = min(low + 1, len(values) - 1)
    return float(values[low] + (values[high] - values[low]) * (position - low))


@aggregate("median_absolute_deviation(number) -> double")
def median_absolute_deviation(values: _Values) -> Any:
    if not values:
        return None
    center = median_of(values)
    return float(median_of([abs(value - center) for value in values]))


@aggregate("variance(number) -> double")
def variance(values: _Values) -> Any:
    if not values:
        return None
    mean = _sum(values) / len(values)
    squared = _sum((value - mean) ** 2 for value in values)
    return in_range(squared / len(values), "double")


@aggregate("std_dev(number) -> double")
def std_dev(values: _Values) -> Any:
    squared = variance(values)
    if squared is None:
        return None
    return math.sqrt(squared)


@aggregate("first(same, any) -> first{}")
def first(rows: ArgumentRows, *, types: Sequence[Type]) -> Any:
    """Return the value, whole if multivalued, of the row with the least second argument."""
    return _value_at_extreme(rows, types, min)


@aggregate("last(same, any) -> first{}")
def last(rows: ArgumentRows, *, types: Sequence[Type]) -> Any:
    """Return the value, whole if multivalued, of the row with the greatest second argument."""
    return _value_at_extreme(rows, types, max)


def _value_at_extreme(
    rows: ArgumentRows, types: Sequence[Type], extreme: Callable[..., Any]
) -> Any:
    """Return the value of the row with the extreme second argument.

    Rows whose second argument is null are used only if there are no others. Among ties, the least
    non-null value is returned: ES|QL may return any, but this is independent of row order."""
    sort_order, value_order = order(types[1]), order(types[0])
    values = [row[0] for row in rows]
    keyed = [(extreme(map(sort_order, many(row[1]))), row[0]) for row in rows if many(row[1])]
    if keyed:
        edge = extreme(key for key, _ in keyed)
        values = [value for key, value in keyed if key == edge]
    present = [value for value in values if value is not None]
    return min(present, key=lambda value: [*map(value_order, many(value))], default=None)


@aggregate("top(same, long, keyword?) -> same[]")
def top(values: _Values, *, types: Sequence[Type], constants: Sequence[Any]) -> Any:
    """Return the first values in ``asc`` (the default) or ``desc`` order, with duplicates."""
    limit, *direction = constants
    descending = bool(direction) and str(direction[0]).lower() == "desc"
    return single(sorted(values, key=order(types[0]), reverse=descending)[:limit])


@aggregate("weighted_avg(number, number) -> double")
def weighted_average(rows: ArgumentRows) -> Any:
    pairs = [(row[0], row[1]) for row in rows if _SEVERAL_OR_NONE.isdisjoint(map(type, row))]
    total_weight = _sum(weight for _, weight in pairs)
    if not total_weight:
        return None
    return in_range(_sum(value * weight for value, weight in pairs) / total_weight, "double")


@aggregate("present(any) -> boolean")
def is_present(values: _Values) -> bool:
    return bool(values)


@aggregate("absent(any) -> boolean")
def is_absent(values: _Values) -> bool:
    return not values
