"""A query, compiled: rows from records, and results from groups of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

from detector.cloudtrail.record import Record
from detector.ecs.values import Type, Value, many, order, shown
from detector.esql.plan.accumulators import (
    BatchAggregator,
    BoundAggregate,
    Group,
    Inputs,
    SlidingAggregator,
)
from detector.esql.plan.predicate_analysis import Pairs
from detector.esql.plan.prefilter import Prefilter
from detector.esql.scope import GROUP, NOW, RECORD, TIME, CompiledExpr, Getter, Row, RowLayout

Shape = Literal["window", "lookback", "filter", "terms"]
SortableResult = tuple[dict[str, Value], list[Any]]


@dataclass(frozen=True, slots=True)
class Expand:
    """MV_EXPAND: a row for each value that ``read`` gives; each finds its own in ``slot``."""

    read: Getter
    slot: int


Stage = Getter | Expand
"""What a row goes through: a condition that must be true, or an expansion."""


@dataclass(frozen=True, slots=True)
class Ordering:
    """One key of SORT."""

    read: Getter
    type: Type
    descending: bool
    nulls_first: bool

    def key(self, row: Row) -> tuple[bool, Any]:
        """Of several values the least counts, descending the greatest."""
        values, by = many(self.read(row)), order(self.type)
        if not values:
            return self.nulls_first == self.descending, ""
        return self.nulls_first != self.descending, (max if self.descending else min)(
            map(by, values)
        )


@dataclass(frozen=True, slots=True)
class Grouping:
    """What follows STATS: the slots of the keys, the aggregates, and the conditions on what they
    gave."""

    layout: RowLayout
    key_slots: tuple[int, ...]
    window_slot: int | None
    aggregates: tuple[BoundAggregate, ...]
    stages: tuple[Stage, ...]


def passing(
    stages: Sequence[Stage], row: Row, at: int = 0, conditions: bool = True
) -> Iterator[Row]:
    """The rows that ``row`` becomes; with no ``conditions``, also where one does not hold."""
    for place in range(at, len(stages)):
        stage = stages[place]
        if isinstance(stage, Expand):
            for value in many(stage.read(row)) or [None]:
                expanded = row.copy()
                expanded[stage.slot] = value
                yield from passing(stages, expanded, place + 1, conditions)
            return
        if conditions and stage(row) is not True:
            return
    yield row


@dataclass(frozen=True, slots=True)
class Query:
    """A query that groups (``grouping``), or one that does not.

    ``shape``: *window*, groups by a window of time; *lookback*, groups over all that it is run on;
    *filter*, each event by itself; *terms*, the first event of each combination of values.
    ``dispatch``: what (event.provider, event.action) a record must have to get through, None being
    any; ``gate``: what must hold of its head. ``window``: the seconds within which hits belong
    together, and ``window_column`` its name; None where each event stands by itself, or the query
    says nothing of it. ``key_names``: what else they must have in common. ``minimum``: no group of
    fewer hits gives a result. ``columns``: what the query returns, by name, in order. ``orders``
    and ``limit``: which results come first, and how many are wanted. ``thresholds``: what must hold
    of a group, each in words. ``canonical``: the same for queries that say the same."""

    text: str
    canonical: str
    shape: Shape
    prefilter: Prefilter
    required_pairs: Pairs
    window: int | None
    window_column: str | None
    key_names: tuple[str, ...]
    min_hits: int
    columns: dict[str, CompiledExpr]
    sparse: bool
    layout: RowLayout
    stages: tuple[Stage, ...]
    keys: tuple[CompiledExpr, ...]
    inputs: tuple[CompiledExpr, ...]
    grouping: Grouping | None
    orders: tuple[Ordering, ...]
    limit: int | None
    thresholds: tuple[str, ...]

    def rows(
        self, record: Record, time: int, now: int | None = None
    ) -> list[tuple[tuple[Value, ...], Inputs]]:
        """What ``record`` adds to which groups: (key values, inputs of the aggregates), several for
        a multivalued key.

        ``time`` is the event's, in seconds since the epoch; ``now`` is what NOW() says, the event's
        own time unless given. Empty where the filter is not true. A query that does not group has
        its columns as inputs."""
        found: list[tuple[tuple[Value, ...], Inputs]] = []
        for row in passing(self.stages, self._row(record, time, now)):
            inputs = tuple([code.read(row) for code in self.inputs])
            values = [many(code.read(row)) or [None] for code in self.keys]
            found.extend((key, inputs) for key in product(*values))
        return found

    def accepts(self, record: Record, time: int) -> bool:
        """Whether ``record`` gets through the filter: ``rows`` would not be empty."""
        return any(True for _ in passing(self.stages, self._row(record, time, None)))

    def _row(self, record: Record, time: int, now: int | None) -> Row:
        row = self.layout.new_row()
        row[RECORD], row[TIME], row[NOW] = (
            record,
            time * 1000,
            (time if now is None else now) * 1000,
        )
        return row

    def filter_results(self, record: Record, time: int) -> Iterator[SortableResult]:
        """What a query that does not group returns for ``record``, with what it is sorted by."""
        for row in passing(self.stages, self._row(record, time, None)):
            yield (
                self._shown([code.read(row) for code in self.inputs]),
                [order.key(row) for order in self.orders],
            )

    def sliding_aggregator(self) -> SlidingAggregator:
        """A group to add inputs to. Of a query that groups."""
        assert self.grouping is not None
        return SlidingAggregator(self.grouping.aggregates)

    def group_passes(
        self, group: Group, window_start: int, key: Sequence[Value], now: int | None = None
    ) -> bool:
        """Whether the conditions after STATS hold of a group."""
        return any(True for _ in self._grouped(group, window_start, key, now, conditions=True))

    def result(
        self,
        window_start: int,
        key: Sequence[Value],
        inputs: Sequence[Inputs],
        now: int | None = None,
        conditions: bool = True,
    ) -> dict[str, Value] | None:
        """What the query returns for one group, by column; None where a condition after STATS drops
        it.

        ``window_start`` is in seconds since the epoch, ``now`` what NOW() says (the window's end
        unless given). With no ``conditions`` there is a result whatever they say."""
        if self.grouping is None:
            return self._shown(inputs[0])
        group = BatchAggregator(self.grouping.aggregates, inputs)
        for row in self._grouped(group, window_start, key, now, conditions):
            return self._shown([code.read(row) for code in self.columns.values()])
        return None

    def group_results(
        self,
        window_start: int,
        key: Sequence[Value],
        inputs: Sequence[Inputs],
        now: int | None = None,
    ) -> Iterator[SortableResult]:
        """All that the query returns for one group, with what it is sorted by."""
        assert self.grouping is not None
        for row in self._grouped(
            BatchAggregator(self.grouping.aggregates, inputs),
            window_start,
            key,
            now,
            conditions=True,
        ):
            yield (
                self._shown([code.read(row) for code in self.columns.values()]),
                [order.key(row) for order in self.orders],
            )

    def _grouped(
        self,
        group: Group,
        window_start: int,
        key: Sequence[Value],
        now: int | None,
        conditions: bool,
    ) -> Iterator[Row]:
        grouping = self.grouping
        assert grouping is not None
        row = grouping.layout.new_row()
        row[GROUP], row[TIME] = group, window_start * 1000
        row[NOW] = (window_start + (self.window or 0) if now is None else now) * 1000
        if grouping.window_slot is not None:
            row[grouping.window_slot] = window_start * 1000
        for slot, value in zip(grouping.key_slots, key, strict=True):
            row[slot] = value
        return passing(grouping.stages, row, conditions=conditions)

    def _shown(self, values: Sequence[Any]) -> dict[str, Value]:
        """Where a column can have several values it is a list even of one."""
        result: dict[str, Value] = {}
        for (name, code), value in zip(self.columns.items(), values, strict=True):
            if value is not None:
                result[name] = shown(many(value) if code.many else value, code.type)
            elif not self.sparse:
                result[name] = None
        return result

    def shown_key(self, key: Sequence[Value]) -> dict[str, Value]:
        """Key values by column, dates as text."""
        columns = zip(self.key_names, key, self.keys, strict=True)
        return {name: shown(value, code.type) for name, value, code in columns}
