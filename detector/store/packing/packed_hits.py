"""The hits of several files, packed by the process that read them.

They are the work of a commit that any process can do: where all of their events are new, the main
process only says which ids the files have.
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
"""Hits from which a segment is merged no more. Fewer are packed with those of other files."""


class PackedHits(NamedTuple):
    """Hits of ``paths``, whose numbers stand in ``segments`` in the place of the files' ids."""

    paths: list[str]
    segments: list[Packed]

    def identities(self) -> set[bytes]:
        """Return the identities of the events."""
        return {name for packed in self.segments for name in identities_in(packed.identities)}

    def rules(self) -> set[str]:
        """Return the ids of the rules whose hits they are."""
        return {rule_id for packed in self.segments for rule_id in packed.hits}

    def counts(self) -> Counter[str]:
        """Count the events by the path of their file."""
        counts: Counter[str] = Counter()
        for packed in self.segments:
            for number, count in packed.counts().items():
                counts[self.paths[number]] += count
        return counts

    def events(self) -> Iterator[tuple[bytes, KeptEvent]]:
        """Yield identity and event of each hit."""
        for packed in self.segments:
            segment = packed.segment()
            for number in range(len(segment)):
                source = self.paths[segment.file_id(number)]
                yield segment.identity(number), segment.row(number, source)

    def placed(self, ids: Mapping[str, int], generation: int) -> Iterable[Packed]:
        """Yield the segments with the ids of the files, read by rules of this generation."""
        file_ids = [ids[path] for path in self.paths]
        return (packed.placed(file_ids, generation) for packed in self.segments)


def pack_hits(hits: EventColumns) -> PackedHits:
    """Pack events, of which there are some."""
    numbers: Numbers[str] = Numbers()
    segments = list(pack_columns(hits, numbers, 0))
    return PackedHits(list(numbers), segments)
