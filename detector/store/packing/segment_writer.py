"""The writing of segments, and their size tiers."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter, itemgetter

from detector.cloudtrail.record import json_text
from detector.store.packing.packer import SEGMENT_ROWS, full_segments, pack
from detector.store.packing.segment import Packed, Segment, StoredRow

_TIER_ROWS = (32, 256, SEGMENT_ROWS // 8)
"""The number of rows below which a segment belongs to each tier; full segments are not merged."""
FULL_TIER = len(_TIER_ROWS)

_get_identity, _get_time = itemgetter(0), attrgetter("row.time")
"""Key functions in C; sorting by identity and then stably by time sorts by both."""


def segments_of(rows: Iterable[StoredRow]) -> Iterator[list[StoredRow]]:
    """Sort rows by time and identity, and cut them into full segments."""
    ordered = sorted(rows, key=_get_identity)
    ordered.sort(key=_get_time)
    for first, end in full_segments(len(ordered)):
        yield ordered[first:end]


def insert_segment(
    connection: sqlite3.Connection, rows: Sequence[StoredRow], is_fresh: bool
) -> tuple[int, Segment]:
    """Write rows, in order of time and identity, as one segment; return it with its id."""
    return insert_packed(connection, pack(rows), is_fresh)


def insert_packed(
    connection: sqlite3.Connection, packed: Packed, is_fresh: bool
) -> tuple[int, Segment]:
    """Write packed rows as one segment; return it with its id."""
    # Random, so that no id is ever reused, even if a transaction fails.
    segment_id = secrets.randbits(63)
    tier = sum(packed.rows >= limit for limit in _TIER_ROWS)
    connection.execute(
        "INSERT INTO segment (segment_id, fresh, tier, first, last, hits, identities, body) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            segment_id,
            is_fresh,
            tier,
            packed.first,
            packed.last,
            json_text(packed.hits),
            packed.identities,
            packed.body(),
        ),
    )
    return segment_id, packed.segment()
