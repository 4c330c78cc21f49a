"""The parts of many kinds of events; a segment holds those that its events use."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, chain, pairwise
from typing import Any, NamedTuple

import msgspec

from detector.detection.event import EventCall, EventClient, KeptEvent, Matches, Series
from detector.formats.native.columns import (
    NumberColumn,
    NumberedRows,
    gather,
    number_array,
    renumber,
)
from detector.store.packing.column import RowColumn
from detector.store.packing.parts import Parts
from detector.text.numbers import Numbers

_AS_THEY_ARE = frozenset({str, bytes, type(None)})
"""The types whose values are equal only if their encodings are equal."""


class RowParts(NamedTuple):
    """The parts of some rows, and for each row the numbers of its parts.

    ``stale`` has, by row, the (time, number of matches) of other records that claim its event."""

    parts: Parts
    client: NumberColumn
    call: NumberColumn
    region: NumberColumn
    match: NumberColumn
    stale: dict[int, list[tuple[int, int]]]


class _Values(Numbers[Any]):
    """Distinct values with their numbers; some are held in encoded form."""

    def numbers(self, values: Sequence[Any]) -> Iterator[int]:
        """Return the numbers of values."""
        if not _AS_THEY_ARE.issuperset(map(type, values)):
            # An encoded value is hashable, and is not equal to any value of another type.
            values = [
                value if type(value) in _AS_THEY_ARE else (msgspec.msgpack.encode(value),)
                for value in values
            ]
        return map(self.__getitem__, values)

    def in_order(self) -> list[Any]:
        """Return the values in order of their numbers."""
        return [msgspec.msgpack.decode(*name) if type(name) is tuple else name for name in self]


class _MatchNumbers:
    """The numbers of the matches of kinds; many kinds share one matches object."""

    def __init__(self, values: _Values) -> None:
        self._values = values
        self.series: Numbers[Series] = Numbers()
        self.inputs: Numbers[tuple[int, ...]] = Numbers()
        self.rows: Numbers[tuple[int, ...]] = Numbers()
        """For each matches, alternating numbers of series and of inputs."""

    def of_kinds(self, kinds: Sequence[Matches]) -> array[int]:
        """Return the number of each kind's matches."""
        distinct = {id(matches): matches for matches in kinds}
        numbers = {name: self.number(matches) for name, matches in distinct.items()}
        return number_array("i", [numbers[id(matches)] for matches in kinds])

    def number(self, matches: Matches) -> int:
        """Return the number of matches."""
        row: list[int] = []
        for series, inputs in matches:
            row += self.series[series], self.inputs[tuple(self._values.numbers(inputs))]
        return self.rows[tuple(row)]

    def rules(self) -> list[tuple[str, ...]]:
        """Return the ids of the rules of each matches, by number."""
        rule_ids = [series.rule_id for series in self.series]
        return [tuple([rule_ids[number] for number in row[::2]]) for row in self.rows]


class PartTable:
    """The numbered parts of ``kinds`` of events."""

    def __init__(self, kinds: Sequence[KeptEvent]) -> None:
        values = _Values()
        clients: Numbers[EventClient] = Numbers()
        calls: Numbers[EventCall] = Numbers()
        regions: Numbers[str] = Numbers()
        matches = _MatchNumbers(values)
        self._client = number_array("i", [clients[kind.client] for kind in kinds])
        self._call = number_array("i", [calls[kind.call] for kind in kinds])
        self._region = number_array("i", [regions[kind.region] for kind in kinds])
        self._match = matches.of_kinds([kind.matches for kind in kinds])
        self._stale = {
            number: [(time, matches.number(claimed)) for time, claimed in kind.stale]
            for number, kind in enumerate(kinds)
            if kind.stale
        }
        self._set_rules(matches.rules())
        self._clients = NumberedRows(map(values.numbers, clients))
        self._calls = NumberedRows(map(values.numbers, calls))
        self._regions = NumberedRows(map(values.numbers, zip(regions, strict=True)))
        keys = [(series.rule_id, *(series.key or ())) for series in matches.series]
        self._unkeyed = {
            number for number, series in enumerate(matches.series) if series.key is None
        }
        self._series = NumberedRows(map(values.numbers, keys))
        self._inputs = NumberedRows(matches.inputs)
        self._matches = NumberedRows(matches.rows)
        self._values = values.in_order()

    def _set_rules(self, of_matches: Sequence[tuple[str, ...]]) -> None:
        """Record which rules the rows of each kind are hits of."""
        rules: Numbers[tuple[str, ...]] = Numbers()
        of_kind = [rules[of_matches[number]] for number in self._match]
        for kind, claims in self._stale.items():
            every = [of_matches[number] for _, number in claims]
            of_kind[kind] = rules[tuple(chain(of_matches[self._match[kind]], *every))]
        self._rules, self._rule_ids = number_array("i", of_kind), list(rules)

    def count_hits(self, kinds: array[int]) -> dict[str, int]:
        """Count the hits of rows, given the kind of each row, by rule id."""
        hits: Counter[str] = Counter()
        for number, count in Counter(gather(self._rules, kinds)).items():
            for rule_id in self._rule_ids[number]:
                hits[rule_id] += count
        return dict(hits)

    def of_rows(self, kinds: array[int]) -> RowParts:
        """Return the parts of rows, given the kind of each row."""
        clients, client = self._used(self._client, kinds, self._clients)
        calls, call = self._used(self._call, kinds, self._calls)
        regions, region = self._used(self._region, kinds, self._regions)
        stale = of_rows(kinds, self._stale)
        claimed = [number for claims in stale.values() for _, number in claims]
        match = gather(self._match, kinds)
        match.extend(claimed)
        matches, match = renumber(match, len(self._matches))
        numbers = iter(match[len(kinds) :])
        return RowParts(
            self._parts_of(clients, calls, regions, matches),
            client,
            call,
            region,
            match[: len(kinds)],
            {row: [(time, next(numbers)) for time, _ in claims] for row, claims in stale.items()},
        )

    def _used(
        self, of_kind: array[int], kinds: array[int], parts: NumberedRows
    ) -> tuple[NumberColumn, NumberColumn]:
        """Return the numbers of the parts that rows use, and each row's number among these."""
        return renumber(gather(of_kind, kinds), len(parts))

    def _parts_of(
        self,
        clients: NumberColumn,
        calls: NumberColumn,
        regions: NumberColumn,
        matches: NumberColumn,
    ) -> Parts:
        """Return the parts with these numbers, and only the values that they use."""
        match_widths, pairs = self._matches.chosen(matches)
        series, pairs[::2] = renumber(pairs[::2], len(self._series))
        inputs, pairs[1::2] = renumber(pairs[1::2], len(self._inputs))
        tables = self._clients, self._calls, self._regions, self._series, self._inputs
        chosen = clients, calls, regions, series, inputs
        rows = [table.chosen(numbers) for table, numbers in zip(tables, chosen, strict=True)]
        (_, items), *others = rows
        counts = [len(each) for _, each in rows]
        for _, each in others:
            items += each
        values, items = renumber(items, len(self._values))
        ends = pairwise(accumulate(counts, initial=0))
        columns = [
            RowColumn.of(widths, items[first:end])
            for (widths, _), (first, end) in zip(rows, ends, strict=True)
        ]
        return Parts(
            list(map(self._values.__getitem__, values)),
            tuple(columns),
            [number for number, each in enumerate(series) if each in self._unkeyed],
            RowColumn.of(match_widths, pairs),
        )


def of_rows(kinds: array[int], of_kind: Mapping[int, Any]) -> dict[int, Any]:
    """Return by row what ``of_kind`` holds for the kinds of rows; most kinds have nothing."""
    if not of_kind:
        return {}
    return {row: of_kind[kind] for row, kind in enumerate(kinds) if kind in of_kind}
