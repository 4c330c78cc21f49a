"""Search files again for the records of related principals.

The records of a chunk are grouped by their heads, as when they were read. What a head tells is
asked once for all of its records, and the rest of an event is made once for those that have it in
common; only calls to STS and odd records are decoded whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, BinaryIO, NamedTuple

from detector.cloudtrail.record import Record, signature_of
from detector.detection.event import KeptEvent, Position
from detector.detection.principal_index import PrincipalIndex, hashes_of
from detector.detection.record_search import RecordMatch, chunks_at, decode_record, scan_chunk
from detector.detection.signals.record_requests import RelatedRequest, RequestedSpans
from detector.detection.signals.searched_heads import SearchedHead, SearchedHeads
from detector.formats import Records
from detector.formats.native.columns import identities_in
from detector.sources.open_file import open_file


class ChunkRequest(NamedTuple):
    """The requests for a chunk, with the chunk's encoded principal index."""

    requests: Sequence[RelatedRequest]
    principal_index: bytes


ChunkRequests = Mapping[int, ChunkRequest]
"""What to search in the chunks of a file, by their offset."""


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
    heads: SearchedHeads,
    opener: Callable[[str], BinaryIO] = open_file,
) -> Iterator[RelatedRun]:
    """Search the chunks of a file, by offset, for the records that any of their requests selects.

    ``heads`` are those of files that were searched before. Raises OSError and Unreadable, after the
    matches before that.
    """
    with opener(path) as file:
        for chunk in chunks_at(file, requests.keys()):
            chunk_requests, principal_index = requests[chunk.offset]
            if any(request.selector.principal_keys() is None for request in chunk_requests):
                for match in scan_chunk(path, chunk, chunk_requests, lambda _: True):
                    yield from _related(match, heads)
            else:
                index = PrincipalIndex(principal_index)
                records = heads.parse(chunk, index.verbatim)
                start = Position(path, chunk.offset, 0)
                yield from _ChunkSearch(start, records, chunk_requests, heads).run(index)


def _related(match: RecordMatch, heads: SearchedHeads) -> Iterator[RelatedRun]:
    answer = heads.ask(signature_of(match.record.head()))
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
        heads: SearchedHeads,
    ) -> None:
        self._start = start
        self._records = records
        self._requests = requests
        self._spans = RequestedSpans(requests)
        self._heads = heads
        self._decode = partial(decode_record, records)

    def run(self, index: PrincipalIndex) -> Iterator[RelatedRun]:
        """Search only the records that have a principal key of the requests."""
        heads, groups = self._wanted(index)
        runs = self._records.hit_runs(groups)
        if runs is None:
            for head, indexes in zip(heads, groups, strict=True):
                for at in indexes:
                    yield from self._decoded(head, at)
            return
        for number, (indexes, identities, *_) in zip(runs.groups, runs, strict=True):
            head = heads[number]
            # The key that a call to STS issued stands beyond its view.
            raw = None if head.may_open_session else self._records.raw_hit(indexes[0])
            event = None if raw is None else self._heads.event_of(head, raw[0])
            if event is None:
                for at in indexes:
                    yield from self._decoded(head, at)
            else:
                found = self._selected(head, event, identities, indexes)
                if found is not None:
                    yield found

    def _wanted(self, index: PrincipalIndex) -> tuple[list[SearchedHead], list[list[int]]]:
        """Return the heads that are searched, and the records of each that may be related."""
        keys = {key for it in self._requests for key in it.selector.principal_keys() or ()}
        wanted = {record for _, records in index.lookup(set(hashes_of(keys))) for record in records}
        has_times = self._records.has_times
        if not has_times:
            wanted = {at for at in wanted if self._records.times[at] is not None}
        heads: list[SearchedHead] = []
        groups: list[list[int]] = []
        for group in self._records.groups:
            head = self._heads.searched(group.head)
            if head.answer is None:
                continue
            indexes = group.indexes
            if head.may_open_session or not has_times:
                indexes = [at for at in indexes if at in wanted]
            elif indexes[0] not in wanted:  # nor is any other: they have one caller
                continue
            if indexes:
                heads.append(head)
                groups.append(indexes)
        return heads, groups

    def _decoded(self, head: SearchedHead, index: int) -> Iterator[RelatedRun]:
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
        found = self._selected(head, event, identity, [index])
        if found is not None:
            yield found

    def _selected(
        self, head: SearchedHead, event: KeptEvent, identities: bytes, indexes: Sequence[int]
    ) -> RelatedRun | None:
        """Return those records of a run whose time is in a span that is searched; None for none."""
        all_times: Sequence[Any] = self._records.times
        times = [all_times[index] for index in indexes]
        spans = self._spans.of(event.client, event.issued_key)
        run = RelatedRun(
            head.answer, event, self._start.offset, identities, times, indexes, self._decode
        )
        if spans.have_all(times):
            return run
        numbers = [number for number, time in enumerate(times) if time in spans]
        return run.selected(numbers) if numbers else None
