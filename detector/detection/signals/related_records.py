"""Search files again for the records of related principals.

The records of a chunk are grouped by their heads, as when they were read. What a head tells is
asked once for all of its records, and the rest of an event is made once for those that have it in
common; only calls to STS and odd records are decoded whole.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, BinaryIO, NamedTuple

import msgspec

from detector.cloudtrail.record import EventSignature, Record, signature_of
from detector.detection.event import KeptEvent, Position
from detector.detection.principal import STS
from detector.detection.principal_index import PrincipalIndex, hashes_of
from detector.detection.record_search import RecordMatch, chunks_at, decode_record, scan_chunk
from detector.detection.record_view import RecordView, read_hit_fields
from detector.detection.signals.record_requests import RelatedRequest, RequestedSpans, TimeSpans
from detector.formats import KnownHead, KnownHeads, Records, Unreadable, parse_records
from detector.formats.native.columns import identities_in
from detector.formats.native.groups import RawView
from detector.formats.native.hit_runs import HitRun
from detector.sources.open_file import open_file

_VIEWS_LIMIT = 4
"""Of the views of a head that are remembered; most have one."""


class ChunkRequest(NamedTuple):
    """The requests for a chunk, with the chunk's encoded principal index."""

    requests: Sequence[RelatedRequest]
    principal_index: bytes


ChunkRequests = Mapping[int, ChunkRequest]
"""What to search in the chunks of a file, by their offset."""


Asked = Callable[[EventSignature], object | None]
"""What is asked of a signature, of which the records are searched unless it answers None."""


class _SearchedHead(msgspec.Struct, eq=False):
    """What a head answers, and the events that its records have in common, by their view.

    None stands for a view that is odd."""

    answer: Any
    events: dict[RawView, KeptEvent | None] = {}


class RelatedRun(NamedTuple):
    """Records of related principals, of which the events differ in identity, time and place only.

    ``answer`` is what their signature was asked, and ``event`` theirs but for these. ``offset`` is
    that of their chunk, ``indexes`` are theirs in it, and the ``identities`` follow each other.
    ``decode`` returns the whole record of an index, None where there is none."""

    answer: Any
    event: KeptEvent
    offset: int
    identities: bytes
    times: Sequence[int]
    indexes: Sequence[int]
    decode: Callable[[int], Record | None]

    def selected(self, numbers: Iterable[int]) -> RelatedRun:
        """Return some of the records, by their numbers in the run."""
        names = identities_in(self.identities)
        chosen = list(numbers)
        return self._replace(
            identities=b"".join([names[number] for number in chosen]),
            times=[self.times[number] for number in chosen],
            indexes=[self.indexes[number] for number in chosen],
        )

    def one_by_one(self) -> Iterator[RelatedRun]:
        """Yield a run for each record."""
        columns = identities_in(self.identities), self.times, self.indexes
        for identity, time, index in zip(*columns, strict=True):
            yield self._replace(identities=identity, times=[time], indexes=[index])


def search_file(
    path: str,
    requests: ChunkRequests,
    ask: Asked,
    known: KnownHeads,
    opener: Callable[[str], BinaryIO] = open_file,
) -> Iterator[RelatedRun]:
    """Search the chunks of a file, by offset, for the records that any of their requests selects.

    A file that has gone or cannot be read has no matches, or those before that. ``known`` are the
    heads of files that were searched before, and asked the same.
    """
    with contextlib.suppress(OSError, Unreadable), opener(path) as file:
        for chunk in chunks_at(file, requests.keys()):
            chunk_requests, principal_index = requests[chunk.offset]
            if any(request.selector.principal_keys() is None for request in chunk_requests):
                for match in scan_chunk(path, chunk, chunk_requests, lambda _: True):
                    yield from _related(match, ask)
            else:
                index = PrincipalIndex(principal_index)
                records = parse_records(chunk, known, index.verbatim)
                start = Position(path, chunk.offset, 0)
                search = _ChunkSearch(start, records, chunk_requests, known)
                yield from search.run(index, ask)


def _related(match: RecordMatch, ask: Asked) -> Iterator[RelatedRun]:
    answer = ask(signature_of(match.record.head()))
    if answer is not None:
        identity, event = KeptEvent.of_event(match.event)
        place, times = event.position, [event.time]
        yield RelatedRun(
            answer, event, place.offset, identity, times, [place.index], lambda _: match.record
        )


class _ChunkSearch:
    """The search of a chunk by its principal index."""

    def __init__(
        self,
        start: Position,
        records: Records,
        requests: Sequence[RelatedRequest],
        known: KnownHeads,
    ) -> None:
        self._start = start
        self._records = records
        self._requests = requests
        self._spans = RequestedSpans(requests)
        self._known = known
        self._decode = partial(decode_record, records)

    def run(self, index: PrincipalIndex, ask: Asked) -> Iterator[RelatedRun]:
        """Search only the records that have a principal key of the requests."""
        keys = {key for it in self._requests for key in it.selector.principal_keys() or ()}
        wanted = {record for _, records in index.lookup(set(hashes_of(keys))) for record in records}
        if not self._records.has_times:
            wanted = {at for at in wanted if self._records.times[at] is not None}
        heads: list[KnownHead] = []
        groups: list[list[int]] = []
        for group in self._records.groups:
            head = group.head
            facts: _SearchedHead | None = head.facts
            if facts is None:
                facts = head.facts = _SearchedHead(ask(head.signature))
            if facts.answer is not None:
                indexes = [at for at in group.indexes if at in wanted]
                if indexes:
                    heads.append(head)
                    groups.append(indexes)
        runs = self._records.hit_runs(groups)
        if runs is None:
            for head, indexes in zip(heads, groups, strict=True):
                for at in indexes:
                    yield from self._decoded(head, at)
            return
        for number, run in runs:
            head = heads[number]
            # The key that a call to STS issued stands beyond its view.
            if head.signature.event_source == STS:
                for at in run.indexes:
                    yield from self._decoded(head, at)
            else:
                yield from self._of_view(head, run)

    def _of_view(self, head: KnownHead, run: HitRun) -> Iterator[RelatedRun]:
        """Yield those records of one view that a request selects."""
        indexes, identities, _ = run
        raw = self._records.raw_hit(indexes[0])
        event = None if raw is None else self._event_of(head, raw[0], indexes[0])
        if event is None:
            for index in indexes:
                yield from self._decoded(head, index)
        else:
            spans = self._spans.of(event.client, "")
            yield from self._selected(self._run(head, event, identities, indexes), spans)

    def _event_of(self, head: KnownHead, view: RawView, index: int) -> KeptEvent | None:
        """Return what the events of a head and a view have in common; None where it is odd."""
        events: dict[RawView, KeptEvent | None] = head.facts.events
        if view in events:
            return events[view]
        fields = read_hit_fields(self._records.encoded(index))
        decoded = RecordView.of(head.signature, fields) if fields else None
        event = KeptEvent.of_view(decoded, self._start) if decoded else None
        caller, message, _ = view
        if len(events) < _VIEWS_LIMIT:
            self._known.keep(len(caller) + len(message))
            events[view] = event
        return event

    def _decoded(self, head: KnownHead, index: int) -> Iterator[RelatedRun]:
        """Yield a record that must be decoded whole, if a request selects it."""
        record = decode_record(self._records, index)
        time: Any = self._records.times[index]
        if record is None:
            return
        try:
            raw = self._records.canonical(index)
            identity, event = KeptEvent.of(record, raw, time, self._start)
        except RecursionError:
            return  # counted as rejected where it was read
        run = self._run(head, event, identity, [index])
        yield from self._selected(run, self._spans.of(event.client, event.issued_key))

    def _run(
        self, head: KnownHead, event: KeptEvent, identities: bytes, indexes: Sequence[int]
    ) -> RelatedRun:
        times: Sequence[Any] = self._records.times
        return RelatedRun(
            head.facts.answer,
            event,
            self._start.offset,
            identities,
            [times[index] for index in indexes],
            indexes,
            self._decode,
        )

    def _selected(self, run: RelatedRun, spans: TimeSpans) -> Iterator[RelatedRun]:
        """Yield the records of a run whose time is in one of the spans."""
        if spans.have_all(run.times):
            yield run
            return
        numbers = [number for number, time in enumerate(run.times) if time in spans]
        if numbers:
            yield run.selected(numbers)
