"""The results of several files, merged before they are sent to the process that commits them."""

from __future__ import annotations

from collections.abc import Sequence

from detector.detection.baseline import OriginSpans
from detector.detection.columns.event_columns import EventColumns
from detector.store.file_table import FileRead
from detector.store.packing.packed_hits import LEAST_HITS, pack_hits


def unite_reads(reads: Sequence[FileRead]) -> None:
    """Move the observations of all reads to the first one, and their hits too, packed, if many.

    The reads must be committed together."""
    if not reads:
        return
    first = reads[0]
    observations = OriginSpans()
    for read in reads:
        observations.unite(read.partial.observations)
        read.partial.observations = OriginSpans()
    first.partial.observations = observations
    # Hits of a reread file must be compared with the stored ones, one by one.
    if any(read.reread for read in reads):
        return
    if sum(read.partial.hits.added for read in reads) < LEAST_HITS:
        return
    hits = EventColumns()
    for read in reads:
        hits.add_all(read.partial.hits)
        read.partial.hits = EventColumns()
    first.packed = pack_hits(hits)
