"""Reading and searching by several processes. A process that dies costs no file but the one that killed it."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from detector.correlate import Signal, Watched, flagging_events, look
from detector.formats import Unreadable
from detector.reading import Task, read, unread
from detector.rules import RuleSet
from detector.rules.dispatch import Dispatch
from detector.store.files import FileRead

_BATCH_BYTES = 2 << 20
_BATCH_FILES = 256
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

    def read(self, tasks: Iterable[Task]) -> Iterator[FileRead]:
        """As ``reading.read`` for each task, in the order in which they are done."""
        dead: deque[Task] = deque()
        for results, spent in self._spread(_read_batch, batches(tasks), dead):
            self._note(spent)
            yield from results
        for task in dead:
            yield from self._retry(task)

    def look(self, files: Iterable[tuple[str, Watched]]) -> Iterator[Signal]:
        """As ``correlate.look`` for each file, in the order in which they are done."""
        dead: deque[tuple[str, Watched]] = deque()
        for found in self._spread(_look_in, ([file] for file in files), dead):
            yield from found
        if dead:
            flagging = flagging_events(self._rules)
            for path, watches in dead:
                yield from look(path, watches, flagging)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def _spread(self, work: Callable[[list[_T]], _R], due: Iterator[list[_T]], dead: deque[_T]) -> Iterator[_R]:
        """What ``work`` makes of each batch that is due; to ``dead`` go those during which a process died."""
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
                except BrokenProcessPool:
                    self.close()
                    dead.extend(batch)

    def _submit(self, work: Callable[[list[_T]], _R], batch: list[_T]) -> Future[_R]:
        if self._pool is None:
            # Not by fork: the app has threads.
            self._pool = ProcessPoolExecutor(self._jobs, multiprocessing.get_context("spawn"), _start, (self._rules,))
        try:
            return self._pool.submit(work, batch)
        except BrokenProcessPool:
            self.close()
            return self._submit(work, batch)

    def _note(self, spent: dict[str, float]) -> None:
        for rule_id, seconds in spent.items():
            self.spent[rule_id] = self.spent.get(rule_id, 0.0) + seconds

    def _retry(self, task: Task) -> list[FileRead]:
        """One file by itself, so that if the process dies once more, it is known why."""
        try:
            results, spent = self._submit(_read_batch, [task]).result()
        except BrokenProcessPool:
            self.close()
            return [unread(task, "quarantined", Unreadable("killed-reader", "the process that read it died: "
                                                           "look at the file, and at the memory there is"))]
        self._note(spent)
        return results


def batches(tasks: Iterable[Task]) -> Iterator[list[Task]]:
    """The tasks in batches that are worth a trip to another process, their order kept."""
    batch: list[Task] = []
    size = 0
    for task in tasks:
        batch.append(task)
        size += task.found.size
        if size >= _BATCH_BYTES or len(batch) >= _BATCH_FILES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


# In the other processes

_dispatch: Dispatch
_flagging: Dispatch


def _start(rules: RuleSet) -> None:
    global _dispatch, _flagging
    _dispatch = Dispatch(rule for rule in rules if rule.alerts)
    _flagging = flagging_events(rules)


def _read_batch(batch: Sequence[Task]) -> tuple[list[FileRead], dict[str, float]]:
    """What a batch came to, and the seconds that each rule took."""
    before = dict(_dispatch.spent)
    results = [result for task in batch for result in read(task, _dispatch)]
    return results, {rule_id: seconds - before[rule_id] for rule_id, seconds in _dispatch.spent.items()}


def _look_in(batch: Sequence[tuple[str, Watched]]) -> list[Signal]:
    return [signal for path, watches in batch for signal in look(path, watches, _flagging)]
