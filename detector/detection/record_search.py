"""Some records of a span of time, found again in a file: what pivots and flags are made of."""

from __future__ import annotations

import contextlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO, Generic, NamedTuple, Protocol, TypeVar

from detector.cloudtrail.record import EventSignature, Head, Record, signature_of, skip_reason
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
from detector.text.time import parse_time


class Selector(Protocol):
    """Which events are meant."""

    def includes(self, event: Event, record: Record, /) -> bool:
        """Whether this event, of this record, is one of them."""

    def principal_keys(self) -> frozenset[str] | None:
        """Names of which each of their records carries one, as ``lineage`` has them; None where
        there are no such."""

    def required_substrings(self) -> Sequence[bytes] | None:
        """Bytes of which one stands in the JSON of each of their records; None where no such bytes
        can be relied on."""


S = TypeVar("S", bound=Selector)


class SearchRequest(NamedTuple, Generic[S]):
    """What is looked for: the events of ``selector`` in ``[start, end)``, epoch seconds; ``name``
    says for whom."""

    name: str
    selector: S
    start: int
    end: int


class ChunkRequest(NamedTuple, Generic[S]):
    """What is looked for in a chunk; ``marks`` say who is in it, as ``presence`` reads them."""

    requests: Sequence[SearchRequest[S]]
    principal_index: bytes


class RecordMatch(NamedTuple, Generic[S]):
    """``raw`` is the record as the file has it."""

    request: SearchRequest[S]
    event: Event
    record: Record
    raw: bytes


def search_file(
    path: str, asked: Mapping[int, ChunkRequest[S]], worth: Callable[[EventSignature], bool]
) -> Iterator[RecordMatch[S]]:
    """The matches of a file for what is asked of each chunk, by its offset, among the records whose
    call is ``worth`` it.

    A file that has gone or cannot be read has none, or those before that.
    """
    with contextlib.suppress(OSError, Unreadable), open_file(path) as file:
        for chunk in _visit(file, asked.keys()):
            watches, principal_index = asked[chunk.offset]
            if any(watch.selector.principal_keys() is None for watch in watches):
                yield from _matches(path, chunk, watches, worth)
            else:
                yield from _known(path, chunk, watches, PrincipalIndex(principal_index), worth)


def scan_file(
    path: str, file: BinaryIO, watch: SearchRequest[S], offsets: Sequence[int] | None
) -> Iterator[list[RecordMatch[S]]]:
    """The matches of each chunk of an open file, also where there are none, so that the caller may
    look up.

    ``offsets`` are those of the chunks to look into, None: all. Raises OSError and Unreadable.
    """
    needles = _patterns(watch.selector)
    for chunk in read_chunks(file) if offsets is None else _visit(file, offsets):
        there = _stands_in(chunk.data, needles)
        yield list(_matches(path, chunk, [watch], lambda _: True)) if there else []


def _visit(file: BinaryIO, offsets: Iterable[int]) -> Iterator[Chunk]:
    """The chunks at these offsets, in order. What lies between them is passed over where the file
    is plain."""
    due = sorted(offsets)
    while due:
        with contextlib.closing(read_chunks(file, due[0])) as them:
            for chunk in them:
                if chunk.offset == due[0]:
                    yield chunk
                due = [offset for offset in due if offset > chunk.offset]
                if not due or not (chunk.decompressed or due[0] == chunk.end):
                    break  # a file that has grown is not cut where it was when it was read
            else:
                return


def _patterns(selector: Selector) -> list[re.Pattern[bytes]] | None:
    needles = selector.required_substrings()
    return None if needles is None else [re.compile(re.escape(needle)) for needle in needles]


def _stands_in(data: memoryview | bytes, needles: Sequence[re.Pattern[bytes]] | None) -> bool:
    return needles is None or any(needle.search(data) for needle in needles)


class _Callers(Generic[S]):
    """Which watches may be for a call: found by the caller's names, however many watches there
    are."""

    def __init__(self, watches: Sequence[SearchRequest[S]]) -> None:
        self._watches = watches
        self._by_name: dict[str, list[int]] = defaultdict(list)
        self._of_any: list[int] = []
        for place, watch in enumerate(watches):
            if (names := watch.selector.principal_keys()) is None:
                self._of_any.append(place)
            else:
                for name in names:
                    self._by_name[name].append(place)

    def of(self, names: Iterable[str]) -> list[SearchRequest[S]]:
        named = {place for name in names for place in self._by_name.get(name, ())}
        return [self._watches[place] for place in sorted({*self._of_any, *named})]


def _matches(
    path: str,
    chunk: Chunk,
    watches: Sequence[SearchRequest[S]],
    worth: Callable[[EventSignature], bool],
) -> Iterator[RecordMatch[S]]:
    records = parse_records(chunk)
    callers = _Callers(watches)
    # Where heads tell nothing of the caller, the bytes of the record may.
    needles = {
        watch.name: _patterns(watch.selector)
        for watch in watches
        if watch.selector.principal_keys() is None
    }
    for call, indexes in records.by_signature.items():
        head = Head(None, *call)
        if skip_reason(head) or not worth(call):
            continue
        names = caller_keys(head)
        near = callers.of(names)
        opening = head.event_source == STS
        for index in indexes if near or opening else ():
            if (time := records.times[index]) is None:
                continue
            if opening:
                near = callers.of(names | issued_keys(records.canonical(index)))
            due = [
                watch
                for watch in near
                if watch.start <= time < watch.end
                and (
                    watch.name not in needles or _stands_in(records.raw(index), needles[watch.name])
                )
            ]
            if due and (record := _record(records, index)):
                yield from _of_record(
                    due, records, record, time, Position(path, chunk.offset, index)
                )


def _record(records: RawRecords, index: int) -> Record | None:
    """None where it cannot be read: it is nested too deep, or the file has become another."""
    try:
        return records.record(index)
    except (ValueError, RecursionError, IndexError):
        return None


def _known(
    path: str,
    chunk: Chunk,
    watches: Sequence[SearchRequest[S]],
    presence: PrincipalIndex,
    worth: Callable[[EventSignature], bool],
) -> Iterator[RecordMatch[S]]:
    """The matches among the records that carry a name of the watches: the others are not even
    looked at."""
    records = split_records(chunk, presence.plain)
    by_mark: dict[int, list[int]] = defaultdict(list)
    for place, watch in enumerate(watches):
        for mark in hashes_of(watch.selector.principal_keys() or ()):
            by_mark[mark].append(place)
    for marks, indexes in presence.where(by_mark.keys()):
        near = [
            watches[place]
            for place in sorted({place for mark in marks for place in by_mark.get(mark, ())})
        ]
        for index in indexes:
            if (record := _record(records, index)) is None or (
                time := parse_time(record.event_time)
            ) is None:
                continue
            due = [watch for watch in near if watch.start <= time < watch.end]
            if due and not skip_reason(head := record.head()) and worth(signature_of(head)):
                yield from _of_record(
                    due, records, record, time, Position(path, chunk.offset, index)
                )


def _of_record(
    watches: Sequence[SearchRequest[S]],
    records: RawRecords,
    record: Record,
    time: int,
    position: Position,
) -> Iterator[RecordMatch[S]]:
    try:
        event = Event.of(record, records.canonical(position.index), time, position)
        due = [watch for watch in watches if watch.selector.includes(event, record)]
    except RecursionError:
        return  # counted as rejected where it was read
    for watch in due:
        yield RecordMatch(watch, event, record, records.raw(position.index))
