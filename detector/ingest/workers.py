"""Reading and searching by several processes. A process that dies costs no file but the one that killed it."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from detector.detection.correlate import ChunkRequests, Signal, find_signals, flagging_events
from detector.detection.digest import Partial
from detector.formats import Chunk, Unreadable
from detector.ingest.reader import (
    ChunkDigester,
    DigestedChunk,
    FetchedTask,
    LocalDigester,
    read,
    unread_result,
)
from detector.rules.dispatch import Dispatch
from detector.rules.ruleset import RuleSet
from detector.sources.open_file import drain_usage, merge_usage
from detector.sources.source import Requests
from detector.store.file_table import FileRead

_BATCH_BYTES = 2 << 20
_BATCH_FILES = 256
_DIED = (BrokenProcessPool, CancelledError)
"""What a process that dies does to its own work, and to what waited behind it."""
_PART_CHUNKS = 4
"""Of 8 MiB, mostly."""
_A = TypeVar("_A")
_T = TypeVar("_T")
_R = TypeVar("_R")


class Workers:
    """``jobs`` processes that read and search files by ``rules``."""

    def __init__(self, rules: RuleSet, jobs: int) -> None:
        self._rules = rules
        self._jobs = jobs
        self._pool: ProcessPoolExecutor | None = None
        self.spent: dict[str, float] = dict.fromkeys((rule.rule_id for rule in rules), 0.0)
        """Seconds that each rule has taken in all processes."""

    def read(self, given: Iterable[FetchedTask]) -> Iterator[FileRead]:
        """As ``reading.read`` for each task, in the order in which they are done."""
        dead: deque[FetchedTask] = deque()
        for results, spent in self._spread(_read_batch, batches(given), dead):
            self._note(spent)
            yield from results
        for each in dead:
            yield from self._retry(each)

    def digester(self, here: ChunkDigester) -> ChunkDigester:
        """Digest runs of whole lines of plain files in these processes, the others by ``here``; in
        order."""

        def spread(source: str, them: Iterable[Chunk]) -> Iterator[DigestedChunk]:
            ahead: deque[tuple[Chunk, _Lines, Future[_Partial]]] = deque()
            for chunk in them:
                if (
                    chunk.offset
                    and chunk.lines
                    and not chunk.decompressed
                    and bytes(chunk.data[-1:]) == b"\n"
                ):
                    lines = source, chunk.offset, chunk.end
                    ahead.append((chunk, lines, self._submit(_digest_lines, lines)))
                    if len(ahead) > 2 * self._jobs:
                        yield self._digested(*ahead.popleft())
                    continue
                while ahead:
                    yield self._digested(*ahead.popleft())
                yield from here(source, [chunk])
            while ahead:
                yield self._digested(*ahead.popleft())

        return spread

    def search_files(self, files: Iterable[tuple[str, ChunkRequests]]) -> Iterator[Signal]:
        """As ``correlate.find_signals`` for each file, in the order in which they are done."""
        dead: deque[tuple[str, ChunkRequests]] = deque()
        for found, requests in self._spread(
            _look_in, ([part] for file in files for part in parts(*file)), dead
        ):
            merge_usage(requests)
            yield from found
        if dead:
            flagging = flagging_events(self._rules)
            for path, watches in dead:
                yield from find_signals(path, watches, flagging)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def _spread(
        self, work: Callable[[list[_T]], _R], due: Iterator[list[_T]], dead: deque[_T]
    ) -> Iterator[_R]:
        """What ``work`` makes of each batch that is due; to ``dead`` go those during which a
        process died."""
        running: dict[Future[_R], list[_T]] = {}
        more = True
        while more or running:
            while more and len(running) < 2 * self._jobs:
                if (batch := next(due, None)) is None:
                    more = False
                else:
                    running[self._submit(work, batch)] = batch
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                batch = running.pop(future)
                try:
                    yield future.result()
                except _DIED:
                    self.close()
                    dead.extend(batch)

    def _digested(self, chunk: Chunk, lines: _Lines, future: Future[_Partial]) -> DigestedChunk:
        try:
            partial, spent = future.result()
        except _DIED:
            self.close()
            partial, spent = self._once_more(_digest_lines, lines)
        self._note(spent)
        return DigestedChunk(chunk, partial)

    def _submit(self, work: Callable[[_A], _R], argument: _A) -> Future[_R]:
        if self._pool is None:
            # Not by fork: the app has threads.
            self._pool = ProcessPoolExecutor(
                self._jobs, multiprocessing.get_context("spawn"), _start, (self._rules,)
            )
        try:
            return self._pool.submit(work, argument)
        except BrokenProcessPool:
            self.close()
            return self._submit(work, argument)

    def _once_more(self, work: Callable[[_A], _R], argument: _A) -> _R:
        """One thing by itself after a process has died: if one dies again, it is known why. Raises
        Unreadable."""
        try:
            return self._submit(work, argument).result()
        except BrokenProcessPool:
            self.close()
            raise Unreadable(
                "killed-reader",
                "the process that read it died: look at the file, and at the memory there is",
            ) from None

    def _note(self, spent: dict[str, float]) -> None:
        for rule_id, seconds in spent.items():
            self.spent[rule_id] = self.spent.get(rule_id, 0.0) + seconds

    def _retry(self, given: FetchedTask) -> list[FileRead]:
        try:
            results, spent = self._once_more(_read_batch, [given])
        except Unreadable as error:
            return [unread_result(given.task, "quarantined", error)]
        self._note(spent)
        return results


def is_plain(path: str) -> bool:
    """Whether a file seems to be text as it stands: what lies in it can be read from the middle."""
    try:
        with open(path, "rb") as file:
            return file.read(1) in (b"{", b"[", b" ", b"\n", b"\xef")
    except OSError:
        return False


def parts(path: str, watches: ChunkRequests) -> Iterator[tuple[str, ChunkRequests]]:
    """The chunks of a file to look into, a few at once where they can be read by themselves."""
    offsets = sorted(watches)
    several = _PART_CHUNKS if len(offsets) > _PART_CHUNKS and is_plain(path) else len(offsets)
    for start in range(0, len(offsets), several):
        yield path, {offset: watches[offset] for offset in offsets[start : start + several]}


def batches(given: Iterable[FetchedTask]) -> Iterator[list[FetchedTask]]:
    """The tasks in batches that are worth a trip to another process, their order kept."""
    batch: list[FetchedTask] = []
    size = 0
    for each in given:
        batch.append(each)
        size += each.task.file.size
        if size >= _BATCH_BYTES or len(batch) >= _BATCH_FILES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


# In the other processes

_digester: LocalDigester
_flagging: Dispatch
_Spent = dict[str, float]
"""The seconds that each rule took."""
_Lines = tuple[str, int, int]
"""A file and the bytes of it that are whole lines."""
_Partial = tuple[Partial, _Spent]


def _start(rules: RuleSet) -> None:
    global _digester, _flagging
    _digester = LocalDigester(Dispatch(rule for rule in rules if rule.alerts))
    _flagging = flagging_events(rules)


def _read_batch(batch: Sequence[FetchedTask]) -> tuple[list[FileRead], _Spent]:
    return _timed(
        lambda: [result for each in batch for result in read(each.task, _digester, each.open)]
    )


def _digest_lines(lines: _Lines) -> _Partial:
    path, start, end = lines
    with open(path, "rb") as file:
        file.seek(start)
        chunk = Chunk(start, memoryview(file.read(end - start)), lines=True)
    return _timed(lambda: _digester.digest(path, chunk))


def _look_in(batch: Sequence[tuple[str, ChunkRequests]]) -> tuple[list[Signal], Requests]:
    return [
        signal for path, watches in batch for signal in find_signals(path, watches, _flagging)
    ], drain_usage()


def _timed(work: Callable[[], _R]) -> tuple[_R, _Spent]:
    made = work()
    return made, _digester.drain_rule_seconds()
