"""Source -> digest -> store: one sweep, or live until told to stop. Both front ends call this and nothing below it."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

import msgspec

from detector.accounting import Accounting
from detector.alert import Alert
from detector.partial import Partial
from detector.reading import Task, read
from detector.rules import RuleSet
from detector.rules.dispatch import Dispatch
from detector.sources.directory import Directory, Found
from detector.store import LATENESS, Changes, FileRead, FileRow, Store
from detector.workers import Workers

PUBLISH_EVERY = 0.25
"""Seconds between updates at the least, so that a screen gets batches and not a flood."""
_COMMIT_SECONDS = 0.2
_COMMIT_FILES = 2000
_SWEEP_EVERY = 2.0
_WORTH_PROCESSES = 8 << 20
"""Bytes to read from which starting other processes pays."""
_RETRY_AFTER = 30.0
_GIVE_UP_AFTER = 24 * 3600.0
_LABEL = re.compile(r"_(\d{8}T\d{4})Z_")


class Update(msgspec.Struct, frozen=True):
    """What changed since the last one. ``live``: all that was found has been read, and the sources are watched.

    ``newest`` is the newest event time read (epoch seconds); ``problems`` are files that were not read, a line each.
    """

    alerts: tuple[Alert, ...]
    withdrawn: tuple[str, ...]
    accounting: Accounting
    live: bool
    newest: int | None
    problems: tuple[str, ...]


class Pipeline:
    """Reads what ``directory`` finds into ``store`` by ``rules``.

    ``jobs`` processes read; None: as many as help. ``clock`` tells the time against which event times are judged.
    """

    def __init__(self, store: Store, rules: RuleSet, directory: Directory, jobs: int | None = None,
                 clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._directory = directory
        self._clock = clock
        self._dispatch = Dispatch(rules)
        self._jobs = jobs
        self._workers = Workers(rules, jobs or os.cpu_count() or 1)
        store.use(rules)
        self._held = {row.path: row for row in store.files()}
        self._waiting_since: dict[str, float] = {}
        self._pending = _Pending()

    def scan(self, publish: Callable[[Update], None]) -> None:
        """Read everything once. At the end all alerts are settled."""
        try:
            self._read_all(self._due(final=True), publish, threading.Event())
        finally:
            self._workers.close()
        self._pending.add(self._store.settle(float("inf")))
        self._publish(publish, live=True)

    def run(self, stop: threading.Event, publish: Callable[[Update], None]) -> None:
        """Read what is there and what comes, until ``stop`` is set. Blocks."""
        interval = _SWEEP_EVERY
        try:
            while not stop.is_set():
                begun = time.monotonic()
                due = self._due(final=False)
                interval = max(_SWEEP_EVERY, 10 * (time.monotonic() - begun))
                self._read_all(due, publish, stop)
                if stop.is_set():
                    return
                # All that was found is read, so the clock itself is the watermark.
                self._pending.add(self._store.settle(self._clock()))
                self._publish(publish, live=True)
                self._directory.wait(stop, interval)
        finally:
            self._workers.close()

    def _due(self, final: bool) -> list[Task]:
        """Sweep: what is new or has changed, the oldest delivery first."""
        found = list(self._directory.sweep())
        self._notice_moves(found)
        due = [Task(file, held, self._store.generation, final)
               for file in found if self._is_due(file, held := self._held.get(file.path), final)]
        return sorted(due, key=lambda task: _delivered(task.found))

    def _is_due(self, file: Found, held: FileRow | None, final: bool) -> bool:
        if file.problem is not None:
            return held is None or (held.state, held.reason) != file.problem[:2]
        if held is None or (file.size, file.mtime_ns, file.inode, file.device) != (
                held.size, held.mtime_ns, held.inode, held.device):
            self._waiting_since.pop(file.path, None)
            return True
        if held.generation != self._store.generation or held.reason in ("reading", "being-written", "link"):
            return True
        if held.state != "waiting":
            return False
        waited = self._clock() - self._waiting_since.setdefault(file.path, self._clock())
        return final or waited > (_RETRY_AFTER if held.reason == "unreadable" else _GIVE_UP_AFTER)

    def _notice_moves(self, found: Sequence[Found]) -> None:
        """A file under a new name is the same file; one that is gone and never gave a record is forgotten."""
        present = {file.path for file in found}
        gone = {(row.device, row.inode): row for row in self._held.values()
                if row.path not in present and self._directory.covers(row.path)}
        moved = []
        for file in found:
            if file.path not in self._held and (row := gone.get((file.device, file.inode))) and row.size <= file.size:
                moved.append((row.path, file.path))
                del gone[file.device, file.inode], self._held[row.path]
                self._held[file.path] = msgspec.structs.replace(row, path=file.path)
        lost = [row.path for row in gone.values() if row.state != "read"]
        if moved or lost:
            self._store.move(moved, lost)
            for path in lost:
                self._held.pop(path, None)

    def _read_all(self, due: Sequence[Task], publish: Callable[[Update], None], stop: threading.Event) -> None:
        batch: list[FileRead] = []
        begun = time.monotonic()
        for result in self._results(due, stop):
            batch.append(result)
            if len(batch) >= _COMMIT_FILES or time.monotonic() - begun > _COMMIT_SECONDS:
                self._commit(batch, publish)
                batch, begun = [], time.monotonic()
            if stop.is_set():
                break
        self._commit(batch, publish)

    def _results(self, due: Sequence[Task], stop: threading.Event) -> Iterator[FileRead]:
        readable = [task for task in due if task.found.problem is None]
        yield from (_set_aside(task) for task in due if task.found.problem is not None)
        large = sum(task.found.size for task in readable) >= _WORTH_PROCESSES
        if len(readable) > 1 and (self._jobs or large) and self._jobs != 1:
            yield from self._workers.read(_until(stop, readable))
        else:
            yield from chain.from_iterable(read(task, self._dispatch) for task in _until(stop, readable))

    def _commit(self, batch: Sequence[FileRead], publish: Callable[[Update], None]) -> None:
        if not batch:
            return
        self._pending.add(self._store.commit(batch, self._clock() + LATENESS))
        for result in batch:
            row = result.file
            known = self._held.get(row.path)
            if row.state in ("skipped", "quarantined") and (known is None or known.reason != row.reason):
                self._pending.problems.append(f"{row.state}: {row.path}: {row.detail}")
            self._held[row.path] = row
        if newest := self._store.newest():
            self._pending.add(self._store.settle(newest))
        self._publish(publish, live=False)

    def _publish(self, publish: Callable[[Update], None], live: bool) -> None:
        pending = self._pending
        if not live and time.monotonic() - pending.published < PUBLISH_EVERY:
            return
        if live and pending.live and not (pending.alerts or pending.withdrawn or pending.problems or pending.dirty):
            return  # nothing has happened
        publish(Update(tuple(pending.alerts.values()), tuple(pending.withdrawn), self._store.accounting(), live,
                       self._store.newest(), tuple(pending.problems)))
        self._pending = _Pending(live)


class _Pending:
    """What has not been published yet."""

    def __init__(self, live: bool = False) -> None:
        self.alerts: dict[str, Alert] = {}
        self.withdrawn: list[str] = []
        self.problems: list[str] = []
        self.published = time.monotonic()
        self.live = live
        self.dirty = False

    def add(self, changes: Changes) -> None:
        self.dirty = True
        for name in changes.withdrawn:
            self.alerts.pop(name, None)
            self.withdrawn.append(name)
        for alert in changes.alerts:
            self.alerts[alert.alert_id] = alert


def _delivered(file: Found) -> str:
    """When the file was delivered: the label in its name, which copying does not change, or else its mtime."""
    if label := _LABEL.search(file.path):
        return label[1]
    return time.strftime("%Y%m%dT%H%M", time.gmtime(file.mtime_ns / 1e9))


def _set_aside(task: Task) -> FileRead:
    """The result for a file that the sweep itself tells not to read."""
    file = task.found
    assert file.problem is not None
    row = FileRow(file.path, file.device, file.inode, file.size, file.mtime_ns, *file.problem,
                  generation=task.generation)
    return FileRead(row, Partial({}, {}, {}))


def _until(stop: threading.Event, tasks: Iterable[Task]) -> Iterator[Task]:
    for task in tasks:
        if stop.is_set():
            return
        yield task
