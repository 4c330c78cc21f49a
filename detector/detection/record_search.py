"""Search files again for the records of a span of time."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO, Generic, NamedTuple, Protocol, TypeVar

from detector.cloudtrail.record import EventSignature, Record, signature_of, skip_reason
from detector.detection.event import Event, Position
from detector.detection.principal import STS, caller_keys, issued_keys
from detector.detection.principal_index import PrincipalIndex, hashes_of
from detector.formats import (
    Chunk,
    RawRecords,
    Unreadable,
    parse_records,
    read_chunks,
    split_records,
)
from detector.sources.open_file import open_file
from detector.text.linear_regex import contains_any
from detector.text.time import parse_time


class Selector(Protocol):
    """A condition that selects events."""

    def includes(self, event: Event, record: Record, /) -> bool:
        """Return whether the event of this record is selected."""

    def principal_keys(self) -> frozenset[str] | None:
        """Return keys of which each selected record has one, else None.

        A record has them by ``principal.caller_keys`` or ``principal.issued_keys``."""

    def required_substrings(self) -> Sequence[bytes] | None:
        """Return bytes of which each selected record has one, else None."""


S = TypeVar("S", bound=Selector)


class SearchRequest(NamedTuple, Generic[S]):
    """A search for the events of ``selector`` in ``[start, end)``, epoch seconds.

    ``name`` tells the requests apart."""

    name: str
    selector: S
    start: int
    end: int

    def contains(self, time: int) -> bool:
        """Return whether a time is in the span."""
        return self.start <= time < self.end


class ChunkRequest(NamedTuple, Generic[S]):
    """The requests for a chunk, with the chunk's encoded principal index."""

    requests: Sequence[SearchRequest[S]]
    principal_index: bytes


class RecordMatch(NamedTuple):
    """A selected record; ``raw`` is as the file has it."""

    event: Event
    record: Record
    raw: bytes


Predicate = Callable[[EventSignature], bool]
"""Whether the records of a signature can match at all."""


def search_file(
    path: str,
    requests: Mapping[int, ChunkRequest[S]],
    predicate: Predicate,
    opener: Callable[[str], BinaryIO] = open_file,
) -> Iterator[RecordMatch]:
    """Search the chunks of a file, by offset, for the records that any of their requests selects.

    A file that has gone or cannot be read has no matches, or those before that.
    """
    with contextlib.suppress(OSError, Unreadable), opener(path) as file:
        for chunk in _chunks_at(file, requests.keys()):
            chunk_requests, principal_index = requests[chunk.offset]
            if any(request.selector.principal_keys() is None for request in chunk_requests):
                yield from _scan(path, chunk, chunk_requests, predicate)
            else:
                index = PrincipalIndex(principal_index)
                yield from _search_index(path, chunk, chunk_requests, index, predicate)


def scan_file(
    path: str, file: BinaryIO, request: SearchRequest[S], offsets: Sequence[int] | None
) -> Iterator[list[RecordMatch]]:
    """Scan an open file for one request; yield each chunk's matches.

    So the caller can stop between chunks. ``offsets`` are those of the chunks to scan, None: all.
    Raises OSError and Unreadable.
    """
    patterns = _patterns(request.selector)
    chunks = read_chunks(file) if offsets is None else _chunks_at(file, offsets)
    for chunk in chunks:
        if _has_one(chunk.data, patterns):
            yield list(_scan(path, chunk, [request], lambda _: True))
        else:
            yield []


def _chunks_at(file: BinaryIO, offsets: Iterable[int]) -> Iterator[Chunk]:
    """Yield the chunks at these offsets in order."""
    remaining = sorted(offsets)
    while remaining:
        with contextlib.closing(read_chunks(file, remaining[0])) as chunks:
            for chunk in chunks:
                if chunk.offset == remaining[0]:
                    yield chunk
                remaining = [offset for offset in remaining if offset > chunk.offset]
                if not remaining or not (chunk.decompressed or remaining[0] == chunk.end):
                    # Seek. A file that has grown may be cut elsewhere than when it was read.
                    break
            else:
                return


def _patterns(selector: Selector) -> Callable[[bytes | memoryview], bool] | None:
    """Return a test for the bytes that a selector requires; None where it requires none."""
    substrings = selector.required_substrings()
    if substrings is None:
        return None
    return contains_any(substrings, getattr(selector, "ignores_case", False))


def _has_one(data: memoryview | bytes, is_in: Callable[[bytes | memoryview], bool] | None) -> bool:
    return is_in is None or is_in(data)


class _RequestsByKey(Generic[S]):
    """The requests that may select a record, by the record's principal keys."""

    def __init__(self, requests: Sequence[SearchRequest[S]]) -> None:
        self._requests = requests
        self._numbers_by_key: dict[str, list[int]] = defaultdict(list)
        self._of_any_key: list[int] = []
        for number, request in enumerate(requests):
            keys = request.selector.principal_keys()
            if keys is None:
                self._of_any_key.append(number)
                continue
            for key in keys:
                self._numbers_by_key[key].append(number)

    def get(self, keys: Iterable[str]) -> list[SearchRequest[S]]:
        numbers = set(self._of_any_key)
        for key in keys:
            numbers.update(self._numbers_by_key.get(key, ()))
        return [self._requests[number] for number in sorted(numbers)]


def _scan(
    path: str, chunk: Chunk, requests: Sequence[SearchRequest[S]], predicate: Predicate
) -> Iterator[RecordMatch]:
    """Search all records of a chunk."""
    records = parse_records(chunk)
    by_key = _RequestsByKey(requests)
    # Where the keys of a record tell nothing, its bytes may.
    patterns = {
        request.name: _patterns(request.selector)
        for request in requests
        if request.selector.principal_keys() is None
    }
    for signature, indexes in records.by_signature.items():
        if skip_reason(signature) or not predicate(signature):
            continue
        keys = caller_keys(signature)
        candidates = by_key.get(keys)
        may_open_session = signature.event_source == STS
        if not candidates and not may_open_session:
            continue
        for index in indexes:
            time = records.times[index]
            if time is None:
                continue
            if may_open_session:
                candidates = by_key.get(keys | issued_keys(records.canonical(index)))
            due = [
                request
                for request in candidates
                if request.contains(time)
                and (
                    request.name not in patterns
                    or _has_one(records.raw(index), patterns[request.name])
                )
            ]
            record = _decode(records, index) if due else None
            if record:
                position = Position(path, chunk.offset, index)
                yield from _matches(due, records, record, time, position)


def _decode(records: RawRecords, index: int) -> Record | None:
    """Decode a record; None if nested too deep or no longer there."""
    try:
        return records.record(index)
    except (ValueError, RecursionError, IndexError):
        return None


def _search_index(
    path: str,
    chunk: Chunk,
    requests: Sequence[SearchRequest[S]],
    index: PrincipalIndex,
    predicate: Predicate,
) -> Iterator[RecordMatch]:
    """Search only the records that have a principal key of the requests."""
    records = split_records(chunk, index.verbatim)
    numbers_by_hash: dict[int, list[int]] = defaultdict(list)
    for number, request in enumerate(requests):
        for key_hash in hashes_of(request.selector.principal_keys() or ()):
            numbers_by_hash[key_hash].append(number)
    for hashes, record_indexes in index.lookup(numbers_by_hash.keys()):
        numbers: set[int] = set()
        for key_hash in hashes:
            numbers.update(numbers_by_hash.get(key_hash, ()))
        candidates = [requests[number] for number in sorted(numbers)]
        for record_index in record_indexes:
            record = _decode(records, record_index)
            time = parse_time(record.event_time) if record else None
            if record is None or time is None:
                continue
            if not any(request.contains(time) for request in candidates):
                continue
            signature = signature_of(record.head())
            if not skip_reason(signature) and predicate(signature):
                position = Position(path, chunk.offset, record_index)
                yield from _matches(candidates, records, record, time, position)


def _matches(
    requests: Sequence[SearchRequest[S]],
    records: RawRecords,
    record: Record,
    time: int,
    position: Position,
) -> Iterator[RecordMatch]:
    """Yield the match of a record, if a request selects it."""
    try:
        event = Event.of(record, records.canonical(position.index), time, position)
        is_selected = any(
            request.contains(time) and request.selector.includes(event, record)
            for request in requests
        )
    except RecursionError:
        return  # counted as rejected where it was read
    if is_selected:
        yield RecordMatch(event, record, records.raw(position.index))
