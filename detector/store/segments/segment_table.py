"""The table of segments: one row for up to thousands of events.

Each commit appends what it brought. Small segments are merged by tiers of size, and what is merged
is cut anew in order of time, so that a span of time is in few of them. A segment never changes: one
with other rows has another id.
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
"""Segments of one tier that are merged."""
_MERGED_ROWS = 8 * SEGMENT_ROWS
"""Rows that are merged at once; a thousand take a megabyte."""
_UNPACKED_PARTS = 16 * SEGMENT_ROWS
"""Parts of the segments that are held unpacked; a thousand take about a megabyte."""
_FEW = 16
"""Identities up to which searching is faster than an index."""


class RowPlace(NamedTuple):
    """Where an event is stored."""

    segment_id: int
    number: int
    """Of its row."""


class SegmentGone(Exception):
    """A segment that another has replaced."""


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
        """Return a segment. Raises SegmentGone, and MsgspecError where it is damaged."""
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
            except SegmentGone:  # it has been merged meanwhile, and there is another
                continue

    def locate(self, query: StateQuery, times: Mapping[bytes, int]) -> dict[bytes, RowPlace]:
        """Return where events are stored, by identity; ``times`` are those they should have.

        Copies have the same time. Only for those that are not found by it all is searched.
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
        """Yield all identities that are stored, many at a time."""
        for (segment_id,) in query("SELECT segment_id FROM segment"):
            yield self._identities(query, segment_id)

    def append(
        self, connection: sqlite3.Connection, rows: Iterable[StoredRow], is_fresh: bool
    ) -> None:
        """Add rows; ``is_fresh``: alerts are to be derived from them."""
        for part in segments_of(rows):
            self._keep(*insert_segment(connection, part, is_fresh))

    def append_packed(self, connection: sqlite3.Connection, packed: Packed, is_fresh: bool) -> None:
        """Add a segment that another process has packed."""
        self._keep(*insert_packed(connection, packed, is_fresh))

    def remove(self, connection: sqlite3.Connection, places: Iterable[RowPlace]) -> None:
        """Remove rows."""
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
        """Write other rows, in order, in the place of a segment's."""
        ((is_fresh,),) = connection.execute(
            "DELETE FROM segment WHERE segment_id = ? RETURNING fresh", (segment_id,)
        ).fetchall()
        if rows:
            self._keep(*insert_segment(connection, rows, is_fresh))

    def give(
        self, connection: sqlite3.Connection, old_id: int, new_id: int, span: tuple[int, int]
    ) -> None:
        """Give the events of a file to the one that replaces it; ``span``: first and last time."""
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
        """Return the committed segments from which no alerts were derived yet, by time."""
        return [
            SegmentSpan(*row)
            for row in self.committed(
                "SELECT first, last, segment_id FROM segment WHERE fresh = 1 ORDER BY first"
            )
        ]

    def mark_derived(self, connection: sqlite3.Connection, spans: Iterable[SegmentSpan]) -> None:
        """Note that alerts were derived from segments."""
        connection.executemany(
            "UPDATE segment SET fresh = 0 WHERE segment_id = ?",
            [(span.segment_id,) for span in spans],
        )

    def merge_small(self, connection: sqlite3.Connection) -> None:
        """Merge small segments, where there are many of a size."""
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
        """Cut the rows of some segments anew, in order of time."""
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
        """Keep a segment unpacked; drop those that were used least recently."""
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
    """Return the number of an identity among those that follow each other."""
    at = identities.find(identity)
    while at > 0 and at % IDENTITY:
        at = identities.find(identity, at + 1)
    return at // IDENTITY if at >= 0 else None
