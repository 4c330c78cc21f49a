"""A query, compiled: rows from records, and results from groups of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

from detector.alert import Value
from detector.record import Record
from detector.rules.bounds import Pairs
from detector.rules.scope import NOW, RECORD, TIME, Code, Frame, Read, Row
from detector.values import many, shown

Shape = Literal["window", "lookback", "filter"]
Inputs = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Expand:
    """MV_EXPAND: a row for each value that ``read`` gives; each finds its own in ``slot``."""

    read: Read
    slot: int


Stage = Read | Expand
"""What a row goes through: a condition that must be true, or an expansion."""


@dataclass(frozen=True, slots=True)
class Aggregated:
    """An aggregate over the inputs at ``arguments``, of the rows whose input at ``condition`` is true."""

    compute: Callable[[Sequence[Sequence[Any]]], Any]
    arguments: tuple[int, ...]
    condition: int | None
    slot: int

    def over(self, rows: Sequence[Inputs]) -> Any:
        if self.condition is not None:
            rows = [row for row in rows if row[self.condition] is True]
        return self.compute([[row[place] for place in self.arguments] for row in rows])


@dataclass(frozen=True, slots=True)
class Grouping:
    """What follows STATS: the slots of the keys, the aggregates, and the conditions on what they gave."""

    frame: Frame
    key_slots: tuple[int, ...]
    window_slot: int | None
    aggregated: tuple[Aggregated, ...]
    stages: tuple[Stage, ...]


def passing(stages: Sequence[Stage], row: Row, at: int = 0) -> Iterator[Row]:
    """The rows that ``row`` becomes."""
    for place in range(at, len(stages)):
        stage = stages[place]
        if isinstance(stage, Expand):
            for value in many(stage.read(row)) or [None]:
                expanded = row.copy()
                expanded[stage.slot] = value
                yield from passing(stages, expanded, place + 1)
            return
        if stage(row) is not True:
            return
    yield row


@dataclass(frozen=True, slots=True)
class Query:
    """A query that groups (``grouping``), or one that only filters.

    ``dispatch``: what (event.provider, event.action) a record must have to get through, None being any.
    ``window``: seconds, and ``window_column`` its name; None for a query without one. ``key_names``: the other columns
    of BY. ``minimum``: no group of fewer hits gives a result. ``columns``: what the query returns, by name, in order.
    ``thresholds``: what must hold of a group, each in words. ``canonical``: the same for queries that say the same.
    """

    text: str
    canonical: str
    shape: Shape
    dispatch: Pairs
    window: int | None
    window_column: str | None
    key_names: tuple[str, ...]
    minimum: int
    columns: dict[str, Code]
    sparse: bool
    frame: Frame
    stages: tuple[Stage, ...]
    keys: tuple[Code, ...]
    inputs: tuple[Code, ...]
    grouping: Grouping | None
    thresholds: tuple[str, ...]

    def rows(self, record: Record, time: int, now: int | None = None) -> list[tuple[tuple[Value, ...], Inputs]]:
        """What ``record`` adds to which groups: (key values, inputs of the aggregates), several for a multivalued key.

        ``time`` is the event's, in seconds since the epoch; ``now`` is what NOW() says, the event's own time unless
        given. Empty where the filter is not true. A query that only filters has no keys, and its columns as inputs.
        """
        found: list[tuple[tuple[Value, ...], Inputs]] = []
        for row in passing(self.stages, self._row(record, time, now)):
            inputs = tuple([code.read(row) for code in self.inputs])
            values = [many(code.read(row)) or [None] for code in self.keys]
            found.extend((key, inputs) for key in product(*values))
        return found

    def _row(self, record: Record, time: int, now: int | None) -> Row:
        row = self.frame.blank()
        row[RECORD], row[TIME], row[NOW] = record, time * 1000, (time if now is None else now) * 1000
        return row

    def result(self, window_start: int, key: Sequence[Value], inputs: Sequence[Inputs],
               now: int | None = None) -> dict[str, Value] | None:
        """What the query returns for one group, by column; None where a condition after STATS drops it.

        ``window_start`` is in seconds since the epoch, ``now`` what NOW() says (the window's end unless given).
        """
        group = self.grouping
        if group is None:
            return self._shown(inputs[0])
        row = group.frame.blank()
        row[TIME] = window_start * 1000
        row[NOW] = (window_start + (self.window or 0) if now is None else now) * 1000
        if group.window_slot is not None:
            row[group.window_slot] = window_start * 1000
        for slot, value in zip(group.key_slots, key, strict=True):
            row[slot] = value
        for each in group.aggregated:
            row[each.slot] = each.over(inputs)
        for passed in passing(group.stages, row):
            return self._shown([code.read(passed) for code in self.columns.values()])
        return None

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
