"""Search files again for the records of related principals.

The records of a chunk are grouped by their heads, as when they were read. What a head tells is
asked once for all of its records, and the rest of an event is made once for those that have it in
common; only calls to STS and odd records are decoded whole.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import compress
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


class RelatedRun(NamedTuple):
    """Records of related principals, of which the events differ in identity, time and place only.

    ``event`` is theirs but for these. ``offset`` is that of their chunk, ``indexes`` are theirs in
    it, and the ``identities`` follow each other. ``decode`` returns the whole record of an index,
    None where there is none."""

    signature: EventSignature
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
    predicate: Predicate,
    known: KnownHeads,
    opener: Callable[[str], BinaryIO] = open_file,
) -> Iterator[RelatedRun]:
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
                start = Position(path, chunk.offset, 0)
                search = _ChunkSearch(start, records, chunk_requests, known)
                yield from search.run(index, predicate)


def _related(match: RecordMatch) -> RelatedRun:
    signature = signature_of(match.record.head())
    identity, event = KeptEvent.of_event(match.event)
    place = event.position
    return RelatedRun(
        signature,
        event,
        place.offset,
        identity,
        [event.time],
        [place.index],
        lambda _: match.record,
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

    def run(self, index: PrincipalIndex, predicate: Predicate) -> Iterator[RelatedRun]:
        """Search only the records that have a principal key of the requests."""
        keys = {key for it in self._requests for key in it.selector.principal_keys() or ()}
        wanted = {record for _, records in index.lookup(set(hashes_of(keys))) for record in records}
        heads: list[KnownHead] = []
        groups: list[list[int]] = []
        for group in self._records.groups:
            if not wanted.isdisjoint(group.indexes) and predicate(group.head.signature):
                times = self._records.times
                heads.append(group.head)
                groups.append(
                    [at for at in group.indexes if at in wanted and times[at] is not None]
                )
        runs = self._records.hit_runs(groups)
        for number, head in enumerate(heads):
            # The key that a call to STS issued stands beyond its view.
            if runs is None or head.signature.event_source == STS:
                for at in groups[number]:
                    yield from self._decoded(head.signature, at)
            else:
                for run in runs.of_group(number):
                    yield from self._of_view(head, run)

    def _of_view(self, head: KnownHead, run: HitRun) -> Iterator[RelatedRun]:
        """Yield those records of one view that a request selects."""
        indexes, identities = run
        raw = self._records.raw_hit(indexes[0])
        event = None if raw is None else self._event_of(head, raw[0], indexes[0])
        if event is None:
            for index in indexes:
                yield from self._decoded(head.signature, index)
        else:
            found = self._run(head.signature, event, identities, indexes)
            yield from self._selected(found, self._spans.of(event.client, ""))

    def _event_of(self, head: KnownHead, view: RawView, index: int) -> KeptEvent | None:
        """Return what the events of a head and a view have in common; None where it is odd."""
        events: dict[RawView, KeptEvent | None] = head.facts or {}
        if view in events:
            return events[view]
        fields = read_hit_fields(self._records.encoded(index))
        decoded = RecordView.of(head.signature, fields) if fields else None
        event = KeptEvent.of_view(decoded, self._start) if decoded else None
        caller, message, _ = view
        if len(events) < _VIEWS_LIMIT:
            self._known.keep(len(caller) + len(message))
            head.facts = events | {view: event}
        return event

    def _decoded(self, signature: EventSignature, index: int) -> Iterator[RelatedRun]:
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
        run = self._run(signature, event, identity, [index])
        yield from self._selected(run, self._spans.of(event.client, event.issued_key))

    def _run(
        self, signature: EventSignature, event: KeptEvent, identities: bytes, indexes: Sequence[int]
    ) -> RelatedRun:
        times: Sequence[Any] = self._records.times
        return RelatedRun(
            signature,
            event,
            self._start.offset,
            identities,
            [times[index] for index in indexes],
            indexes,
            partial(decode_record, self._records),
        )

    def _selected(self, run: RelatedRun, spans: TimeSpans) -> Iterator[RelatedRun]:
        """Yield the records of a run whose time is in one of the spans."""
        is_in = [is_within(spans, time) for time in run.times]
        if all(is_in):
            yield run
        elif any(is_in):
            yield run.selected(compress(range(len(is_in)), is_in))
