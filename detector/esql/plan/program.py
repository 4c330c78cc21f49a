"""Run several commands that group, one after the other, over the hits of a group.

The first one works on a table of the hits, each later one on the rows that the one before it left.
The whole is a function of the set of hits.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from detector.ecs.values import many
from detector.esql.expressions.scope import Getter, RowLayout, RowSlots
from detector.esql.plan.accumulators import BatchAggregator, BoundAggregate, Inputs
from detector.esql.plan.grouping import GroupSpan, HitGroup, Stage, run_stages


class HitRows:
    """The hits of a group as they are: what groups them anew needs all."""

    def __init__(self, inputs: Iterable[Inputs] = ()) -> None:
        self._inputs = deque(inputs)

    def __len__(self) -> int:
        return len(self._inputs)

    def __iter__(self) -> Iterator[Inputs]:
        return iter(self._inputs)

    def add(self, row: Inputs) -> None:
        """Add a hit at the end."""
        self._inputs.append(row)

    def retract(self) -> None:
        """Remove the oldest hit."""
        self._inputs.popleft()


class _SharedAggregator(BatchAggregator):
    """The aggregates of a group that several rows read: each is computed once."""

    def __init__(self, aggregates: Sequence[BoundAggregate], rows: Sequence[Inputs]) -> None:
        super().__init__(aggregates, rows)
        self._values: dict[int, Any] = {}

    def value(self, index: int) -> Any:
        if index not in self._values:
            self._values[index] = super().value(index)
        return self._values[index]


@dataclass(frozen=True, slots=True)
class TableLevel:
    """A STATS or INLINE STATS, and the commands after it, compiled.

    ``keys`` and ``inputs`` read a row of the level before. INLINE STATS (``keeps_rows``) puts its
    aggregates into ``group_slot`` of the rows that are there; STATS makes a row for each group, of
    ``layout``, with its keys in ``key_slots``."""

    keeps_rows: bool
    layout: RowLayout
    keys: tuple[Getter, ...]
    key_slots: tuple[int, ...]
    inputs: tuple[Getter, ...]
    aggregates: tuple[BoundAggregate, ...]
    group_slot: int
    stages: tuple[Stage, ...]

    def apply(self, rows: Sequence[RowSlots], span: GroupSpan) -> list[RowSlots]:
        """Group rows, and return those that come of it, before the stages."""
        groups: dict[tuple[Any, ...], list[RowSlots]] = defaultdict(list)
        if not self.keys and not self.keeps_rows:
            groups[()] = []  # without BY there is one group, even an empty one
        for row in rows:
            for key in product(*[many(read(row)) or [None] for read in self.keys]):
                groups[key].append(row)
        if self.keeps_rows:
            for members in groups.values():
                aggregator = self._aggregator(members)
                for row in members:
                    row[self.group_slot] = aggregator
            return list(rows)
        return [self._group_row(key, members, span) for key, members in groups.items()]

    def _group_row(
        self, key: Sequence[Any], members: Sequence[RowSlots], span: GroupSpan
    ) -> RowSlots:
        row = self.layout.new_row()
        span.place(row)
        row[self.group_slot] = self._aggregator(members)
        for slot, value in zip(self.key_slots, key, strict=True):
            row[slot] = value
        return row

    def _aggregator(self, members: Sequence[RowSlots]) -> _SharedAggregator:
        inputs = [tuple([read(row) for read in self.inputs]) for row in members]
        return _SharedAggregator(self.aggregates, inputs)


@dataclass(frozen=True, slots=True)
class TableProgram:
    """All commands from the first that groups, compiled.

    ``layout``: that of the hits' rows; ``input_slots``, ``key_slots`` and ``window_slot``: where a
    hit's inputs and what the group has in common stand in it. ``merges``: the rows that are left
    are one result, since each is an event's."""

    layout: RowLayout
    input_slots: tuple[int, ...]
    key_slots: tuple[int, ...]
    window_slot: int | None
    levels: tuple[TableLevel, ...]
    merges: bool

    def new_group(self) -> HitGroup:
        """Make an empty group."""
        return HitRows()

    def whole_group(self, inputs: Sequence[Inputs]) -> object:
        """Make a group of hits that are all there."""
        return HitRows(inputs)

    def rows(self, group: object, span: GroupSpan, conditions: bool) -> Iterator[RowSlots]:
        """Yield the rows that a group's hits become.

        Without ``conditions``, those after the last command that groups do not count; none does
        where no row would be left."""
        assert isinstance(group, HitRows)
        last = len(self.levels) - 1
        rows = self._run(group, span, last + 1 if conditions else last)
        if not rows and not conditions:
            rows = self._run(group, span, 0)
        return iter(rows)

    def _run(self, group: HitRows, span: GroupSpan, checked: int) -> list[RowSlots]:
        """Run the levels; of the first ``checked`` the conditions count."""
        rows = [self._hit_row(inputs, span) for inputs in group]
        for index, level in enumerate(self.levels):
            rows = [
                left
                for row in level.apply(rows, span)
                for left in run_stages(level.stages, row, conditions=index < checked)
            ]
        return rows

    def _hit_row(self, inputs: Inputs, span: GroupSpan) -> RowSlots:
        row = self.layout.new_row()
        span.place(row)
        for slot, value in zip(self.input_slots, inputs, strict=True):
            row[slot] = value
        for slot, value in zip(self.key_slots, span.key, strict=True):
            row[slot] = value
        if self.window_slot is not None:
            row[self.window_slot] = span.start * 1000
        return row
