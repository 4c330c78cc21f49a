"""What was read of several files, united before it is sent to the process that commits it."""

from __future__ import annotations

from collections.abc import Sequence

from detector.detection.baseline import OriginSpans
from detector.detection.columns.event_columns import EventColumns
from detector.store.file_table import FileRead
from detector.store.packing.packed_hits import LEAST_HITS, pack_hits


def unite_reads(reads: Sequence[FileRead]) -> None:
    """Give to the first of the reads what was observed in all, and their hits, packed if many.

    They are to be committed together."""
    if not reads:
        return
    first = reads[0]
    observations = OriginSpans()
    for read in reads:
        observations.unite(read.partial.observations)
        read.partial.observations = OriginSpans()
    first.partial.observations = observations
    # Hits of a file that was read before are looked at one by one.
    if any(read.reread for read in reads):
        return
    if sum(read.partial.hits.added for read in reads) < LEAST_HITS:
        return
    hits = EventColumns()
    for read in reads:
        hits.add_all(read.partial.hits)
        read.partial.hits = EventColumns()
    first.packed = pack_hits(hits)
