"""Groups of rows, and what their aggregates are: of one that is all there, and of one that moves along in time.

In a group that moves, rows come in at one end and leave at the other. The aggregates that most rules use are kept up
row by row, so that a step costs what it changes; the others are computed again from the rows that are in.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from detector.ecs.values import Type, Value, in_range, many, order, single
from detector.esql.aggregates import Aggregate

Inputs = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class BoundAggregate:
    """An aggregate over the inputs at ``arguments``, of the rows whose input at ``condition`` is
    true."""

    aggregate: Aggregate
    types: tuple[Type, ...]
    constants: tuple[Any, ...]
    arguments: tuple[int, ...]
    condition: int | None

    def takes(self, row: Inputs) -> bool:
        return self.condition is None or row[self.condition] is True

    def over(self, rows: Sequence[Inputs]) -> Any:
        return self.aggregate.settled(self.types, self.constants)(
            [[row[place] for place in self.arguments] for row in rows if self.takes(row)]
        )


class Group(Protocol):
    def value(self, place: int) -> Any:
        """Of the aggregate at ``place``."""


class BatchAggregator:
    """A group with all its rows."""

    def __init__(self, aggregates: Sequence[BoundAggregate], rows: Sequence[Inputs]) -> None:
        self._aggregates, self._rows = aggregates, rows

    def value(self, place: int) -> Any:
        return self._aggregates[place].over(self._rows)


class SlidingAggregator:
    """A group that rows join (``add``) and leave (``drop``), the first first.

    An aggregate is kept up from when it is asked for: most groups are too small for that, and most
    conditions ask for few of the aggregates."""

    def __init__(self, aggregates: Sequence[BoundAggregate]) -> None:
        self._aggregates = aggregates
        self._rows: deque[Inputs] = deque()
        self._kept: dict[int, _Accumulator | None] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: Inputs) -> None:
        self._rows.append(row)
        for place, kept in self._kept.items():
            if kept:
                _add(self._aggregates[place], row, kept)

    def retract(self) -> None:
        row = self._rows.popleft()
        for place, kept in self._kept.items():
            each = self._aggregates[place]
            if kept and each.takes(row):
                kept.retract(_values(each, row))

    def value(self, place: int) -> Any:
        each = self._aggregates[place]
        if place not in self._kept:
            self._kept[place] = self._begun(each)
        kept = self._kept[place]
        return each.over(self._rows) if kept is None else kept.value()

    def _begun(self, each: BoundAggregate) -> _Accumulator | None:
        if kept := _kept(each):
            for row in self._rows:
                _add(each, row, kept)
        return kept


def _add(each: BoundAggregate, row: Inputs, kept: _Accumulator) -> None:
    if each.takes(row):
        kept.add(_values(each, row))


def _values(each: BoundAggregate, row: Inputs) -> list[Any]:
    """What a row gives to an aggregate of one argument; COUNT(*) has none, and a row is one."""
    return many(row[each.arguments[0]]) if each.arguments else [row]


class _Accumulator(Protocol):
    def add(self, values: list[Any]) -> None: ...
    def retract(self, values: list[Any]) -> None: ...
    def value(self) -> Any: ...


class _Count:
    def __init__(self) -> None:
        self.number = 0

    def add(self, values: list[Any]) -> None:
        self.number += len(values)

    def retract(self, values: list[Any]) -> None:
        self.number -= len(values)

    def value(self) -> Any:
        return self.number


class _Sum(_Count):
    """Of whole numbers."""

    total = 0

    def add(self, values: list[Any]) -> None:
        super().add(values)
        self.total += sum(values)

    def retract(self, values: list[Any]) -> None:
        super().retract(values)
        self.total -= sum(values)

    def value(self) -> Any:
        return in_range(self.total, "long") if self.number else None


class _Distinct:
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


class _Values(_Distinct):
    def value(self) -> Any:
        return single(sorted(self.counts))


class _Extreme:
    """The least or the greatest: rows that a later one outdoes are forgotten at once."""

    def __init__(self, type: Type, greatest: bool) -> None:
        self.by, self.greatest = order(type), greatest
        self.added = self.dropped = 0
        self.best: deque[tuple[int, Any, Any]] = deque()

    def add(self, values: list[Any]) -> None:
        if values:
            value = (max if self.greatest else min)(values, key=self.by)
            key = self.by(value)
            while self.best and (
                self.best[-1][1] <= key if self.greatest else self.best[-1][1] >= key
            ):
                self.best.pop()
            self.best.append((self.added, key, value))
        self.added += 1

    def retract(self, _values: list[Any]) -> None:
        if self.best and self.best[0][0] == self.dropped:
            self.best.popleft()
        self.dropped += 1

    def value(self) -> Any:
        return self.best[0][2] if self.best else None


def _kept(each: BoundAggregate) -> _Accumulator | None:
    make = _KEPT.get(each.aggregate.signature.name)
    return make(each.types) if make else None


_KEPT: dict[str, Callable[[Sequence[Type]], _Accumulator | None]] = {
    "count": lambda _: _Count(),
    "count_distinct": lambda _: _Distinct(),
    "values": lambda _: _Values(),
    "sum": lambda types: None if types[0] == "double" else _Sum(),
    "min": lambda types: _Extreme(types[0], greatest=False),
    "max": lambda types: _Extreme(types[0], greatest=True),
}
