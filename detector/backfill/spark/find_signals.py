"""The second pass on the cluster: find events near alerts that raise flags."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from detector.backfill.spark.digest_files import TrailObject
from detector.backfill.spark.rows import StepRow, decode_place
from detector.detection.correlate import (
    ChunkRef,
    PendingSearch,
    group_by_file,
)
from detector.detection.signals.found_signals import Signal, Signals
from detector.detection.signals.related_records import ChunkRequests
from detector.detection.signals.signal_finder import SignalFinder
from detector.rules.dispatch import Dispatch

_NOT_BROUGHT = "the cluster could not read it again: check that it is there, and its right to it"
_SEQUENCE = 1
"""The sequence number of all chunks: a backfill's searches see each chunk once."""


class SearchResult(msgspec.Struct, frozen=True, array_like=True):
    """A signal, or the outcome of searching a file.

    For a file, ``problem`` says why it could not be searched; None: it was searched. A file without
    a result was not delivered by the engine."""

    signal: Signal | None = None
    path: str = ""
    problem: str | None = None


encode_result = msgspec.msgpack.encode
decode_result = msgspec.msgpack.Decoder(SearchResult).decode


def select_chunks(rows: Iterable[StepRow], searches: Sequence[PendingSearch]) -> Iterator[StepRow]:
    """Yield the rows of files with chunks that may hold signals of the alerts searched for."""
    kept = list(rows)
    wanted = {path for path, _ in chunk_requests(kept, searches)}
    yield from (row for row in kept if row.key.decode() in wanted)


def chunk_requests(
    rows: Iterable[StepRow], searches: Sequence[PendingSearch]
) -> Iterator[tuple[str, ChunkRequests]]:
    """Yield what to search for in each file, given the rows of its chunks."""
    chunks = []
    for row in rows:
        place = decode_place(row.body)
        path = row.key.decode()
        chunks.append(
            ChunkRef(path, place.offset, row.first, row.last, place.principal_index, _SEQUENCE)
        )
    chunks.sort(key=lambda chunk: chunk[:2])
    never = [search._replace(searched=0) for search in searches]
    return group_by_file(never, chunks)


def search_objects(
    objects: Iterable[TrailObject], requests: Mapping[str, ChunkRequests], flagging: Dispatch
) -> Iterator[SearchResult]:
    """Search each file for what is requested of it."""
    finder = SignalFinder(flagging)
    for each in objects:
        found = Signals()
        finder.find(each.path, requests[each.path], found, each.open)
        for signal in found:
            yield SearchResult(signal)
        yield SearchResult(path=each.path, problem=found.unread.get(each.path))


def collect_signals(results: Iterable[SearchResult], requests: Iterable[str]) -> Signals:
    """Return the signals in results, and the files of ``requests`` that could not be searched."""
    unread = dict.fromkeys(requests, _NOT_BROUGHT)

    def signals() -> Iterator[Signal]:
        for signal, path, problem in map(msgspec.structs.astuple, results):
            if signal is not None:
                yield signal
            elif problem is not None:
                unread[path] = problem
            else:
                unread.pop(path, None)

    found = Signals.of(signals())
    found.unread = unread
    return found
