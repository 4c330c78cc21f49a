"""The packing of events: numbers of parts, which many rows share, in the place of the parts."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

import msgspec

from detector.detection.activity.chunk import Numbers
from detector.detection.columns.event_columns import EventColumns
from detector.detection.event import EventCall, EventClient, KeptEvent, Matches, Series
from detector.formats.native.columns import IDENTITY, RowOrder, renumber
from detector.store.packing.column import Column
from detector.store.packing.segment import Body, Packed, PackedChunk, PackedMatches, StoredRow

SEGMENT_ROWS = 4096
"""Rows of a full segment. Larger ones cost more to look something up, smaller ones are packed less
well."""
_T = TypeVar("_T")


class _Rows(NamedTuple):
    """Rows in order of time and identity; ``kind`` and ``chunk`` are numbers."""

    identities: bytes
    times: array[int]
    kind: array[int]
    chunk: array[int]
    places: array[int]
    """The indexes of the records in their chunks."""


class _MatchNumbers:
    """Numbers of the matches of kinds, of which many share one object."""

    def __init__(self) -> None:
        self.series: Numbers[Series] = Numbers()
        self.packed: list[PackedMatches] = []
        self._by_content: dict[bytes, int] = {}

    def numbers(self, kinds: Sequence[Matches]) -> Sequence[int]:
        """Return the number of each kind's matches."""
        distinct = {id(matches): matches for matches in kinds}
        numbers = {name: self._number(matches) for name, matches in distinct.items()}
        return [numbers[id(matches)] for matches in kinds]

    def _number(self, matches: Matches) -> int:
        packed = self.pack(matches)
        content = msgspec.msgpack.encode(packed)
        number = self._by_content.setdefault(content, len(self.packed))
        if number == len(self.packed):
            self.packed.append(packed)
        return number

    def pack(self, matches: Matches) -> PackedMatches:
        return tuple([(self.series[series], inputs) for series, inputs in matches])


class _Packer:
    """Packs rows of some ``kinds`` from some ``chunks``."""

    def __init__(self, kinds: Sequence[KeptEvent], chunks: Sequence[PackedChunk]) -> None:
        self._chunks = chunks
        clients: Numbers[EventClient] = Numbers()
        calls: Numbers[EventCall] = Numbers()
        regions: Numbers[str] = Numbers()
        self._client = array("i", [clients[kind.client] for kind in kinds])
        self._call = array("i", [calls[kind.call] for kind in kinds])
        self._region = array("i", [regions[kind.region] for kind in kinds])
        self._clients, self._calls, self._regions = list(clients), list(calls), list(regions)
        self._matches = _MatchNumbers()
        self._match = array("i", self._matches.numbers([kind.matches for kind in kinds]))
        self._issued_keys = {
            number: kind.issued_key for number, kind in enumerate(kinds) if kind.issued_key
        }
        self._event_ids = {
            number: kind.event_id for number, kind in enumerate(kinds) if kind.event_id is not None
        }
        self._stale = {
            number: [(time, self._matches.pack(matches)) for time, matches in kind.stale]
            for number, kind in enumerate(kinds)
            if kind.stale
        }
        self._series = list(self._matches.series)
        rules: Numbers[tuple[str, ...]] = Numbers()
        self._rules = [rules[_rules_of(kind)] for kind in kinds]
        self._rule_ids = list(rules)

    def pack(self, rows: _Rows) -> Packed:
        """Pack rows. There is at least one."""
        start = rows.times[0]
        clients, client = self._parts_of(rows, self._client, self._clients)
        calls, call = self._parts_of(rows, self._call, self._calls)
        regions, region = self._parts_of(rows, self._region, self._regions)
        chunks, chunk = _renumber(rows.chunk, array("i", range(len(self._chunks))), self._chunks)
        counted, match = self._parts_of(rows, self._match, self._matches.packed)
        stale = _of_rows(rows, self._stale)
        series: Numbers[int] = Numbers()

        def pack(matches: PackedMatches) -> PackedMatches:
            return tuple([(series[number], inputs) for number, inputs in matches])

        body = Body(
            start,
            Column.of([time - start for time in rows.times]),
            clients,
            Column.of(client),
            calls,
            Column.of(call),
            regions,
            Column.of(region),
            _of_rows(rows, self._issued_keys),
            _of_rows(rows, self._event_ids),
            chunks,
            Column.of(chunk),
            Column.of(rows.places),
            [],
            [pack(matches) for matches in counted],
            Column.of(match),
            {
                row: [(time, pack(matches)) for time, matches in of_row]
                for row, of_row in stale.items()
            },
        )
        body.series = [self._series[number] for number in series]
        return Packed(
            start,
            rows.times[-1],
            len(rows.times),
            self._count_hits(rows),
            rows.identities,
            body,
        )

    def _parts_of(
        self, rows: _Rows, of_kind: array[int], parts: Sequence[_T]
    ) -> tuple[list[_T], Sequence[int]]:
        """Return the parts that rows have by their kinds, and each row's number in them."""
        return _renumber(rows.kind, of_kind, parts)

    def _count_hits(self, rows: _Rows) -> dict[str, int]:
        """Count hits by rule."""
        hits: Counter[str] = Counter()
        for number, count in Counter(map(self._rules.__getitem__, rows.kind)).items():
            for rule_id in self._rule_ids[number]:
                hits[rule_id] += count
        return dict(hits)


def pack(rows: Sequence[StoredRow]) -> Packed:
    """Pack rows, which are in order of time and identity. There is at least one."""
    events = [event for _, event, _, _ in rows]
    chunks: Numbers[PackedChunk] = Numbers()
    chunk = [
        chunks[PackedChunk(file_id, event.position.offset, generation)]
        for _, event, file_id, generation in rows
    ]
    packed = _Rows(
        b"".join([identity for identity, *_ in rows]),
        array("q", [event.time for event in events]),
        array("i", range(len(events))),
        array("i", chunk),
        array("q", [event.position.index for event in events]),
    )
    return _Packer(events, list(chunks)).pack(packed)


def pack_columns(
    columns: EventColumns, file_ids: Mapping[str, int], generation: int
) -> Iterator[Packed]:
    """Pack events into full segments, in order of time and identity."""
    columns.unite()
    chunks = [PackedChunk(file_ids[path], offset, generation) for path, offset in columns.chunks]
    packer = _Packer(columns.kinds, chunks)
    identities = bytes(columns.identities)
    order = RowOrder.by_time(columns.times, identities)
    identities = order.identities(identities)
    every = [order.column(each) for each in (columns.times, columns.kind, columns.chunk)]
    every.append(order.column(columns.index))
    for first, end in full_segments(len(columns)):
        part = identities[IDENTITY * first : IDENTITY * end]
        yield packer.pack(_Rows(part, *[column[first:end] for column in every]))


def full_segments(count: int) -> Iterator[tuple[int, int]]:
    """Yield the first row, and that behind the last, of each of the segments of many rows."""
    parts = -(-count // SEGMENT_ROWS)
    for number in range(parts):
        yield count * number // parts, count * (number + 1) // parts


def _renumber(
    kinds: array[int], part_of: array[int], parts: Sequence[_T]
) -> tuple[list[_T], Sequence[int]]:
    """Return the parts that rows have by their kinds, and each row's number in them."""
    used, numbers = renumber(kinds, part_of, len(parts))
    return [parts[number] for number in used], numbers


def _of_rows(rows: _Rows, of_kind: Mapping[int, _T]) -> dict[int, _T]:
    """Return what few kinds have, by row."""
    if not of_kind:
        return {}
    return {row: of_kind[kind] for row, kind in enumerate(rows.kind) if kind in of_kind}


def _rules_of(kind: KeptEvent) -> tuple[str, ...]:
    """Return the rules of the hits of each row of a kind."""
    every = [kind.matches, *[matches for _, matches in kind.stale]]
    return tuple([series.rule_id for matches in every for series, _ in matches])
