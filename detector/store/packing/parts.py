"""The parts that events have in common, dictionary-encoded: each distinct value is stored once.

Parts refer to values by number. This saves space because the inputs of a match repeat values of the
event's caller and call, and because events repeat each other's parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any

import msgspec

from detector.detection.event import EventCall, EventClient, Matches, Series
from detector.esql.plan.accumulators import Inputs
from detector.store.packing.column import RowColumn

NumberedMatches = tuple[tuple[int, int], ...]
"""The matches of a row: for each, the number of its series and the number of its inputs."""
_CLIENT_WIDTH = len(EventClient._fields)


class Parts(msgspec.Struct, array_like=True):
    """The parts of some events.

    ``values`` are distinct. ``numbered`` has the clients, calls, regions, series and inputs, each
    as rows of numbers of values. A series is its rule id followed by the values of its key; series
    whose numbers are in ``unkeyed`` have no key. A row of ``matches`` alternates between the number
    of a series and the number of inputs."""

    values: list[Any]
    numbered: tuple[RowColumn, ...]
    unkeyed: list[int]
    matches: RowColumn


class PartReader:
    """Parts by number, decoded on demand."""

    def __init__(self, parts: Parts) -> None:
        self._values = parts.values
        clients, self._call_rows, self._region_rows, self._series_rows, self._input_rows = (
            parts.numbered
        )
        self._unkeyed, self._match_rows = parts.unkeyed, parts.matches
        self._client_items = clients.items.numbers()
        self._clients: list[EventClient | None] = [None] * (
            len(self._client_items) // _CLIENT_WIDTH
        )

    @property
    def count(self) -> int:
        """The number of distinct values, which take most of the memory."""
        return len(self._values)

    def client(self, number: int) -> EventClient:
        """Return the client with this number."""
        client = self._clients[number]
        if client is None:
            first = number * _CLIENT_WIDTH
            items = self._client_items[first : first + _CLIENT_WIDTH]
            client = self._clients[number] = EventClient(*self._values_of(items))
        return client

    @cached_property
    def calls(self) -> Sequence[EventCall]:
        """The calls, by number."""
        return [EventCall(*self._values_of(row)) for row in self._call_rows.rows()]

    @cached_property
    def regions(self) -> Sequence[str]:
        """The regions, by number."""
        return self._values_of(self._region_rows.items.numbers())

    @cached_property
    def series(self) -> list[Series]:
        """The series of all hits, by number."""
        values = self._values_of(self._series_rows.items.numbers())
        rows = pairwise(accumulate(self._series_rows.widths.numbers(), initial=0))
        series = [Series(values[first], tuple(values[first + 1 : end])) for first, end in rows]
        for number in self._unkeyed:
            series[number] = Series(series[number].rule_id, None)
        return series

    @cached_property
    def matches(self) -> Sequence[NumberedMatches]:
        """The matches, by number."""
        items = self._match_rows.items.numbers().tolist()
        pairs = list(zip(items[::2], items[1::2], strict=True))
        rows = pairwise(accumulate(self._match_rows.widths.numbers(), initial=0))
        return [tuple(pairs[first // 2 : end // 2]) for first, end in rows]

    @cached_property
    def _inputs(self) -> tuple[Sequence[int], Sequence[int]]:
        """Return the value numbers of all inputs, concatenated, and the bounds of each row."""
        rows = self._input_rows
        return rows.items.numbers(), list(accumulate(rows.widths.numbers(), initial=0))

    def inputs(self, number: int) -> Inputs:
        """Return the inputs with this number."""
        items, starts = self._inputs
        return tuple(self._values_of(items[starts[number] : starts[number + 1]]))

    def with_inputs(self, matches: NumberedMatches) -> Matches:
        """Return matches with their series and inputs, as an event holds them."""
        series = self.series
        return tuple([(series[number], self.inputs(inputs)) for number, inputs in matches])

    def _values_of(self, numbers: Sequence[int]) -> list[Any]:
        return list(map(self._values.__getitem__, numbers))
