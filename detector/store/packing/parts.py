"""What events have in common, packed: each value once, and all else as numbers of values.

The inputs of a match repeat what its event says of the caller and the call, and the parts of one
event those of others.
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
"""Matches: the number of the series of each, and that of its inputs."""
_CLIENT_WIDTH = len(EventClient._fields)


class Parts(msgspec.Struct, array_like=True):
    """The parts of some events.

    ``values`` are each different; rows of their numbers are clients, calls, regions, series and
    inputs. A series is its rule and the values of its key: it has none where its number is among
    ``unkeyed``. Each of ``matches`` is a row of the numbers of a series and of inputs by turns."""

    values: list[Any]
    numbered: tuple[RowColumn, ...]
    unkeyed: list[int]
    matches: RowColumn


class PartReader:
    """Parts by their numbers, made when they are asked for."""

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
        """The number of values, which take most of the memory."""
        return len(self._values)

    def client(self, number: int) -> EventClient:
        """Return a client."""
        client = self._clients[number]
        if client is None:
            first = number * _CLIENT_WIDTH
            items = self._client_items[first : first + _CLIENT_WIDTH]
            client = self._clients[number] = EventClient(*self._values_of(items))
        return client

    @cached_property
    def calls(self) -> Sequence[EventCall]:
        """The calls."""
        return [EventCall(*self._values_of(row)) for row in self._call_rows.rows()]

    @cached_property
    def regions(self) -> Sequence[str]:
        """The regions."""
        return self._values_of(self._region_rows.items.numbers())

    @cached_property
    def series(self) -> list[Series]:
        """The series of all hits."""
        values = self._values_of(self._series_rows.items.numbers())
        rows = pairwise(accumulate(self._series_rows.widths.numbers(), initial=0))
        series = [Series(values[first], tuple(values[first + 1 : end])) for first, end in rows]
        for number in self._unkeyed:
            series[number] = Series(series[number].rule_id, None)
        return series

    @cached_property
    def matches(self) -> Sequence[NumberedMatches]:
        """The matches."""
        items = self._match_rows.items.numbers().tolist()
        pairs = list(zip(items[::2], items[1::2], strict=True))
        rows = pairwise(accumulate(self._match_rows.widths.numbers(), initial=0))
        return [tuple(pairs[first // 2 : end // 2]) for first, end in rows]

    @cached_property
    def _inputs(self) -> tuple[Sequence[int], Sequence[int]]:
        """Return the numbers of all inputs, and where the row of each begins and ends."""
        rows = self._input_rows
        return rows.items.numbers(), list(accumulate(rows.widths.numbers(), initial=0))

    def inputs(self, number: int) -> Inputs:
        """Return the inputs of a match, by their number."""
        items, starts = self._inputs
        return tuple(self._values_of(items[starts[number] : starts[number + 1]]))

    def with_inputs(self, matches: NumberedMatches) -> Matches:
        """Return matches as an event has them."""
        series = self.series
        return tuple([(series[number], self.inputs(inputs)) for number, inputs in matches])

    def _values_of(self, numbers: Sequence[int]) -> list[Any]:
        return list(map(self._values.__getitem__, numbers))
