"""Segments: many events packed as columns, with each distinct part stored once.

A segment is sorted by time and identity. Identities are stored as they are, since random bytes do
not compress; everything else is stored as numbers of parts.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from detector.detection.event import (
    EventCall,
    EventClient,
    KeptEvent,
    Match,
    Matches,
    Position,
    Series,
    inputs_at,
    uuid_text,
)
from detector.detection.window import Hit
from detector.esql.plan.accumulators import Inputs
from detector.formats.native.columns import IDENTITY, number_array
from detector.store.packing.body import Body, PackedChunk
from detector.store.packing.parts import NumberedMatches, PartReader


class StoredRow(NamedTuple):
    """An event with the id of its file, and the generation of the rules that it was read with.

    The source of its position is empty, because files may be renamed."""

    identity: bytes
    row: KeptEvent
    file_id: int
    generation: int

    @property
    def order(self) -> tuple[int, bytes]:
        return self.row.time, self.identity


class Packed(NamedTuple):
    """The columns of a row of the table of segments."""

    first: int
    last: int
    rows: int
    hits: dict[str, int]
    """The number of hits, by rule id."""
    identities: bytes
    content: Body

    def body(self) -> bytes:
        """Return the content in its stored form."""
        return self.content.pack()

    def segment(self) -> Segment:
        """Return the segment, without a round trip through the stored form."""
        return Segment(self.identities, self.content)

    def counts(self) -> Counter[int]:
        """Return the number of rows of each file, by file id."""
        counts: Counter[int] = Counter()
        for number, count in Counter(self.content.chunk.numbers()).items():
            counts[self.content.chunks[number].file_id] += count
        return counts

    def placed(self, file_ids: Sequence[int], generation: int) -> Packed:
        """Return the rows with real file ids; so far they hold indexes into ``file_ids``."""
        chunks = [
            PackedChunk(file_ids[chunk.file_id], chunk.offset, generation)
            for chunk in self.content.chunks
        ]
        return self._replace(content=msgspec.structs.replace(self.content, chunks=chunks))


class Segment:
    """An unpacked segment, which is immutable."""

    def __init__(self, identities: bytes, content: Body) -> None:
        self._body = content
        self._identities = identities
        self.times = number_array("q", list(map(content.start.__add__, content.times.numbers())))
        self.match = content.match.numbers()
        self._client, self._call = content.client.numbers(), content.call.numbers()
        self._region, self._chunk = content.region.numbers(), content.chunk.numbers()
        self._index = content.index.numbers()
        self._parts = PartReader(content.parts)
        self._matches: dict[int, Matches] = {}
        self._places: dict[Series, list[int]] | None = None

    @classmethod
    def unpack(cls, identities: bytes, body: bytes) -> Segment:
        """Unpack a stored segment. Raises msgspec.MsgspecError if it is damaged."""
        return cls(identities, Body.unpack(body))

    def __len__(self) -> int:
        return len(self.times)

    @property
    def parts(self) -> int:
        """The number of parts, as an estimate of the segment's memory."""
        return len(self.times) // 4 + self._parts.count

    @property
    def series(self) -> Sequence[Series]:
        """The series of all hits, by number."""
        return self._parts.series

    @property
    def numbered_matches(self) -> Sequence[NumberedMatches]:
        """The numbered matches, by their number in ``match``."""
        return self._parts.matches

    def inputs(self, number: int) -> Inputs:
        """Return the inputs with this number."""
        return self._parts.inputs(number)

    def identity(self, number: int) -> bytes:
        """Return the identity of a row."""
        return self._identities[number * IDENTITY : (number + 1) * IDENTITY]

    def find(self, identity: bytes, time: int) -> int | None:
        """Return the number of the row with this identity and time; None if there is none."""
        number = bisect_left(self.times, time)
        while number < len(self.times) and self.times[number] == time:
            if self.identity(number) == identity:
                return number
            number += 1
        return None

    def is_hit(self, number: int) -> bool:
        """Tell whether a rule matches a row, or another record with the same identity."""
        return bool(self.numbered_matches[self.match[number]]) or number in self._body.stale

    def row(self, number: int, source: str = "") -> KeptEvent:
        """Return a row; ``source`` is the path of its file."""
        body = self._body
        return KeptEvent(
            self.times[number],
            self.client(number),
            self.call(number),
            self.region(number),
            body.issued_keys.get(number, ""),
            body.event_ids.get(number),
            Position(source, body.chunks[self._chunk[number]].offset, self._index[number]),
            self.matches(self.match[number]),
            self.stale(number),
        )

    def matches(self, match: int) -> Matches:
        """Return the matches with this number, as in ``match``."""
        matches = self._matches.get(match)
        if matches is None:
            matches = self._parts.with_inputs(self.numbered_matches[match])
            self._matches[match] = matches
        return matches

    def client(self, number: int) -> EventClient:
        """Return the caller of a row."""
        return self._parts.client(self._client[number])

    def region(self, number: int) -> str:
        """Return the region of a row."""
        return self._parts.regions[self._region[number]]

    def regions_of(self, numbers: Sequence[int]) -> list[str]:
        """Return the region of each of these rows."""
        regions = self._parts.regions
        return [regions[part] for part in map(self._region.__getitem__, numbers)]

    def matches_of(self, numbers: Sequence[int]) -> set[int]:
        """Return the numbers of the distinct matches of rows."""
        return set(map(self.match.__getitem__, numbers))

    def callers_of(self, numbers: Sequence[int]) -> set[EventClient]:
        """Return the distinct callers of rows."""
        return set(map(self._parts.client, set(map(self._client.__getitem__, numbers))))

    def calls_of(self, numbers: Sequence[int]) -> list[tuple[EventCall, int]]:
        """Return the distinct calls of rows, each with its number of rows."""
        parts = list(map(self._call.__getitem__, numbers))
        return [(self._parts.calls[part], parts.count(part)) for part in set(parts)]

    def common_parts(self, number: int) -> tuple[object, ...]:
        """Return the parts, without the time, that a row may share with others, as numbers."""
        body = self._body
        return (
            self.match[number],
            self._client[number],
            self._call[number],
            self._region[number],
            body.issued_keys.get(number),
            body.event_ids.get(number),
        )

    def stale(self, number: int) -> tuple[tuple[int, Matches], ...]:
        """Return the (time, matches) of other records with the same identity."""
        stale = self._body.stale.get(number, ())
        return tuple([(time, self.matches(match)) for time, match in stale])

    def stale_rows(self) -> Iterator[int]:
        """Yield the numbers of rows with stale matches."""
        yield from self._body.stale

    def file_id(self, number: int) -> int:
        """Return the id of the file that brought a row."""
        return self._body.chunks[self._chunk[number]].file_id

    def file_ids(self) -> set[int]:
        """Return the ids of the files that brought rows."""
        return {chunk.file_id for chunk in self._body.chunks}

    def call(self, number: int) -> EventCall:
        """Return the call of a row."""
        return self._parts.calls[self._call[number]]

    def event_id(self, number: int) -> str:
        """Return the event id of a row as the log has it."""
        return self.other_id(number) or uuid_text(self.identity(number))

    def other_id(self, number: int) -> str | None:
        """Return the event id of a row; None if it is the identity as a lower-case UUID."""
        return self._body.event_ids.get(number)

    def opens_session(self, number: int) -> bool:
        """Tell whether an event is a call to STS that issued a key."""
        return number in self._body.issued_keys

    def place(self, number: int) -> tuple[int, int, int]:
        """Return a row's file id, the offset of its chunk, and its index in the chunk."""
        chunk = self._body.chunks[self._chunk[number]]
        return chunk.file_id, chunk.offset, self._index[number]

    def stored(self, number: int) -> StoredRow:
        """Return a row with its identity, file id and generation."""
        file_id, _, generation = self._body.chunks[self._chunk[number]]
        return StoredRow(self.identity(number), self.row(number), file_id, generation)

    def rows(self) -> list[StoredRow]:
        """Return all rows."""
        return [self.stored(number) for number in range(len(self))]

    def numbers_of(self, series: Series) -> Sequence[int]:
        """Return the numbers of the rows that are hits of a series, in order, with stale ones."""
        if self._places is None:
            self._places = self._index_series()
        return self._places.get(series, ())

    def hits_between(self, series: Series, start: float, end: float, width: int) -> Sequence[int]:
        """Return the numbers of the hits of a series in ``[start, end)``, in order."""
        numbers, stale = self.numbers_of(series), self._body.stale
        first = bisect_left(numbers, start, key=self.times.__getitem__)
        found = numbers[first : bisect_left(numbers, end, first, key=self.times.__getitem__)]
        if stale.keys().isdisjoint(found):
            return found
        return [
            number
            for number in found
            if number not in stale or self.hit(number, series, width) is not None
        ]

    def hit(self, number: int, series: Series, width: int) -> Hit | None:
        """Return a row as a hit of a series; None if it is none.

        ``width`` is the bucket width of the series, in seconds."""
        row = self.row(number)
        inputs = inputs_of(row, series, width)
        if inputs is None:
            return None
        return Hit(row.time, self.identity(number), inputs, row)

    def _index_series(self) -> dict[Series, list[int]]:
        numbers: list[list[int]] = [[] for _ in self.series]
        of_match = [[numbers[series] for series, _ in each] for each in self.numbered_matches]
        for number, match in enumerate(self.match):
            for of_series in of_match[match]:
                of_series.append(number)
        for number, stale in self._body.stale.items():
            for _, match in stale:
                for series, _ in self.numbered_matches[match]:
                    if number not in numbers[series]:
                        insort(numbers[series], number)
        return dict(zip(self.series, numbers, strict=True))


def inputs_of(row: KeptEvent, series: Series, width: int) -> tuple[Any, ...] | None:
    """Return the inputs of a row as a hit of a series; None if it is none.

    Matches of other records with the same identity in the same bucket count too; of several inputs
    the smallest are returned."""
    found = [
        inputs_at(inputs, row.time, row.region) for each, inputs in row.matches if each == series
    ]
    for time, matches in row.stale:
        if time // width == row.time // width:
            found += [
                inputs_at(inputs, time, row.region) for each, inputs in matches if each == series
            ]
    if len(found) > 1:
        found.sort(key=msgspec.msgpack.encode)
    return found[0] if found else None


def without_matches(row: KeptEvent, is_dropped: Callable[[int, Match], bool]) -> KeptEvent:
    """Return a row without the matches for which ``is_dropped(time, match)`` holds."""
    kept = tuple(match for match in row.matches if not is_dropped(row.time, match))
    stale = []
    for time, matches in row.stale:
        left = tuple(match for match in matches if not is_dropped(time, match))
        if left:
            stale.append((time, left))
    return msgspec.structs.replace(row, matches=kept, stale=tuple(stale))
