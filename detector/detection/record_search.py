"""Searches files again for records in a span of time."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import BinaryIO, Generic, NamedTuple, Protocol, TypeVar

from detector.cloudtrail.record import EventSignature, Record, skip_reason
from detector.detection.event import Event, Position
from detector.detection.principal import STS, caller_keys, issued_keys
from detector.formats import (
    Chunk,
    RawRecords,
    parse_records,
    read_chunks,
)
from detector.text.linear_regex import contains_any


class Selector(Protocol):
    """A condition that selects events."""

    def includes(self, event: Event, record: Record, /) -> bool:
        """Return whether the event of this record is selected."""

    def principal_keys(self) -> frozenset[str] | None:
        """Return keys at least one of which each selected record has; None if unknown.

        A record's keys are those of ``principal.caller_keys`` and ``principal.issued_keys``."""

    def required_substrings(self) -> Sequence[bytes] | None:
        """Return substrings at least one of which each selected record has; None if unknown."""


S = TypeVar("S", bound=Selector)


class SearchRequest(NamedTuple, Generic[S]):
    """A search for the events of ``selector`` in ``[start, end)``, epoch seconds.

    ``name`` identifies the request."""

    name: str
    selector: S
    start: int
    end: int

    def contains(self, time: int) -> bool:
        """Return whether a time is in the span."""
        return self.start <= time < self.end


class RecordMatch(NamedTuple):
    """A selected record; ``raw`` is its text as in the file."""

    event: Event
    record: Record
    raw: bytes


Predicate = Callable[[EventSignature], object]
"""Whether the records of a signature can match at all."""


def scan_file(
    path: str, file: BinaryIO, request: SearchRequest[S], offsets: Sequence[int] | None
) -> Iterator[list[RecordMatch]]:
    """Scan an open file for one request; yield the list of matches of each chunk.

    The caller can stop between chunks. ``offsets`` are those of the chunks to scan; None: all.
    Raises OSError and Unreadable.
    """
    patterns = _patterns(request.selector)
    predicate = getattr(request.selector, "may_include", _of_any_signature)
    chunks = read_chunks(file) if offsets is None else chunks_at(file, offsets)
    for chunk in chunks:
        if _has_one(chunk.data, patterns):
            yield list(scan_chunk(path, chunk, [request], predicate))
        else:
            yield []


def _of_any_signature(_: EventSignature) -> bool:
    return True


def chunks_at(file: BinaryIO, offsets: Iterable[int]) -> Iterator[Chunk]:
    """Yield the chunks at these offsets in order."""
    remaining = sorted(offsets)
    while remaining:
        with contextlib.closing(read_chunks(file, remaining[0])) as chunks:
            for chunk in chunks:
                if chunk.offset == remaining[0]:
                    yield chunk
                remaining = [offset for offset in remaining if offset > chunk.offset]
                if not remaining or not (chunk.decompressed or remaining[0] == chunk.end):
                    # Seek: a file that has grown may now be split into chunks differently.
                    break
            else:
                return


def _patterns(selector: Selector) -> Callable[[bytes | memoryview], bool] | None:
    """Return a test for the substrings that a selector requires; None if it requires none."""
    substrings = selector.required_substrings()
    if substrings is None:
        return None
    return contains_any(substrings, getattr(selector, "ignores_case", False))


def _has_one(data: memoryview | bytes, is_in: Callable[[bytes | memoryview], bool] | None) -> bool:
    return is_in is None or is_in(data)


class _RequestsByKey(Generic[S]):
    """Finds the requests that may select a record, by the record's principal keys."""

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


def scan_chunk(
    path: str, chunk: Chunk, requests: Sequence[SearchRequest[S]], predicate: Predicate
) -> Iterator[RecordMatch]:
    """Search all records of a chunk."""
    records = parse_records(chunk)
    by_key = _RequestsByKey(requests)
    # If a selector has no principal keys, the record's bytes may still rule it out.
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
            record = decode_record(records, index) if due else None
            if record:
                position = Position(path, chunk.offset, index)
                yield from _matches(due, records, record, time, position)


def decode_record(records: RawRecords, index: int) -> Record | None:
    """Decode a record; None if it is nested too deep or no longer there."""
    try:
        return records.record(index)
    except (ValueError, RecursionError, IndexError):
        return None


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
