"""Searches files again for the records of related principals.

The records of a chunk are grouped by their heads, as when they were first read. Each head is
evaluated once for all its records, and the rest of an event is made once for the records that share
it; only calls to STS and odd records are decoded whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, BinaryIO, NamedTuple, Protocol

from detector.cloudtrail.record import Record, signature_of
from detector.detection.event import KeptEvent, Position
from detector.detection.principal_index import PrincipalIndex, hashes_of
from detector.detection.record_search import RecordMatch, chunks_at, decode_record, scan_chunk
from detector.detection.signals.record_requests import RelatedRequest, RequestedSpans
from detector.detection.signals.searched_heads import (
    SearchedGroup,
    SearchedHead,
    SearchedHeads,
)
from detector.formats import Records
from detector.formats.decoded.hit_runs import RecordRuns
from detector.formats.native.columns import identities_in
from detector.sources.open_file import open_file

_NOWHERE = Position("", 0, 0)


class ChunkRequest(NamedTuple):
    """The requests for a chunk, with the chunk's encoded principal index."""

    requests: Sequence[RelatedRequest]
    principal_index: bytes


ChunkRequests = Mapping[int, ChunkRequest]
"""The requests for the chunks of a file, by chunk offset."""


class RelatedSink(Protocol):
    """Receives the records of related principals that a search finds in the chunks of a file."""

    def add(
        self,
        chunk: int,
        answer: Any,
        event: KeptEvent,
        columns: RelatedRows,
        decode: Callable[[int], Record | None],
    ) -> None:
        """Add records that differ only in identity, time and position.

        ``chunk`` is the offset of their chunk, ``answer`` the answer for their signature.
        ``decode`` returns the whole record at an index, None if it cannot be decoded."""

    def add_runs(
        self,
        chunk: int,
        answers: Sequence[Any],
        events: Sequence[KeptEvent | None],
        runs: RecordRuns,
        times: Sequence[int | None],
    ) -> None:
        """Add the records of runs whose answers need no record.

        ``answers`` and ``events`` have one item per run; an event of None leaves out its run.
        ``times`` are those of the chunk's records."""


class RelatedRows(NamedTuple):
    """The columns in which the events of records differ; the identities are concatenated."""

    identities: bytes
    times: Sequence[int]
    indexes: Sequence[int]


def search_file(
    path: str,
    requests: ChunkRequests,
    heads: SearchedHeads,
    sink: RelatedSink,
    opener: Callable[[str], BinaryIO] = open_file,
) -> None:
    """Search chunks of a file for the records that any of the chunk's requests selects.

    ``heads`` are those of files searched before. Raises OSError and Unreadable; what was found
    before has then been passed to ``sink``.
    """
    with opener(path) as file:
        for chunk in chunks_at(file, requests.keys()):
            chunk_requests, principal_index = requests[chunk.offset]
            if any(request.selector.principal_keys() is None for request in chunk_requests):
                for match in scan_chunk(path, chunk, chunk_requests, lambda _: True):
                    _add_match(match, heads, sink)
            else:
                index = PrincipalIndex(principal_index)
                records = heads.parse(chunk, index.verbatim)
                _ChunkSearch(chunk.offset, records, chunk_requests, heads, sink).run(index)


def _add_match(match: RecordMatch, heads: SearchedHeads, sink: RelatedSink) -> None:
    answer = heads.ask(signature_of(match.record.head()))
    if answer is not None:
        identity, event = KeptEvent.of_event(match.event)
        rows = RelatedRows(identity, [event.time], [event.position.index])
        sink.add(event.position.offset, answer, event, rows, lambda _: match.record)


class _ChunkSearch:
    """Searches a chunk by its principal index."""

    def __init__(
        self,
        offset: int,
        records: Records,
        requests: Sequence[RelatedRequest],
        heads: SearchedHeads,
        sink: RelatedSink,
    ) -> None:
        self._offset = offset
        self._records = records
        self._requests = requests
        self._spans = RequestedSpans(requests)
        self._heads = heads
        self._sink = sink
        self._decode = partial(decode_record, records)

    def run(self, index: PrincipalIndex) -> None:
        """Search only the records that have a principal key of the requests."""
        groups = self._wanted(index)
        if not groups:
            return
        runs, views = self._heads.hit_runs(self._records, groups)
        answers: list[Any] = []
        events: list[KeptEvent | None] = []
        for number, (of_run, view) in enumerate(zip(runs.groups, runs.views, strict=True)):
            group = groups[of_run]
            event = views.get(view)
            if event is None:
                event = self._heads.event_of(group.head, self._records, runs.first(number))
                if event is not None and view:
                    views[view] = event
            answers.append(group.head.answer)
            events.append(self._unless_added(group, event, runs, number))
        self._sink.add_runs(self._offset, answers, events, runs, self._records.times)

    def _unless_added(
        self, group: SearchedGroup, event: KeptEvent | None, runs: RecordRuns, number: int
    ) -> KeptEvent | None:
        """Return the event of a run if the whole run is selected and its answer needs no record.

        Otherwise add the selected records one by one, and return None."""
        head, _, span = group
        if event is None:
            self._add_decoded(head, runs.run(number).indexes)
            return None
        is_whole = span is not None and self._spans.of(event.client, "").have_all(*span)
        if is_whole and not head.answer.needs_records:
            return event
        indexes, identities, *_ = runs.run(number)
        self._add_selected(head, event, identities, indexes)
        return None

    def _wanted(self, index: PrincipalIndex) -> list[SearchedGroup]:
        """Return the groups of records that may be by related principals."""
        keys = {key for it in self._requests for key in it.selector.principal_keys() or ()}
        wanted = {record for _, records in index.lookup(set(hashes_of(keys))) for record in records}
        has_times = self._records.has_times
        if not has_times:
            wanted = {at for at in wanted if self._records.times[at] is not None}
        groups: list[SearchedGroup] = []
        for group in self._heads.groups(self._records, wanted):
            if group.head.may_open_session or not has_times:  # else one caller, all timed
                group = group._replace(indexes=[at for at in group.indexes if at in wanted])
            groups.append(group)
        return groups

    def _add_decoded(self, head: SearchedHead, indexes: Sequence[int]) -> None:
        """Decode each of these records, and add those that a request selects."""
        for index in indexes:
            record = decode_record(self._records, index)
            time: Any = self._records.times[index]
            if record is None:
                continue
            try:
                raw = self._records.canonical(index)
                identity, event = KeptEvent.of(record, raw, time, _NOWHERE)
            except RecursionError:
                continue  # counted as rejected where it was read
            self._add_selected(head, event, identity, [index])

    def _add_selected(
        self, head: SearchedHead, event: KeptEvent, identities: bytes, indexes: Sequence[int]
    ) -> None:
        """Add those records of a run whose time is in a searched span."""
        times: Sequence[Any] = self._records.times
        spans = self._spans.of(event.client, event.issued_key)
        chosen = [
            (name, times[index], index)
            for name, index in zip(identities_in(identities), indexes, strict=True)
            if times[index] in spans
        ]
        if chosen:
            names, found, places = zip(*chosen, strict=True)
            rows = RelatedRows(b"".join(names), found, places)
            self._sink.add(self._offset, head.answer, event, rows, self._decode)
