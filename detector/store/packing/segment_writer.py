"""The writing of a segment, and its size."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter, itemgetter

from detector.cloudtrail.record import json_text
from detector.store.packing.packer import SEGMENT_ROWS, full_segments, pack
from detector.store.packing.segment import Packed, Segment, StoredRow

_TIER_ROWS = (32, 256, SEGMENT_ROWS // 8)
"""Rows below which a segment is of each tier. Full ones are merged no more."""
FULL_TIER = len(_TIER_ROWS)

_get_identity, _get_time = itemgetter(0), attrgetter("row.time")
"""Of a stored row, in C: sorting by the one and then by the other is sorting by both."""


def segments_of(rows: Iterable[StoredRow]) -> Iterator[list[StoredRow]]:
    """Cut rows into those of full segments, in order of time and identity."""
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
    # At random: no id is ever used again, also where a transaction fails.
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
