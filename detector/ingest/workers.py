"""Worker processes that read and search files.

If a process dies, only the file that killed it is lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, TypeVar

from detector.cloudtrail.object_key import trail_file
from detector.detection.digest import Partial
from detector.detection.signals.found_signals import Signals
from detector.detection.signals.related_records import ChunkRequests
from detector.detection.signals.signal_finder import SignalFinder, flagging_events
from detector.formats import Chunk, Unreadable
from detector.ingest.garbage import collect_rarely
from detector.ingest.reader import (
    ChunkDigester,
    DigestedChunk,
    FetchedTask,
    LocalDigester,
    unread_result,
)
from detector.ingest.small_files import read_files
from detector.ingest.united_reads import unite_reads
from detector.rules.dispatch import Dispatch
from detector.rules.ruleset import RuleSet
from detector.sources.open_file import drain_usage, merge_usage
from detector.sources.source import Requests
from detector.store.file_table import FileRead

if TYPE_CHECKING:
    from detector.ingest.process_pool import ProcessPool, RemoteCall

_AHEAD = 8
"""How many batches are submitted per process: it holds six, and the others are queued."""
_MIN_BYTES = 8 << 20
"""From this many bytes to read, starting processes pays."""
_BATCH_BYTES = 512 << 10
_BATCH_FILES = 128
_UNEVEN_BYTES = 2 * _BATCH_BYTES
"""By how many bytes the work of one process may exceed that of another."""
_BATCH_CHUNKS = 4
"""The number of chunks of one file in a search batch; most chunks have 8 MiB."""
_A = TypeVar("_A")
_T = TypeVar("_T")
_R = TypeVar("_R")


class Workers:
    """A pool of ``jobs`` processes that read and search files with ``rules``.

    The activity of principals is counted only if ``counts_activity``."""

    def __init__(self, rules: RuleSet, jobs: int, counts_activity: bool = True) -> None:
        self._rules = rules
        self._jobs = jobs
        self._counts_activity = counts_activity
        self._pool: ProcessPool | None = None
        self.rule_seconds: dict[str, float] = dict.fromkeys((rule.rule_id for rule in rules), 0.0)
        """The seconds that each rule has taken in all processes, by rule id."""

    def read(self, tasks: Iterable[FetchedTask]) -> Iterator[Sequence[FileRead]]:
        """Read files, and yield the results as they become available.

        Results that are yielded together must be committed together."""
        dead: deque[FetchedTask] = deque()
        batches = batch_tasks(tasks, self._jobs)
        for results, seconds in self._run_batches(_read_batch, batches, dead):
            self._add_rule_seconds(seconds)
            yield results
        if dead:
            with closing(self._new_pool(1)) as pool:
                for task in dead:
                    yield self._retry(pool, task)

    def digester(self, local: ChunkDigester) -> ChunkDigester:
        """Return a digester that uses these processes where possible.

        Chunks of whole lines of an uncompressed file go to the processes, all other chunks to
        ``local``. The order of chunks is kept.
        """

        def digest_chunks(source: str, chunks: Iterable[Chunk]) -> Iterator[DigestedChunk]:
            ahead: deque[tuple[Chunk, _LineSpan, RemoteCall[_TimedPartial]]] = deque()
            for chunk in chunks:
                if _is_rereadable(chunk):
                    span = source, chunk.offset, chunk.end
                    ahead.append((chunk, span, self._running_pool().submit(_digest_lines, span)))
                    if len(ahead) > 2 * self._jobs:
                        yield self._digested_chunk(*ahead.popleft())
                    continue
                while ahead:
                    yield self._digested_chunk(*ahead.popleft())
                yield from local(source, [chunk])
            while ahead:
                yield self._digested_chunk(*ahead.popleft())

        return digest_chunks

    def search_files(self, files: Iterable[tuple[str, ChunkRequests]]) -> Signals:
        """Search files, and return the signals found."""
        found = Signals()
        dead: deque[tuple[str, ChunkRequests]] = deque()
        for signals, usage in self._run_batches(_search_batch, batch_requests(files), dead):
            merge_usage(usage)
            found.add_all(signals)
        if dead:
            finder = SignalFinder(flagging_events(self._rules))
            for path, requests in dead:
                finder.find(path, requests, found)
        return found

    def close(self) -> None:
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def _run_batches(
        self,
        work: Callable[[list[_T]], _R],
        batches: Iterator[tuple[list[_T], int | None]],
        dead: deque[_T],
    ) -> Iterator[_R]:
        """Yield the result of ``work`` for each batch, run at the batch's place if it has one.

        If a process dies, the items of its batches are added to ``dead``.
        """
        pool = self._running_pool()
        running: dict[RemoteCall[_R], list[_T]] = {}
        has_more = True
        while has_more or running:
            while has_more and len(running) < _AHEAD * self._jobs:
                batch, place = next(batches, (None, None))
                if batch is None:
                    has_more = False
                else:
                    running[pool.submit(work, batch, place)] = batch
            pool.wait(running)
            for job in [job for job in running if job.is_done]:
                items = running.pop(job)
                if job.has_died:
                    dead.extend(items)
                else:
                    yield job.result()

    def _digested_chunk(
        self, chunk: Chunk, span: _LineSpan, job: RemoteCall[_TimedPartial]
    ) -> DigestedChunk:
        if job.wait().has_died:
            with closing(self._new_pool(1)) as pool:
                result = _run_alone(pool, _digest_lines, span)
        else:
            result = job.result()
        partial, seconds = result
        self._add_rule_seconds(seconds)
        return DigestedChunk(chunk, partial)

    def _running_pool(self) -> ProcessPool:
        if self._pool is None:
            self._pool = self._new_pool(self._jobs)
        return self._pool

    def _new_pool(self, jobs: int) -> ProcessPool:
        from detector.ingest.process_pool import ProcessPool  # most runs need no processes

        return ProcessPool(jobs, _start, (self._rules, self._counts_activity))

    def _add_rule_seconds(self, seconds_by_rule: dict[str, float]) -> None:
        for rule_id, seconds in seconds_by_rule.items():
            self.rule_seconds[rule_id] = self.rule_seconds.get(rule_id, 0.0) + seconds

    def _retry(self, pool: ProcessPool, fetched: FetchedTask) -> list[FileRead]:
        try:
            results, seconds = _run_alone(pool, _read_batch, [fetched])
        except Unreadable as error:
            return [unread_result(fetched.task, "quarantined", error)]
        self._add_rule_seconds(seconds)
        return results


def _run_alone(pool: ProcessPool, work: Callable[[_A], _R], argument: _A) -> _R:
    """Run the work of a process that died alone, in a ``pool`` of one process.

    Raises Unreadable if the process dies again, since then this work is what killed it.
    """
    job = pool.submit(work, argument).wait()
    if not job.has_died:
        return job.result()
    raise Unreadable(
        "killed-reader",
        "the process that read it died: check the file and the available memory",
    )


def is_worthwhile(jobs: int | None, items: int, size: int) -> bool:
    """Tell whether worker processes pay for ``items`` with ``size`` bytes in total."""
    if items <= 1 or jobs == 1:
        return False
    return jobs is not None or size >= _MIN_BYTES


def is_plain_text(path: str) -> bool:
    """Tell whether a file seems to be uncompressed text, which can be read from the middle."""
    try:
        with open(path, "rb") as file:
            return file.read(1) in (b"{", b"[", b" ", b"\n", b"\xef")
    except OSError:
        return False


def batch_tasks(
    tasks: Iterable[FetchedTask], places: int
) -> Iterator[tuple[list[FetchedTask], int]]:
    """Group tasks into batches that are worth sending, each with the place of its process.

    The files of one account's region go to the same place, since a process must learn the callers
    of the files that it reads. If that place has far more bytes to read than the least loaded one,
    the region moves there, so that all processes finish at the same time."""
    place_of: dict[str, int] = {}
    batches: list[list[FetchedTask]] = [[] for _ in range(places)]
    sizes = [0] * places
    given = [0] * places
    for fetched in tasks:
        region = _region_of(fetched.task.file.path)
        least = given.index(min(given))
        place = place_of.setdefault(region, least)
        if given[place] - given[least] > _UNEVEN_BYTES:
            place = place_of[region] = least
        given[place] += fetched.task.file.size
        batches[place].append(fetched)
        sizes[place] += fetched.task.file.size
        if sizes[place] >= _BATCH_BYTES or len(batches[place]) >= _BATCH_FILES:
            yield batches[place], place
            batches[place], sizes[place] = [], 0
    yield from ((batch, place) for place, batch in enumerate(batches) if batch)


def _region_of(path: str) -> str:
    """Return the account and region of a trail file; for any other file, its folder."""
    file = trail_file(path)
    return path.rpartition("/")[0] if file is None else f"{file.account}/{file.region}"


def batch_requests(
    files: Iterable[tuple[str, ChunkRequests]],
) -> Iterator[tuple[list[tuple[str, ChunkRequests]], None]]:
    """Yield batches of chunks to search, each of one file, for any process.

    A file whose chunks can be read separately is split into several batches.
    """
    for path, requests in files:
        offsets = sorted(requests)
        size = len(offsets)
        if size > _BATCH_CHUNKS and is_plain_text(path):
            size = _BATCH_CHUNKS
        for start in range(0, len(offsets), size):
            part = {offset: requests[offset] for offset in offsets[start : start + size]}
            yield [(path, part)], None


def _is_rereadable(chunk: Chunk) -> bool:
    """Tell whether another process can read a chunk, given its offsets."""
    return (
        bool(chunk.offset)
        and chunk.lines
        and not chunk.decompressed
        and bytes(chunk.data[-1:]) == b"\n"
    )


# In the other processes

_digester: LocalDigester
_finder: SignalFinder
_RuleSeconds = dict[str, float]
_LineSpan = tuple[str, int, int]
"""A path, and the byte range, (start, end), of whole lines in the file."""
_TimedPartial = tuple[Partial, _RuleSeconds]


def _start(rules: RuleSet, counts_activity: bool) -> None:
    global _digester, _finder
    _digester = LocalDigester(Dispatch(rule for rule in rules if rule.alerts), counts_activity)
    _finder = SignalFinder(flagging_events(rules))
    collect_rarely()


def _read_batch(batch: Sequence[FetchedTask]) -> tuple[list[FileRead], _RuleSeconds]:
    results: list[FileRead] = []
    for reads in read_files(batch, _digester):
        results += reads
    unite_reads(results)
    return results, _digester.drain_rule_seconds()


def _digest_lines(span: _LineSpan) -> _TimedPartial:
    """Digest a span of lines of a file. Raises Unreadable."""
    path, start, end = span
    with open(path, "rb") as file:
        file.seek(start)
        chunk = Chunk(start, memoryview(file.read(end - start)), lines=True)
    return _digester.digest(path, chunk), _digester.drain_rule_seconds()


def _search_batch(batch: Sequence[tuple[str, ChunkRequests]]) -> tuple[Signals, Requests]:
    signals = Signals()
    for path, requests in batch:
        _finder.find(path, requests, signals)
    return signals, drain_usage()
