"""Run the commands of a query over rows: the stages, and STATS over a group of hits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec

from detector.ecs.values import Value, many
from detector.esql.expressions.scope import GROUP, NOW, TIME, Getter, RowLayout, RowSlots
from detector.esql.plan.accumulators import (
    BatchAggregator,
    BoundAggregate,
    Inputs,
    SlidingAggregator,
)


class Expand(msgspec.Struct, frozen=True):
    """MV_EXPAND: makes a row for each value of ``read``, with the value in ``slot``."""

    read: Getter
    slot: int


Stage = Getter | Expand
"""A stage of the pipeline: a condition that must be true, or an expansion."""


def run_stages(
    stages: Sequence[Stage], row: RowSlots, first: int = 0, conditions: bool = True
) -> Iterator[RowSlots]:
    """Yield the rows that the stages make of ``row``.

    ``first`` is the index of the first stage to run. Without ``conditions``, condition stages are
    skipped."""
    for index in range(first, len(stages)):
        stage = stages[index]
        if isinstance(stage, Expand):
            for value in many(stage.read(row)) or [None]:
                expanded = row.copy()
                expanded[stage.slot] = value
                yield from run_stages(stages, expanded, index + 1, conditions)
            return
        if conditions and stage(row) is not True:
            return
    yield row


class HitGroup(Protocol):
    """The hits of a group, which are added and retracted in order."""

    def add(self, row: Inputs, /) -> None: ...
    def retract(self) -> None: ...
    def __len__(self) -> int: ...


class GroupSpan(msgspec.Struct, frozen=True):
    """The start of a group of hits and its value of NOW(), in epoch seconds, and its key."""

    start: int
    now: int
    key: Sequence[Value]

    def place(self, row: RowSlots) -> None:
        """Set the time and NOW() of a row."""
        row[TIME] = self.start * 1000
        row[NOW] = self.now * 1000


class Grouping(msgspec.Struct, frozen=True):
    """STATS and the commands after it, compiled."""

    layout: RowLayout
    key_slots: tuple[int, ...]
    window_slot: int | None
    aggregates: tuple[BoundAggregate, ...]
    stages: tuple[Stage, ...]

    merges = False

    def new_group(self) -> HitGroup:
        """Make an empty group."""
        return SlidingAggregator(self.aggregates)

    def whole_group(self, inputs: Sequence[Inputs]) -> object:
        """Make a complete group of hits."""
        return BatchAggregator(self.aggregates, inputs)

    def rows(self, group: object, span: GroupSpan, conditions: bool) -> Iterator[RowSlots]:
        """Yield a group's rows after the stages: at most one, unless MV_EXPAND makes more."""
        row = self.layout.new_row()
        row[GROUP] = group
        span.place(row)
        if self.window_slot is not None:
            row[self.window_slot] = span.start * 1000
        for slot, value in zip(self.key_slots, span.key, strict=True):
            row[slot] = value
        return run_stages(self.stages, row, conditions=conditions)
