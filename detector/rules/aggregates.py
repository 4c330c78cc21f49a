"""The aggregate functions of STATS. Each is given the arguments of every row of a group, and is exact.

Nulls do not count; every value of a multivalue does.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from detector.rules.signature import Signature
from detector.values import Type, many, order, single

Rows = Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """``typed`` as for scalar functions."""

    signature: Signature
    implementation: Callable[..., Any]
    typed: bool


AGGREGATES: dict[str, Aggregate] = {}


def aggregate(signature: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(implementation: Callable[..., Any]) -> Callable[..., Any]:
        parsed = Signature.of(signature)
        typed = "types" in inspect.signature(implementation).parameters
        AGGREGATES[parsed.name] = Aggregate(parsed, implementation, typed)
        return implementation
    return register


def _flat(rows: Rows) -> list[Any]:
    """The values of the first argument over all rows."""
    return [value for row in rows for value in many(row[0])]


@aggregate("count(any?) -> long")
def count(rows: Rows) -> int:
    return len(_flat(rows)) if rows and rows[0] else len(rows)


@aggregate("count_distinct(any, integer?) -> long")
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
