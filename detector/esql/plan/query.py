"""Run a compiled query over records and groups of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any, Literal

from detector.cloudtrail.record import Record
from detector.ecs.values import Value, many, shown, single
from detector.esql import ast
from detector.esql.expressions.scope import (
    NOW,
    RECORD,
    TIME,
    CompiledExpr,
    RowLayout,
    RowSlots,
)
from detector.esql.plan.accumulators import Inputs
from detector.esql.plan.grouping import Grouping, GroupSpan, HitGroup, Stage, run_stages
from detector.esql.plan.predicate_analysis import MinSpan, Pairs
from detector.esql.plan.prefilter import Prefilter
from detector.esql.plan.program import TableProgram
from detector.esql.plan.sequence import CompiledSequence
from detector.esql.plan.shared_inputs import NO_INPUTS, SharedInputs
from detector.esql.plan.sort_key import SortKey
from detector.text.capped import capped_value

Shape = Literal["window", "lookback", "filter", "terms", "sequence"]
SortableResult = tuple[dict[str, Value], list[Any]]
"""A result by column, and its sort keys for SORT."""


@dataclass(frozen=True, slots=True)
class Query:
    """A compiled query; ``grouping`` is set if it has STATS.

    ``tree`` and ``key_nodes``: its source. ``canonical``: the ``repr`` of the tree, equal for
    queries with the same meaning. ``shape``: *window* groups by a time window; *lookback* groups
    all events on which the query runs; *filter* handles each event separately; *terms* finds the
    first event of each combination of values; *sequence* finds events of several steps within
    ``window``.

    ``prefilter`` and ``required_pairs``: the conditions that a record's head, and its
    (event.provider, event.action), must satisfy to pass. ``window``: the seconds within which hits
    belong together, None if events are separate or the query does not say; ``window_column``: its
    name; ``calendar_span``: the maximum length in seconds of the calendar period by which a key
    groups, which is not a window of fixed length.

    ``key_names``: the columns, in addition to the window, in which the hits of a group agree.
    ``min_hits``: a group with fewer hits has no result. ``columns``: the columns that the query
    returns, in order. ``sparse``: null columns are omitted. ``orders`` and ``limit``: SORT and
    LIMIT. ``thresholds``: the conditions on a group, in words. ``time_inputs``: the indexes of the
    inputs that are the event's time, if nothing else in ``rows`` depends on it, otherwise None.
    ``unites_rows``: the rows that MV_EXPAND makes of an event are one hit of their group, because a
    rule counts events. ``min_distinct``: (input index, minimum) of distinct values, and
    ``min_spans``: minimum time spans; a group below them has no result. ``shared_inputs``: the
    inputs that similar records have in common."""

    text: str
    tree: ast.Tree
    key_nodes: tuple[ast.Named, ...]
    canonical: str
    shape: Shape
    prefilter: Prefilter
    required_pairs: Pairs
    window: int | None
    window_column: str | None
    calendar_span: int | None
    key_names: tuple[str, ...]
    min_hits: int
    columns: dict[str, CompiledExpr]
    sparse: bool
    layout: RowLayout
    stages: tuple[Stage, ...]
    keys: tuple[CompiledExpr, ...]
    inputs: tuple[CompiledExpr, ...]
    grouping: Grouping | TableProgram | None
    orders: tuple[SortKey, ...]
    limit: int | None
    thresholds: tuple[str, ...]
    time_inputs: tuple[int, ...] | None = None
    sequence: CompiledSequence | None = None
    unites_rows: bool = False
    min_distinct: tuple[tuple[int, int], ...] = ()
    min_spans: tuple[MinSpan, ...] = ()
    shared_inputs: SharedInputs = NO_INPUTS

    def rows(
        self, record: Record, time: int, now: int | None = None, is_accepted: bool = False
    ) -> list[tuple[tuple[Value, ...], Inputs]]:
        """Return (key values, aggregate inputs) for each group to which ``record`` belongs.

        There are several for a multivalued key and none if the filter is not true. ``time`` is the
        event's time in epoch seconds; ``now`` is the value of NOW(), by default the event's time.
        The inputs of a query without STATS are its columns; in a sequence, they are preceded by the
        steps that the record matches, as bits. ``is_accepted``: the prefilter has accepted the
        record; if it is exact, the conditions are not tested again."""
        row = self._new_row(record, time, now)
        if self.sequence is not None:
            return self._step_rows(self.sequence, row)
        return self._rows_of(row, partial(_kept, self.inputs), is_accepted)

    def shared_rows(self, record: Record) -> list[tuple[tuple[Value, ...], Inputs]]:
        """Return the rows of an accepted record without the inputs that are unique to it.

        Valid only if ``time_inputs`` shows that nothing else depends on the time, and for a record
        so short that none of its fields would be truncated."""
        row, shared = self._new_row(record, 0, None), self.shared_inputs
        if shared.fields:
            return self._rows_of(row, lambda _: [read(record) for read in shared.fields], True)
        return self._rows_of(row, partial(_kept, shared.exprs), True)

    def _rows_of(
        self, first: RowSlots, read_inputs: Callable[[RowSlots], list[Value]], is_accepted: bool
    ) -> list[tuple[tuple[Value, ...], Inputs]]:
        rows: list[tuple[tuple[Value, ...], Inputs]] = []
        conditions = not (is_accepted and self.prefilter.is_exact)
        for row in run_stages(self.stages, first, 0, conditions):
            inputs = tuple(read_inputs(row))
            key_values = [many(capped_value(expr.read(row))) or [None] for expr in self.keys]
            rows.extend((key, inputs) for key in product(*key_values))
        if len(rows) > 1 and self.grouping is not None and self.unites_rows:
            return _unite_rows(rows)
        return rows

    def _step_rows(
        self, sequence: CompiledSequence, row: RowSlots
    ) -> list[tuple[tuple[Value, ...], Inputs]]:
        """Return the rows of a sequence: one for each series to which the record belongs."""
        steps_by_key = sequence.steps_by_key(row)
        if not steps_by_key:
            return []
        columns = [capped_value(expr.read(row)) for expr in self.inputs]
        return [(key, (steps, *columns)) for key, steps in steps_by_key.items()]

    def accepts(self, record: Record, time: int) -> bool:
        """Tell whether ``record`` passes the filter, that is, whether ``rows`` is not empty."""
        return any(True for _ in run_stages(self.stages, self._new_row(record, time, None)))

    def _new_row(self, record: Record, time: int, now: int | None) -> RowSlots:
        row = self.layout.new_row()
        row[RECORD] = record
        row[TIME] = time * 1000
        row[NOW] = (time if now is None else now) * 1000
        return row

    def filter_results(self, record: Record, time: int) -> Iterator[SortableResult]:
        """Yield the results of a query without STATS for ``record``."""
        for row in run_stages(self.stages, self._new_row(record, time, None)):
            result = self._format_result([expr.read(row) for expr in self.inputs])
            yield result, self._sort_keys(row)

    def sliding_aggregator(self) -> HitGroup:
        """Make an empty group; only for a query with STATS."""
        assert self.grouping is not None
        return self.grouping.new_group()

    def group_passes(
        self, group: HitGroup, window_start: int, key: Sequence[Value], now: int | None = None
    ) -> bool:
        """Tell whether a group satisfies the conditions after STATS."""
        rows = self._group_rows(group, window_start, key, now, conditions=True)
        return any(True for _ in rows)

    def result(
        self,
        window_start: int,
        key: Sequence[Value],
        inputs: Sequence[Inputs],
        now: int | None = None,
        conditions: bool = True,
    ) -> dict[str, Value] | None:
        """Return a group's result by column; None if a condition fails.

        ``window_start`` is in epoch seconds; ``now`` is the value of NOW(), by default the window's
        end. Without ``conditions``, the conditions are ignored."""
        grouping = self.grouping
        if grouping is None:
            return self._format_result(inputs[0])
        group = grouping.whole_group(inputs)
        rows = self._group_rows(group, window_start, key, now, conditions)
        if grouping.merges:
            return self._merged_result(rows)
        for row in rows:
            return self._format_result(self._column_values(row))
        return None

    def _merged_result(self, rows: Iterable[RowSlots]) -> dict[str, Value] | None:
        """Return the combined values of all rows by column; None if there are no rows."""
        values = [self._column_values(row) for row in rows]
        if not values:
            return None
        merged = [
            single(sorted({item for value in column for item in many(value)}))
            for column in zip(*values, strict=True)
        ]
        return self._format_result(merged)

    def common_result(self, inputs: Sequence[Inputs]) -> dict[str, Value]:
        """Return a sequence's columns; those in which its events differ are null."""
        first, *others = inputs
        values = list(first)
        for other in others:
            for index, value in enumerate(other):
                if value != values[index]:
                    values[index] = None
        return self._format_result(values[1:])

    def group_results(
        self,
        window_start: int,
        key: Sequence[Value],
        inputs: Sequence[Inputs],
        now: int | None = None,
    ) -> Iterator[SortableResult]:
        """Yield all results of a group; only for a query with STATS."""
        assert self.grouping is not None
        group = self.grouping.whole_group(inputs)
        for row in self._group_rows(group, window_start, key, now, conditions=True):
            yield self._format_result(self._column_values(row)), self._sort_keys(row)

    def _group_rows(
        self,
        group: object,
        window_start: int,
        key: Sequence[Value],
        now: int | None,
        conditions: bool,
    ) -> Iterator[RowSlots]:
        """Yield the resulting rows of a group."""
        assert self.grouping is not None
        if now is None:
            now = window_start + (self.window or 0)
        return self.grouping.rows(group, GroupSpan(window_start, now, key), conditions)

    def _column_values(self, row: RowSlots) -> list[Any]:
        return [expr.read(row) for expr in self.columns.values()]

    def _sort_keys(self, row: RowSlots) -> list[Any]:
        return [sort_key.of(row) for sort_key in self.orders]

    def _format_result(self, values: Sequence[Any]) -> dict[str, Value]:
        """Format values by column; a multivalued column is always a list."""
        result: dict[str, Value] = {}
        for (name, expr), value in zip(self.columns.items(), values, strict=True):
            if value is not None:
                result[name] = shown(many(value) if expr.many else value, expr.type)
            elif not self.sparse:
                result[name] = None
        return result

    def format_key(self, key: Sequence[Value]) -> dict[str, Value]:
        """Format key values by column; dates become text."""
        columns = zip(self.key_names, key, self.keys, strict=True)
        return {name: shown(value, expr.type) for name, value, expr in columns}


def _kept(exprs: Sequence[CompiledExpr], row: RowSlots) -> list[Value]:
    """Return the values of a row, truncated as they are stored with a hit."""
    return [capped_value(expr.read(row)) for expr in exprs]


def _unite_rows(rows: Sequence[tuple[tuple[Value, ...], Inputs]]) -> list[Any]:
    """Combine the rows that MV_EXPAND made of an event into one row for each group.

    If inputs differ, the combined input has all of their values; a condition is true if it is true
    in one of the rows."""
    united: dict[tuple[Value, ...], Inputs] = {}
    for key, inputs in rows:
        present = united.setdefault(key, inputs)
        if present != inputs:
            united[key] = tuple(map(_unite_inputs, present, inputs))
    return list(united.items())


def _unite_inputs(left: Value, right: Value) -> Value:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is True or right is True
    united: Value = single(dict.fromkeys([*many(left), *many(right)]))
    return united
