"""Some records of a span of time, found again in a file: what pivots and flags are made of."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO, Generic, NamedTuple, Protocol, TypeVar

from detector.alert import Event, Position
from detector.formats import Chunk, Records, Unreadable, chunks, parse
from detector.partial import skip_reason
from detector.record import Head, Record, parse_time
from detector.sources.source import open_file


class Selector(Protocol):
    """Which events are meant."""

    def includes(self, event: Event, record: Record, /) -> bool:
        """Whether this event, of this record, is one of them."""

    def admitting(self) -> Callable[[Head], bool] | None:
        """A cheap test that each of their records passes by its head; None where heads cannot tell."""

    def needles(self) -> Sequence[bytes] | None:
        """Bytes of which one stands in the JSON of each of their records; None where no such bytes can be relied on."""


S = TypeVar("S", bound=Selector)


class Watch(NamedTuple, Generic[S]):
    """What is looked for: the events of ``selector`` in ``[start, end)``, epoch seconds; ``name`` says for whom."""

    name: str
    selector: S
    start: int
    end: int


class Match(NamedTuple, Generic[S]):
    """``raw`` is the record as the file has it."""

    watch: Watch[S]
    event: Event
    record: Record
    raw: bytes


def search(path: str, watches: Mapping[int, Sequence[Watch[S]]]) -> Iterator[Match[S]]:
    """The matches of a file for the watches of each chunk, by its offset.

    A file that has gone or cannot be read has none, or those before that.
    """
    known: dict[str, _Wanted[S]] = {}
    with contextlib.suppress(OSError, Unreadable), open_file(path) as file:
        for chunk in _visit(file, watches.keys()):
            wanted = [known.get(watch.name) or known.setdefault(watch.name, _Wanted(watch))
                      for watch in watches[chunk.offset]]
            yield from _matches(path, chunk, wanted)


def sift(path: str, file: BinaryIO, watch: Watch[S], offsets: Sequence[int] | None) -> Iterator[list[Match[S]]]:
    """The matches of each chunk of an open file, also where there are none, so that the caller may look up.

    ``offsets`` are those of the chunks to look into, None: all. Raises OSError and Unreadable.
    """
    wanted = [_Wanted(watch)]
    for chunk in chunks(file) if offsets is None else _visit(file, offsets):
        yield list(_matches(path, chunk, wanted))


def _visit(file: BinaryIO, offsets: Iterable[int]) -> Iterator[Chunk]:
    """The chunks at these offsets, in order. What lies between them is passed over where the file is plain."""
    due = sorted(offsets)
    while due:
        with contextlib.closing(chunks(file, due[0])) as them:
            for chunk in them:
                if chunk.offset == due[0]:
                    yield chunk
                due = [offset for offset in due if offset > chunk.offset]
                if not due or not (chunk.packed or due[0] <= chunk.end):
                    break
            else:
                return


class _Wanted(Generic[S]):
    """A watch, and what can be told of a chunk or record before it is decoded."""

    def __init__(self, watch: Watch[S]) -> None:
        self.watch = watch
        self._admits = watch.selector.admitting()
        needles = watch.selector.needles()
        self._needles = None if needles is None else [re.compile(re.escape(needle)) for needle in needles]

    def may_be_in(self, data: memoryview | bytes) -> bool:
        return self._needles is None or any(needle.search(data) for needle in self._needles)

    def may_be(self, head: Head, records: Records, index: int) -> bool:
        return self._admits(head) if self._admits else self.may_be_in(records.raw(index))


def _matches(path: str, chunk: Chunk, wanted: Sequence[_Wanted[S]]) -> Iterator[Match[S]]:
    wanted = [each for each in wanted if each.may_be_in(chunk.data)]
    if not wanted:
        return
    start, end = min(each.watch.start for each in wanted), max(each.watch.end for each in wanted)
    records = parse(chunk)
    times: dict[str | None, int | None] = {}
    for index, head in enumerate(records.heads):
        text = head.event_time
        time = times[text] if text in times else times.setdefault(text, parse_time(text))
        if time is None or not start <= time < end or skip_reason(head):
            continue
        near = [each.watch for each in wanted
                if each.watch.start <= time < each.watch.end and each.may_be(head, records, index)]
        if near:
            yield from _of_record(near, records, time, Position(path, chunk.offset, index))


def _of_record(watches: Sequence[Watch[S]], records: Records, time: int, position: Position) -> Iterator[Match[S]]:
    try:
        record = records.record(position.index)
        event = Event.of(record, records.canonical(position.index), time, position)
    except RecursionError:
        return  # counted as rejected where it was read
    for watch in watches:
        if watch.selector.includes(event, record):
            yield Match(watch, event, record, records.raw(position.index))
