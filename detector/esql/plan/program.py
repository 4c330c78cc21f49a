"""Run several grouping commands in succession over the hits of a group.

The first works on a table of the hits, each later one on the rows that result from the previous
one. The result is a function of the set of hits.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Any

import msgspec

from detector.ecs.values import many
from detector.esql.expressions.scope import Getter, RowLayout, RowSlots
from detector.esql.plan.accumulators import (
    BatchAggregator,
    BoundAggregate,
    Inputs,
    SlidingAggregator,
)
from detector.esql.plan.grouping import GroupSpan, HitGroup, Stage, run_stages


class HitRows:
    """The hits of a group, kept as they are, for programs that need all of them each time."""

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
    """The aggregates of a group that several rows share; each is computed once."""

    def __init__(self, aggregates: Sequence[BoundAggregate], rows: Sequence[Inputs]) -> None:
        super().__init__(aggregates, rows)
        self._values: dict[int, Any] = {}

    def value(self, index: int) -> Any:
        if index not in self._values:
            self._values[index] = super().value(index)
        return self._values[index]


class TableLevel(msgspec.Struct, frozen=True):
    """A compiled STATS or INLINE STATS with the commands after it.

    ``keys`` and ``inputs`` read a row of the previous level. INLINE STATS (``keeps_rows``) puts its
    aggregates into ``group_slot`` of the existing rows; STATS makes a row of ``layout`` for each
    group, with its keys in ``key_slots``."""

    keeps_rows: bool
    layout: RowLayout
    keys: tuple[Getter, ...]
    key_slots: tuple[int, ...]
    inputs: tuple[Getter, ...]
    aggregates: tuple[BoundAggregate, ...]
    group_slot: int
    stages: tuple[Stage, ...]

    def apply(self, rows: Sequence[RowSlots], span: GroupSpan) -> list[RowSlots]:
        """Group rows and return the resulting rows, before the stages run."""
        groups: dict[tuple[Any, ...], list[RowSlots]] = defaultdict(list)
        if not self.keys and not self.keeps_rows:
            groups[()] = []  # without BY there is one group, even an empty one
        for row in rows:
            for key in self.groups_of(row):
                groups[key].append(row)
        if self.keeps_rows:
            for members in groups.values():
                aggregator = self._aggregator(members)
                for row in members:
                    row[self.group_slot] = aggregator
            return list(rows)
        return [
            self.group_row(key, self._aggregator(members), span) for key, members in groups.items()
        ]

    def groups_of(self, row: RowSlots) -> list[tuple[Any, ...]]:
        """Return the keys of the groups to which a row belongs."""
        return list(product(*[many(read(row)) or [None] for read in self.keys]))

    def inputs_of(self, row: RowSlots) -> Inputs:
        """Return the values of a row that the aggregates need."""
        return tuple([read(row) for read in self.inputs])

    def group_row(self, key: Sequence[Any], aggregator: object, span: GroupSpan) -> RowSlots:
        """Make the row of a group, before the stages run."""
        row = self.layout.new_row()
        span.place(row)
        row[self.group_slot] = aggregator
        for slot, value in zip(self.key_slots, key, strict=True):
            row[slot] = value
        return row

    def _aggregator(self, members: Sequence[RowSlots]) -> _SharedAggregator:
        return _SharedAggregator(self.aggregates, list(map(self.inputs_of, members)))


class TableProgram(msgspec.Struct, frozen=True):
    """All commands from the first grouping command on, compiled.

    ``layout`` is that of the hits' rows. In it, ``input_slots`` hold a hit's inputs, ``key_slots``
    and ``window_slot`` what the group has in common. ``merges``: the resulting rows form a single
    result, because each belongs to an event. ``reads_clock``: columns depend on NOW()."""

    layout: RowLayout
    input_slots: tuple[int, ...]
    key_slots: tuple[int, ...]
    window_slot: int | None
    levels: tuple[TableLevel, ...]
    merges: bool
    reads_clock: bool

    def new_group(self) -> HitGroup:
        """Make an empty group."""
        if self.levels[0].keeps_rows or self.reads_clock or self.window_slot is not None:
            return HitRows()
        return MovingGroups(self)

    def whole_group(self, inputs: Sequence[Inputs]) -> object:
        """Make a complete group of hits."""
        return HitRows(inputs)

    def rows(self, group: object, span: GroupSpan, conditions: bool) -> Iterator[RowSlots]:
        """Yield the resulting rows of a group's hits.

        Without ``conditions``, those after the last grouping command are ignored; if no row would
        result, all conditions are ignored."""
        if isinstance(group, MovingGroups):
            return iter(self._run_from(1, group.rows(span), span, len(self.levels)))
        assert isinstance(group, HitRows)
        last = len(self.levels) - 1
        rows = self._run(group, span, last + 1 if conditions else last)
        if not rows and not conditions:
            rows = self._run(group, span, 0)
        return iter(rows)

    def _run(self, group: HitRows, span: GroupSpan, checked: int) -> list[RowSlots]:
        """Run all levels; only the first ``checked`` levels apply their conditions."""
        rows = [self.hit_row(inputs, span) for inputs in group]
        return self._run_from(0, rows, span, checked)

    def _run_from(
        self, first: int, rows: list[RowSlots], span: GroupSpan, checked: int
    ) -> list[RowSlots]:
        """Run the levels from index ``first`` on."""
        for index, level in enumerate(self.levels[first:], first):
            rows = [
                left
                for row in level.apply(rows, span)
                for left in run_stages(level.stages, row, conditions=index < checked)
            ]
        return rows

    def hit_row(self, inputs: Inputs, span: GroupSpan) -> RowSlots:
        """Make the row of a hit."""
        row = self.layout.new_row()
        span.place(row)
        for slot, value in zip(self.input_slots, inputs, strict=True):
            row[slot] = value
        for slot, value in zip(self.key_slots, span.key, strict=True):
            row[slot] = value
        if self.window_slot is not None:
            row[self.window_slot] = span.start * 1000
        return row


class MovingGroups:
    """The groups of a program's first STATS, updated as hits are added and retracted.

    The cost of a step depends on the changed groups and the remaining rows, not on all hits: only
    the groups to which a hit was added, or from which it was retracted, are recomputed."""

    def __init__(self, program: TableProgram) -> None:
        self._program = program
        self._level = program.levels[0]
        self._waiting: deque[Inputs] = deque()
        """Hits that were added since the groups were last requested."""
        self._joined: deque[list[tuple[Any, ...]]] = deque()
        """The group keys of each other hit."""
        self._groups: dict[tuple[Any, ...], SlidingAggregator] = {}
        self._rows: dict[tuple[Any, ...], list[RowSlots]] = {}

    def __len__(self) -> int:
        return len(self._joined) + len(self._waiting)

    def add(self, row: Inputs) -> None:
        """Add a hit at the end."""
        self._waiting.append(row)

    def retract(self) -> None:
        """Remove the oldest hit."""
        if not self._joined:
            self._waiting.popleft()
            return
        for key in self._joined.popleft():
            group = self._groups[key]
            group.retract()
            self._rows.pop(key, None)
            if not len(group):
                del self._groups[key]

    def rows(self, span: GroupSpan) -> list[RowSlots]:
        """Return the rows of all groups after the first STATS and its stages."""
        while self._waiting:
            self._join(self._program.hit_row(self._waiting.popleft(), span))
        if not self._groups and not self._level.keys:
            self._groups[()] = SlidingAggregator(self._level.aggregates)
        for key, group in self._groups.items():
            if key not in self._rows:
                row = self._level.group_row(key, group, span)
                self._rows[key] = list(run_stages(self._level.stages, row))
        # Later levels write into the rows.
        return [row.copy() for key in self._groups for row in self._rows[key]]

    def _join(self, row: RowSlots) -> None:
        keys, inputs = self._level.groups_of(row), self._level.inputs_of(row)
        for key in keys:
            group = self._groups.get(key)
            if group is None:
                group = self._groups[key] = SlidingAggregator(self._level.aggregates)
            group.add(inputs)
            self._rows.pop(key, None)
        self._joined.append(keys)
