"""Search files again for the records of related principals.

The records of a chunk are grouped by their heads, as when they were read. What a head tells is
asked once for all of its records, and the rest of an event is made once for those that have it in
common; only calls to STS and odd records are decoded whole.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple

from detector.cloudtrail.record import EventSignature, Record, signature_of
from detector.detection.event import KeptEvent, Position
from detector.detection.principal import STS
from detector.detection.principal_index import PrincipalIndex, hashes_of
from detector.detection.record_search import (
    Predicate,
    RecordMatch,
    chunks_at,
    decode_record,
    scan_chunk,
)
from detector.detection.record_view import RecordView, read_hit_fields
from detector.detection.signals.record_requests import (
    RelatedRequest,
    RequestedSpans,
    TimeSpans,
    is_within,
)
from detector.formats import KnownHeads, Records, Unreadable, parse_records
from detector.sources.open_file import open_file


class ChunkRequest(NamedTuple):
    """The requests for a chunk, with the chunk's encoded principal index."""

    requests: Sequence[RelatedRequest]
    principal_index: bytes


ChunkRequests = Mapping[int, ChunkRequest]
"""What to search in the chunks of a file, by their offset."""


class RelatedRecords(NamedTuple):
    """Records of related principals that share a signature, by identity and row of their events.

    ``decode`` returns the whole record of an index in the chunk, None where there is none."""

    signature: EventSignature
    events: list[tuple[bytes, KeptEvent]]
    decode: Callable[[int], Record | None]


def search_file(
    path: str,
    requests: ChunkRequests,
    predicate: Predicate,
    known: KnownHeads,
    opener: Callable[[str], BinaryIO] = open_file,
) -> Iterator[RelatedRecords]:
    """Search the chunks of a file, by offset, for the records that any of their requests selects.

    A file that has gone or cannot be read has no matches, or those before that. ``known`` are the
    heads of files that were searched before.
    """
    with contextlib.suppress(OSError, Unreadable), opener(path) as file:
        for chunk in chunks_at(file, requests.keys()):
            chunk_requests, principal_index = requests[chunk.offset]
            if any(request.selector.principal_keys() is None for request in chunk_requests):
                yield from map(_related, scan_chunk(path, chunk, chunk_requests, predicate))
            else:
                index = PrincipalIndex(principal_index)
                records = parse_records(chunk, known, index.verbatim)
                search = _ChunkSearch(Position(path, chunk.offset, 0), records, chunk_requests)
                yield from search.run(index, predicate)


def _related(match: RecordMatch) -> RelatedRecords:
    signature = signature_of(match.record.head())
    return RelatedRecords(signature, [KeptEvent.of_event(match.event)], lambda _: match.record)


class _ChunkSearch:
    """The search of a chunk by its principal index."""

    def __init__(
        self, start: Position, records: Records, requests: Sequence[RelatedRequest]
    ) -> None:
        self._start = start
        self._records = records
        self._requests = requests
        self._spans = RequestedSpans(requests)

    def run(self, index: PrincipalIndex, predicate: Predicate) -> Iterator[RelatedRecords]:
        """Search only the records that have a principal key of the requests."""
        keys = {key for it in self._requests for key in it.selector.principal_keys() or ()}
        wanted = {record for _, records in index.lookup(set(hashes_of(keys))) for record in records}
        for group in self._records.groups:
            signature = group.head.signature
            if not wanted.isdisjoint(group.indexes) and predicate(signature):
                indexes = [index for index in group.indexes if index in wanted]
                events = list(self._events(signature, indexes))
                if events:
                    yield RelatedRecords(signature, events, self._decode)

    def _position(self, index: int) -> Position:
        return Position(self._start.source, self._start.offset, index)

    def _decode(self, index: int) -> Record | None:
        return decode_record(self._records, index)

    def _events(
        self, signature: EventSignature, indexes: Sequence[int]
    ) -> Iterator[tuple[bytes, KeptEvent]]:
        """Yield identity and row of those records of a signature that a request selects."""
        # The key that a call to STS issued stands beyond its view.
        is_whole = signature.event_source == STS
        views: dict[Any, tuple[KeptEvent | None, TimeSpans]] = {}
        for index in indexes:
            time = self._records.times[index]
            if time is None:
                continue
            raw = None if is_whole else self._records.raw_hit(index)
            if raw is None:
                yield from self._decoded_event(signature, index, time, is_whole)
                continue
            view, identity = raw
            if view not in views:
                views[view] = self._template(signature, index)
            template, spans = views[view]
            if template is None:
                yield from self._decoded_event(signature, index, time, is_whole=True)
            elif is_within(spans, time):
                position = self._position(index)
                yield identity, template.copy_at(time, position, ())

    def _template(
        self, signature: EventSignature, index: int
    ) -> tuple[KeptEvent | None, TimeSpans]:
        """Return what the events of a signature and a view have in common, and when they count.

        The event has no time and id; it is None where the record is odd."""
        fields = read_hit_fields(self._records.encoded(index))
        view = RecordView.of(signature, fields) if fields else None
        if view is None:
            return None, []
        template = KeptEvent.of_view(view, self._start)
        return template, self._spans.of(template.client, "")

    def _decoded_event(
        self, signature: EventSignature, index: int, time: int, is_whole: bool
    ) -> Iterator[tuple[bytes, KeptEvent]]:
        """Yield the event of a record whose id must be decoded, or all of it."""
        position = self._position(index)
        fields = None if is_whole else read_hit_fields(self._records.encoded(index))
        view = RecordView.of(signature, fields) if fields else None
        if fields is not None and view is not None:
            template = KeptEvent.of_view(view, position)
            event = template.at(fields.eventID or "", time, position, ())
        else:
            record = self._decode(index)
            if record is None:
                return
            try:
                event = KeptEvent.of(record, self._records.canonical(index), time, position)
            except RecursionError:
                return  # counted as rejected where it was read
        if is_within(self._spans.of(event[1].client, event[1].issued_key), time):
            yield event
