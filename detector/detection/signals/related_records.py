"""Search files again for the records of related principals.

What a head tells is read first. The rest of an event is made once for the records that have it in
common, so only calls to STS and odd records are decoded whole.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, BinaryIO, NamedTuple

from detector.cloudtrail.record import EventSignature, Head, Record, signature_of, skip_reason
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
    RecordRequests,
    RelatedRequest,
    RequestsByName,
)
from detector.formats import Chunk, RawRecords, Unreadable, split_records
from detector.sources.open_file import open_file
from detector.text.capped import TEXT_CAP
from detector.text.time import parse_time


class ChunkRequest(NamedTuple):
    """The requests for a chunk, with the chunk's encoded principal index."""

    requests: Sequence[RelatedRequest]
    principal_index: bytes


class RelatedRecord(NamedTuple):
    """A record of related principals, by the identity and the row of its event.

    ``decode`` returns the whole record, None where there is none."""

    identity: bytes
    row: KeptEvent
    signature: EventSignature
    decode: Callable[[], Record | None]


def search_file(
    path: str,
    requests: Mapping[int, ChunkRequest],
    predicate: Predicate,
    opener: Callable[[str], BinaryIO] = open_file,
) -> Iterator[RelatedRecord]:
    """Search the chunks of a file, by offset, for the records that any of their requests selects.

    A file that has gone or cannot be read has no matches, or those before that.
    """
    with contextlib.suppress(OSError, Unreadable), opener(path) as file:
        for chunk in chunks_at(file, requests.keys()):
            chunk_requests, principal_index = requests[chunk.offset]
            if any(request.selector.principal_keys() is None for request in chunk_requests):
                yield from map(_related, scan_chunk(path, chunk, chunk_requests, predicate))
            else:
                index = PrincipalIndex(principal_index)
                search = _ChunkSearch(path, chunk, index.verbatim, predicate)
                yield from search.run(index, chunk_requests)


def _related(match: RecordMatch) -> RelatedRecord:
    identity, row = KeptEvent.of_event(match.event)
    signature = signature_of(match.record.head())
    return RelatedRecord(identity, row, signature, lambda: match.record)


class _ChunkSearch:
    """The search of a chunk by its principal index."""

    def __init__(self, path: str, chunk: Chunk, verbatim: bool, predicate: Predicate) -> None:
        self._path = path
        self._offset = chunk.offset
        self._records: RawRecords = split_records(chunk, verbatim)
        self._predicate = predicate
        self._templates: dict[Any, KeptEvent | None] = {}
        """Events without time, id and position, by what they are made of; None where it is odd."""

    def run(
        self, index: PrincipalIndex, requests: Sequence[RelatedRequest]
    ) -> Iterator[RelatedRecord]:
        """Search only the records that have a principal key of the requests."""
        numbers_by_hash: dict[int, list[int]] = defaultdict(list)
        for number, request in enumerate(requests):
            for key_hash in hashes_of(request.selector.principal_keys() or ()):
                numbers_by_hash[key_hash].append(number)
        by_name = RequestsByName(requests)
        for hashes, record_indexes in index.lookup(numbers_by_hash.keys()):
            numbers: set[int] = set()
            for key_hash in hashes:
                numbers.update(numbers_by_hash.get(key_hash, ()))
            candidates = RecordRequests(requests, numbers, by_name)
            for record_index in record_indexes:
                found = self._find(record_index, candidates)
                if found is not None:
                    yield found

    def _find(self, index: int, candidates: RecordRequests) -> RelatedRecord | None:
        """Return the record at an index, if a request selects it."""
        head = self._head(index)
        time = parse_time(head.event_time) if head else None
        if head is None or time is None or not candidates.contain(time):
            return None
        signature = signature_of(head)
        if skip_reason(signature) or not self._predicate(signature):
            return None
        event = self._event(index, signature, time)
        if event is None:
            return None
        identity, row = event
        if not candidates.select(row.client, row.issued_key, time):
            return None
        return RelatedRecord(identity, row, signature, partial(decode_record, self._records, index))

    def _head(self, index: int) -> Head | None:
        """Decode a head; None of a record that cannot be read."""
        try:
            if memoryview(self._records.encoded(index)).nbytes <= TEXT_CAP:
                return self._records.head(index)
        except (ValueError, RecursionError, IndexError):
            pass
        record = decode_record(self._records, index)
        return record.head() if record else None

    def _event(
        self, index: int, signature: EventSignature, time: int
    ) -> tuple[bytes, KeptEvent] | None:
        """Return identity and row of the event of a record; None where it cannot be read."""
        position = Position(self._path, self._offset, index)
        # The key that a call to STS issued stands beyond its view.
        if signature.event_source == STS:
            return self._whole_event(index, time, position)
        raw = self._records.raw_hit(index)
        if raw is not None:
            view, identity = raw
            template = self._template((signature, view), index)
            if template is not None:
                return identity, template.copy_at(time, position, ())
            return self._whole_event(index, time, position)
        fields = read_hit_fields(self._records.encoded(index))
        template = self._template((signature, fields.decided_by), index) if fields else None
        if fields is None or template is None:
            return self._whole_event(index, time, position)
        return template.at(fields.eventID or "", time, position, ())

    def _template(self, key: tuple[EventSignature, Any], index: int) -> KeptEvent | None:
        """Return what the events of a signature and a view have in common."""
        if key not in self._templates:
            fields = read_hit_fields(self._records.encoded(index))
            view = RecordView.of(key[0], fields) if fields else None
            place = Position(self._path, self._offset, 0)
            self._templates[key] = KeptEvent.of_view(view, place) if view else None
        return self._templates[key]

    def _whole_event(
        self, index: int, time: int, position: Position
    ) -> tuple[bytes, KeptEvent] | None:
        record = decode_record(self._records, index)
        if record is None:
            return None
        try:
            return KeptEvent.of(record, self._records.canonical(index), time, position)
        except RecursionError:
            return None  # counted as rejected where it was read
