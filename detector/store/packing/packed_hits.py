"""The hits of several files, packed by the process that read them.

Packing is the part of a commit that any process can do. If all events are new, the main process
only fills in the ids of the files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from detector.detection.columns.event_columns import EventColumns
from detector.detection.event import KeptEvent
from detector.formats.native.columns import identities_in
from detector.store.packing.packer import pack_columns
from detector.store.packing.segment import Packed
from detector.text.numbers import Numbers

LEAST_HITS = 1024
"""The number of hits from which a segment is not merged any more; fewer hits are packed together
with those of other files."""


class PackedHits(NamedTuple):
    """Hits of the files ``paths``; ``segments`` hold indexes into ``paths`` as file ids."""

    paths: list[str]
    segments: list[Packed]

    def identities(self) -> set[bytes]:
        """Return the identities of the events."""
        return {name for packed in self.segments for name in identities_in(packed.identities)}

    def rules(self) -> set[str]:
        """Return the ids of the rules that the hits belong to."""
        return {rule_id for packed in self.segments for rule_id in packed.hits}

    def counts(self) -> Counter[str]:
        """Count the events by the path of their file."""
        counts: Counter[str] = Counter()
        for packed in self.segments:
            for number, count in packed.counts().items():
                counts[self.paths[number]] += count
        return counts

    def events(self) -> Iterator[tuple[bytes, KeptEvent]]:
        """Yield the identity and the event of each hit."""
        for packed in self.segments:
            segment = packed.segment()
            for number in range(len(segment)):
                source = self.paths[segment.file_id(number)]
                yield segment.identity(number), segment.row(number, source)

    def placed(self, ids: Mapping[str, int], generation: int) -> Iterable[Packed]:
        """Return the segments with real file ids and the generation of the rules."""
        file_ids = [ids[path] for path in self.paths]
        return (packed.placed(file_ids, generation) for packed in self.segments)


def pack_hits(hits: EventColumns) -> PackedHits:
    """Pack events, of which there is at least one."""
    numbers: Numbers[str] = Numbers()
    segments = list(pack_columns(hits, numbers, 0))
    return PackedHits(list(numbers), segments)
