"""The packing of events: rows refer by number to parts, which many rows share."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from detector.detection.columns.event_columns import EventColumns
from detector.detection.event import KeptEvent
from detector.formats.native.columns import IDENTITY, RowOrder, number_array, renumber
from detector.store.packing.body import Body, PackedChunk
from detector.store.packing.column import Column
from detector.store.packing.part_table import PartTable, of_rows
from detector.store.packing.segment import Packed, StoredRow
from detector.text.numbers import Numbers

SEGMENT_ROWS = 8192
"""Rows of a full segment. Larger segments make lookups slower, smaller ones compress less well."""


class _Rows(NamedTuple):
    """Rows in order of time and identity; ``kind`` and ``chunk`` are numbers."""

    identities: bytes
    times: array[int]
    kind: array[int]
    chunk: array[int]
    places: array[int]
    """The index of each record in its chunk."""


class _Packer:
    """Packs rows, which refer by number to ``kinds`` of events and to ``chunks``."""

    def __init__(self, kinds: Sequence[KeptEvent], chunks: Sequence[PackedChunk]) -> None:
        self._chunks = chunks
        self._parts = PartTable(kinds)
        self._issued_keys = {
            number: kind.issued_key for number, kind in enumerate(kinds) if kind.issued_key
        }
        self._event_ids = {
            number: kind.event_id for number, kind in enumerate(kinds) if kind.event_id is not None
        }

    def pack(self, rows: _Rows) -> Packed:
        """Pack rows, of which there is at least one."""
        start = rows.times[0]
        found = self._parts.of_rows(rows.kind)
        chunks, chunk = renumber(rows.chunk, len(self._chunks))
        body = Body(
            start,
            Column.of(number_array("q", [time - start for time in rows.times])),
            found.parts,
            Column.of(found.client),
            Column.of(found.call),
            Column.of(found.region),
            Column.of(found.match),
            found.stale,
            of_rows(rows.kind, self._issued_keys),
            of_rows(rows.kind, self._event_ids),
            [self._chunks[number] for number in chunks],
            Column.of(chunk),
            Column.of(rows.places),
        )
        return Packed(
            start,
            rows.times[-1],
            len(rows.times),
            self._parts.count_hits(rows.kind),
            rows.identities,
            body,
        )


def pack(rows: Sequence[StoredRow]) -> Packed:
    """Pack at least one row into a segment; the rows are in order of time and identity."""
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
    """Yield the row range, (first, end), of each of the segments that ``count`` rows fill."""
    parts = -(-count // SEGMENT_ROWS)
    for number in range(parts):
        yield count * number // parts, count * (number + 1) // parts
