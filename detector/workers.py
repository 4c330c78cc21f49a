"""Reading by several processes. A process that dies costs no file but the one that killed it."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from detector.formats import Unreadable
from detector.reading import Task, read, unread
from detector.rules import RuleSet
from detector.rules.dispatch import Dispatch
from detector.store.ingest import FileRead

_BATCH_BYTES = 8 << 20
_BATCH_FILES = 256
_dispatch: Dispatch
_Result = tuple[list[FileRead], dict[str, float]]
"""What a batch came to, and the seconds that each rule took."""


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


class Workers:
    """``jobs`` processes that read files by ``rules``."""

    def __init__(self, rules: RuleSet, jobs: int) -> None:
        self._rules = rules
        self._jobs = jobs
        self._pool: ProcessPoolExecutor | None = None
        self.spent: dict[str, float] = dict.fromkeys((rule.rule_id for rule in rules), 0.0)
        """Seconds that each rule has taken in all processes."""

    def read(self, tasks: Iterable[Task]) -> Iterator[FileRead]:
        """As ``reading.read`` for each task, in the order in which they are done."""
        due = batches(tasks)
        running: dict[Future[_Result], list[Task]] = {}
        suspects: deque[Task] = deque()
        more = True
        while more or running:
            while more and len(running) < 2 * self._jobs:
                if (batch := next(due, None)) is None:
                    more = False
                else:
                    running[self._submit(batch)] = batch
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                batch = running.pop(future)
                try:
                    yield from self._taken(future)
                except BrokenProcessPool:
                    self.close()
                    suspects.extend(batch)
        for task in suspects:
            yield from self._retry(task)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def _taken(self, future: Future[_Result]) -> list[FileRead]:
        results, spent = future.result()
        for rule_id, seconds in spent.items():
            self.spent[rule_id] = self.spent.get(rule_id, 0.0) + seconds
        return results

    def _submit(self, batch: Sequence[Task]) -> Future[_Result]:
        if self._pool is None:
            # Not by fork: the app has threads.
            self._pool = ProcessPoolExecutor(self._jobs, multiprocessing.get_context("spawn"), _start, (self._rules,))
        try:
            return self._pool.submit(_read_batch, batch)
        except BrokenProcessPool:
            self.close()
            return self._submit(batch)

    def _retry(self, task: Task) -> list[FileRead]:
        """One file by itself, so that if the process dies once more, it is known why."""
        try:
            return self._taken(self._submit([task]))
        except BrokenProcessPool:
            self.close()
            return [unread(task, "quarantined", Unreadable("killed-reader", "the process that read it died: "
                                                           "look at the file, and at the memory there is"))]


def _start(rules: RuleSet) -> None:
    global _dispatch
    _dispatch = Dispatch(rule for rule in rules if rule.alerts)


def _read_batch(batch: Sequence[Task]) -> _Result:
    before = dict(_dispatch.spent)
    results = [result for task in batch for result in read(task, _dispatch)]
    return results, {rule_id: seconds - before[rule_id] for rule_id, seconds in _dispatch.spent.items()}
