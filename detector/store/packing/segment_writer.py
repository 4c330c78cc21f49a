"""The writing of a segment, and its size."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Sequence

from detector.cloudtrail.record import json_text
from detector.store.packing.segment import Segment, StoredRow, pack

SEGMENT_ROWS = 4096
"""Rows of a full segment. Larger ones cost more to look something up, smaller ones are packed less
well."""
_TIER_ROWS = (32, 256, SEGMENT_ROWS // 4)
"""Rows below which a segment is of each tier. Full ones are merged no more."""
FULL_TIER = len(_TIER_ROWS)


def insert_segment(
    connection: sqlite3.Connection, rows: Sequence[StoredRow], is_fresh: bool
) -> tuple[int, Segment]:
    """Write rows, in order of time and identity, as one segment; return it with its id."""
    packed = pack(rows)
    # At random: no id is ever used again, also where a transaction fails.
    segment_id = secrets.randbits(62)
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
