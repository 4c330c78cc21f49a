"""Aggregate groups of rows, either at once or incrementally as rows are added and retracted.

In a sliding group, rows are added at one end and retracted at the other. The aggregates that most
rules use are updated row by row, at a cost proportional to the change; the others are recomputed
from the current rows.
"""

from __future__ import annotations

import operator
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from detector.ecs.values import Type, Value, in_range, many, order, single
from detector.esql.functions.aggregates import Aggregate

Inputs = tuple[Value, ...]
"""The values of a row that the aggregates of a query need."""


class BoundAggregate(msgspec.Struct, frozen=True):
    """An aggregate over the inputs at the indexes ``arguments``.

    ``condition``: only rows whose input at this index is true count; None means all rows."""

    aggregate: Aggregate
    types: tuple[Type, ...]
    constants: tuple[Any, ...]
    arguments: tuple[int, ...]
    condition: int | None

    def counts(self, row: Inputs) -> bool:
        return self.condition is None or row[self.condition] is True

    def compute(self, rows: Sequence[Inputs]) -> Any:
        if self.condition is not None:
            rows = [row for row in rows if self.counts(row)]
        return self.aggregate.compute(rows, self.arguments, self.types, self.constants)

    def input_values(self, row: Inputs) -> list[Any]:
        """Return the values of the first argument, or the row itself for COUNT(*)."""
        return many(row[self.arguments[0]]) if self.arguments else [row]


class BatchAggregator:
    """The aggregates of a complete group of rows."""

    def __init__(self, aggregates: Sequence[BoundAggregate], rows: Sequence[Inputs]) -> None:
        self._aggregates, self._rows = aggregates, rows

    def value(self, index: int) -> Any:
        return self._aggregates[index].compute(self._rows)


class SlidingAggregator:
    """The aggregates of a group to which rows are added and from which they are retracted in order.

    An accumulator is created when its aggregate is requested a second time: most groups are too
    small to need one, windows that do not overlap are evaluated once, and most conditions need only
    a few of the aggregates."""

    def __init__(self, aggregates: Sequence[BoundAggregate]) -> None:
        self._aggregates = aggregates
        self._rows: deque[Inputs] = deque()
        self._accumulators: dict[int, _Accumulator | None] = {}
        """By aggregate index; None for an aggregate that must be recomputed each time."""
        self._asked: set[int] = set()

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: Inputs) -> None:
        """Add a row at the end."""
        self._rows.append(row)
        for index, accumulator in self._accumulators.items():
            if accumulator is not None:
                _accumulate(accumulator, self._aggregates[index], row)

    def retract(self) -> None:
        """Remove the oldest row."""
        row = self._rows.popleft()
        for index, accumulator in self._accumulators.items():
            aggregate = self._aggregates[index]
            if accumulator is not None and aggregate.counts(row):
                accumulator.retract(aggregate.input_values(row))

    def value(self, index: int) -> Any:
        aggregate = self._aggregates[index]
        if index not in self._accumulators:
            if index not in self._asked:
                self._asked.add(index)
                return aggregate.compute(self._rows)
            self._accumulators[index] = self._new_accumulator(aggregate)
        accumulator = self._accumulators[index]
        if accumulator is None:
            return aggregate.compute(self._rows)
        return accumulator.value()

    def _new_accumulator(self, aggregate: BoundAggregate) -> _Accumulator | None:
        """Make an accumulator of the current rows; None if the aggregate has none."""
        make = _ACCUMULATORS.get(aggregate.aggregate.signature.name)
        accumulator = make(aggregate.types) if make else None
        if accumulator is not None:
            for row in self._rows:
                _accumulate(accumulator, aggregate, row)
        return accumulator


def _accumulate(accumulator: _Accumulator, aggregate: BoundAggregate, row: Inputs) -> None:
    if aggregate.counts(row):
        accumulator.add(aggregate.input_values(row))


class _Accumulator(Protocol):
    """An aggregate that is updated as rows are added and retracted."""

    def add(self, values: list[Any]) -> None: ...
    def retract(self, values: list[Any]) -> None: ...
    def value(self) -> Any: ...


class _Count:
    def __init__(self) -> None:
        self.count = 0

    def add(self, values: list[Any]) -> None:
        self.count += len(values)

    def retract(self, values: list[Any]) -> None:
        self.count -= len(values)

    def value(self) -> Any:
        return self.count


class _IntegerSum(_Count):
    total = 0

    def add(self, values: list[Any]) -> None:
        super().add(values)
        self.total += sum(values)

    def retract(self, values: list[Any]) -> None:
        super().retract(values)
        self.total -= sum(values)

    def value(self) -> Any:
        return in_range(self.total, "long") if self.count else None


class _CountDistinct:
    def __init__(self) -> None:
        self.counts: dict[Any, int] = defaultdict(int)

    def add(self, values: list[Any]) -> None:
        for value in values:
            self.counts[value] += 1

    def retract(self, values: list[Any]) -> None:
        for value in values:
            self.counts[value] -= 1
            if not self.counts[value]:
                del self.counts[value]

    def value(self) -> Any:
        return len(self.counts)


class _DistinctValues(_CountDistinct):
    def value(self) -> Any:
        return single(sorted(self.counts))


class _Extreme:
    """The minimum or maximum, as a monotonic queue.

    A row that a later row equals or beats can never become the extreme, so it is dropped."""

    def __init__(self, type: Type, greatest: bool) -> None:
        self.sort_key = order(type)
        self.extreme = max if greatest else min
        self.outdoes = operator.ge if greatest else operator.le
        self.added = self.retracted = 0
        self.candidates: deque[tuple[int, Any, Any]] = deque()
        """(row number, sort key, value), the best first."""

    def add(self, values: list[Any]) -> None:
        if values:
            value = self.extreme(values, key=self.sort_key)
            key = self.sort_key(value)
            while self.candidates and self.outdoes(key, self.candidates[-1][1]):
                self.candidates.pop()
            self.candidates.append((self.added, key, value))
        self.added += 1

    def retract(self, _values: list[Any]) -> None:
        if self.candidates and self.candidates[0][0] == self.retracted:
            self.candidates.popleft()
        self.retracted += 1

    def value(self) -> Any:
        return self.candidates[0][2] if self.candidates else None


def _integer_sum(types: Sequence[Type]) -> _Accumulator | None:
    """Return None for doubles: their sum cannot be updated exactly and must be recomputed."""
    return None if types[0] == "double" else _IntegerSum()


_ACCUMULATORS: dict[str, Callable[[Sequence[Type]], _Accumulator | None]] = {
    "count": lambda _: _Count(),
    "count_distinct": lambda _: _CountDistinct(),
    "values": lambda _: _DistinctValues(),
    "sum": _integer_sum,
    "min": lambda types: _Extreme(types[0], greatest=False),
    "max": lambda types: _Extreme(types[0], greatest=True),
}
