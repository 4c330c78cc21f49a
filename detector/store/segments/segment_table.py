"""The table of segments: one row for up to thousands of events.

Each commit appends its events as new segments. Small segments are merged by size tier, and merged
rows are cut into segments again in order of time, so that a time span is spread over few segments.
A segment is immutable: if its rows change, a new segment with another id replaces it.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from detector.formats.native.columns import IDENTITY
from detector.store.database import Database
from detector.store.packing.packer import SEGMENT_ROWS
from detector.store.packing.segment import Packed, Segment, StoredRow
from detector.store.packing.segment_writer import (
    FULL_TIER,
    insert_packed,
    insert_segment,
    segments_of,
)
from detector.store.packing.state_query import StateQuery, query_of
from detector.store.segments.segment_spans import SegmentSpan

_MERGED = 8
"""How many segments of one tier cause a merge."""
_MERGED_ROWS = 8 * SEGMENT_ROWS
"""How many rows are merged at once; a thousand take a megabyte."""
_UNPACKED_PARTS = 16 * SEGMENT_ROWS
"""How many parts of segments are cached unpacked; a thousand take about a megabyte."""
_FEW = 16
"""Up to this many identities, a byte search is faster than building an index."""


class RowPlace(NamedTuple):
    """Where an event is stored: the segment, and the number of the row in it."""

    segment_id: int
    number: int


class SegmentGone(Exception):
    """The segment does not exist any more, because another has replaced it."""


class SegmentTable:
    """The segments of a state."""

    def __init__(self, database: Database) -> None:
        self.committed: StateQuery = database.rows
        self._unpacked: OrderedDict[int, Segment] = OrderedDict()
        self._parts = 0
        self._lock = threading.Lock()

    def spans(self, query: StateQuery, start: float, end: float) -> list[SegmentSpan]:
        """Return the segments that may have events in ``[start, end)``, in order of time."""
        return [
            SegmentSpan(*row)
            for row in query(
                "SELECT first, last, segment_id FROM segment WHERE first < ? AND last >= ? "
                "ORDER BY first, segment_id",
                min(end, 1 << 62),
                max(start, -1 << 62),
            )
        ]

    def load(self, query: StateQuery, segment_id: int) -> Segment:
        """Return a segment. Raises SegmentGone, and MsgspecError if it is damaged."""
        with self._lock:
            segment = self._unpacked.get(segment_id)
            if segment is not None:
                self._unpacked.move_to_end(segment_id)
                return segment
        found = query("SELECT identities, body FROM segment WHERE segment_id = ?", segment_id)
        if not found:
            raise SegmentGone
        segment = Segment.unpack(*found[0])
        self._keep(segment_id, segment)
        return segment

    def between(self, query: StateQuery, start: float, end: float) -> list[Segment]:
        """Return the segments that may have events in ``[start, end)``."""
        while True:
            try:
                return [self.load(query, span.segment_id) for span in self.spans(query, start, end)]
            except SegmentGone:  # it was merged into another segment in the meantime: start over
                continue

    def locate(self, query: StateQuery, times: Mapping[bytes, int]) -> dict[bytes, RowPlace]:
        """Return the places of stored events, by identity; ``times`` are their expected times.

        Copies of an event have the same time, so the segments near the expected times are searched
        first. All other segments are searched only for the identities not found there.
        """
        found: dict[bytes, RowPlace] = {}
        missing = set(times)
        if not missing:
            return found
        first, last = min(times.values()), max(times.values())
        for span in self.spans(query, first, last + 1):
            self._find(found, missing, span.segment_id, self._identities(query, span.segment_id))
        if missing:
            near = {span.segment_id for span in self.spans(query, first, last + 1)}
            for (segment_id,) in query("SELECT segment_id FROM segment"):
                if segment_id not in near and missing:
                    self._find(found, missing, segment_id, self._identities(query, segment_id))
        return found

    def identities(self, query: StateQuery) -> Iterator[bytes]:
        """Yield all stored identities, concatenated, one segment at a time."""
        for (segment_id,) in query("SELECT segment_id FROM segment"):
            yield self._identities(query, segment_id)

    def append(
        self, connection: sqlite3.Connection, rows: Iterable[StoredRow], is_fresh: bool
    ) -> None:
        """Add rows; ``is_fresh`` if alerts must still be derived from them."""
        for part in segments_of(rows):
            self._keep(*insert_segment(connection, part, is_fresh))

    def append_packed(self, connection: sqlite3.Connection, packed: Packed, is_fresh: bool) -> None:
        """Add a segment that is packed already."""
        self._keep(*insert_packed(connection, packed, is_fresh))

    def remove(self, connection: sqlite3.Connection, places: Iterable[RowPlace]) -> None:
        """Remove the rows at ``places``."""
        numbers: dict[int, set[int]] = {}
        for segment_id, number in places:
            numbers.setdefault(segment_id, set()).add(number)
        for segment_id, removed in numbers.items():
            rows = self.load(query_of(connection), segment_id).rows()
            self.replace(
                connection,
                segment_id,
                [row for number, row in enumerate(rows) if number not in removed],
            )

    def replace(
        self, connection: sqlite3.Connection, segment_id: int, rows: Sequence[StoredRow]
    ) -> None:
        """Replace the rows of a segment by ``rows``, which are in order."""
        ((is_fresh,),) = connection.execute(
            "DELETE FROM segment WHERE segment_id = ? RETURNING fresh", (segment_id,)
        ).fetchall()
        if rows:
            self._keep(*insert_segment(connection, rows, is_fresh))

    def give(
        self, connection: sqlite3.Connection, old_id: int, new_id: int, span: tuple[int, int]
    ) -> None:
        """Assign the events of a file to the file that replaces it, by file ids.

        ``span``: the times of the first and the last event of the file.
        """
        query = query_of(connection)
        first, last = span
        for near in self.spans(query, first, last + 1):
            segment = self.load(query, near.segment_id)
            if old_id not in segment.file_ids():
                continue
            rows = segment.rows()
            for number, stored in enumerate(rows):
                if stored.file_id == old_id:
                    rows[number] = stored._replace(file_id=new_id)
            self.replace(connection, near.segment_id, rows)

    def fresh(self) -> list[SegmentSpan]:
        """Return the committed segments from which no alerts were derived yet, in order of time."""
        return [
            SegmentSpan(*row)
            for row in self.committed(
                "SELECT first, last, segment_id FROM segment WHERE fresh = 1 ORDER BY first"
            )
        ]

    def mark_derived(self, connection: sqlite3.Connection, spans: Iterable[SegmentSpan]) -> None:
        """Record that alerts were derived from segments."""
        connection.executemany(
            "UPDATE segment SET fresh = 0 WHERE segment_id = ?",
            [(span.segment_id,) for span in spans],
        )

    def merge_small(self, connection: sqlite3.Connection) -> None:
        """Merge small segments, until no size tier has too many."""
        query = query_of(connection)
        while True:
            crowded = query(
                "SELECT fresh, tier FROM segment WHERE tier < ? GROUP BY fresh, tier "
                "HAVING count(*) >= ?",
                FULL_TIER,
                _MERGED,
            )
            if not crowded:
                return
            for is_fresh, tier in crowded:
                taken = 0
                ids = []
                for segment_id, rows in query(
                    "SELECT segment_id, length(identities) / ? FROM segment "
                    "WHERE fresh = ? AND tier = ? ORDER BY first",
                    IDENTITY,
                    is_fresh,
                    tier,
                ):
                    if taken >= _MERGED_ROWS:
                        break
                    ids.append(segment_id)
                    taken += rows
                self._merge(connection, ids, is_fresh)

    def _merge(
        self, connection: sqlite3.Connection, segment_ids: Sequence[int], is_fresh: bool
    ) -> None:
        """Replace segments by new ones with the same rows, cut in order of time."""
        query = query_of(connection)
        rows: list[StoredRow] = []
        for segment_id in segment_ids:
            rows += self.load(query, segment_id).rows()
        connection.executemany(
            "DELETE FROM segment WHERE segment_id = ?",
            [(segment_id,) for segment_id in segment_ids],
        )
        self.append(connection, rows, is_fresh)

    def _keep(self, segment_id: int, segment: Segment) -> None:
        """Cache an unpacked segment; evict the least recently used ones."""
        with self._lock:
            if segment_id not in self._unpacked:
                self._parts += segment.parts
            self._unpacked[segment_id] = segment
            while self._parts > _UNPACKED_PARTS and len(self._unpacked) > 1:
                _, dropped = self._unpacked.popitem(last=False)
                self._parts -= dropped.parts

    def _identities(self, query: StateQuery, segment_id: int) -> bytes:
        ((identities,),) = query("SELECT identities FROM segment WHERE segment_id = ?", segment_id)
        return bytes(identities)

    def _find(
        self, found: dict[bytes, RowPlace], missing: set[bytes], segment_id: int, identities: bytes
    ) -> None:
        """Move the identities that are in a segment from ``missing`` to ``found``."""
        if len(missing) <= _FEW:
            numbers = {identity: _number_of(identities, identity) for identity in missing}
            present: Mapping[bytes, int] = {
                identity: number for identity, number in numbers.items() if number is not None
            }
        else:
            present = {
                identities[first : first + IDENTITY]: first // IDENTITY
                for first in range(0, len(identities), IDENTITY)
            }
        for identity in missing & present.keys():
            found[identity] = RowPlace(segment_id, present[identity])
            missing.discard(identity)


def _number_of(identities: bytes, identity: bytes) -> int | None:
    """Return the index of an identity among concatenated ones; None if it is not among them."""
    at = identities.find(identity)
    while at > 0 and at % IDENTITY:
        at = identities.find(identity, at + 1)
    return at // IDENTITY if at >= 0 else None
