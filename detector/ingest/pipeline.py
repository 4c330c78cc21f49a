"""Source -> digest -> store: one sweep, or live until told to stop. Both front ends call this and nothing below it."""

from __future__ import annotations

import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from itertools import chain, islice
from typing import TypeVar

import msgspec

from detector.cloudtrail.object_key import DIGEST, trail_file
from detector.detection.alert import Alert
from detector.detection.correlate import (
    ChunkRequests,
    Signal,
    collect_signals,
    find_signals,
    flagging_events,
    group_by_file,
)
from detector.detection.digest import Partial
from detector.detection.risk import RiskTable
from detector.detection.risk import load_risk_table as load_risk
from detector.ingest.known_files import KnownFiles
from detector.ingest.prefetch import fetch_ahead
from detector.ingest.reader import (
    ChunkDigester,
    FetchedTask,
    LocalDigester,
    Task,
    hash_content,
    read,
)
from detector.ingest.unpublished import UnpublishedChanges
from detector.ingest.workers import Workers, is_plain
from detector.rules.dispatch import Dispatch
from detector.rules.ruleset import RuleSet
from detector.sources.accounting import Accounting
from detector.sources.open_file import has_identity
from detector.sources.source import Source, SourceFile
from detector.sources.time_bounds import Bounds
from detector.store import LATENESS, Changes, FileRead, FileRow, Store

PUBLISH_EVERY = 0.25
"""Seconds between updates at the least, so that a screen gets batches and not a flood."""
_COMMIT_SECONDS = 0.2
_COMMIT_FILES = 2000
_SWEEP_EVERY = 2.0
_WORTH_PROCESSES = 8 << 20
"""Bytes to read from which starting other processes pays."""
_WORTH_PARTING = 64 << 20
"""Bytes of one plain file from which its lines are spread over processes."""
_LOOKED_AHEAD = 2000
"""Files to search that are held at once, to tell whether processes pay; more may follow."""
_VERIFY_EVERY = 60.0
"""Seconds between looks at what digests say, while files come."""
_RETRY_AFTER = 30.0
_RETRIED = ("unreadable", "throttled", "credentials", "unreachable")
_PASSING = ("reading", "being-written", "link", "out-of-range", "retry")
"""Reasons that hold only as long as the sweep gives them."""
_SUMMED_UP = ("out-of-range", "digest", "link")
"""Reasons of files that there may be very many of, and nothing wrong with: they are counted, not
named."""
_LET_GO_EVERY = 24 * 3600.0
_GIVE_UP_AFTER = 24 * 3600.0
_LABEL = re.compile(r"_(\d{8}T\d{4})Z_")


class Update(msgspec.Struct, frozen=True):
    """What changed since the last one. ``live``: all that was found has been read, and the sources
    are watched.

    ``newest`` is the newest event time read (epoch seconds); ``problems`` are files that were not
    read, a line each."""

    alerts: tuple[Alert, ...]
    withdrawn: tuple[str, ...]
    accounting: Accounting
    live: bool
    newest: int | None
    problems: tuple[str, ...]


class Pipeline:
    """Reads what ``source`` finds into ``store`` by ``rules``.

    ``jobs`` processes read; None: as many as help. ``clock`` tells the time against which event
    times are judged, ``risk`` what flags are worth. Outside of ``bounds`` the source looks for
    nothing, so that nothing is missing there. Live, what is older than ``retention`` seconds is let
    go; None: nothing is."""

    def __init__(
        self,
        store: Store,
        rules: RuleSet,
        source: Source,
        jobs: int | None = None,
        clock: Callable[[], float] = time.time,
        risk: RiskTable | None = None,
        bounds: Bounds | None = None,
        retention: int | None = None,
    ) -> None:
        self._store = store
        self._source = source
        self._digests = store.has_digests()
        self._clock = clock
        self._risk = risk or load_risk()
        self._bounds = bounds
        self._verify_due = float("-inf")
        self._jobs = jobs
        self._retention = retention
        self._let_go_at = float("-inf")
        self._next_rules: deque[RuleSet] = deque(maxlen=1)
        self._search_by(rules)
        self._held = KnownFiles(store.files())
        self._waiting_since: dict[str, float] = {}
        self._retrying = {
            row.path for row in self._held if row.state == "waiting" and _is_remote(row.path)
        }
        self._pending = UnpublishedChanges()
        self._astray: Set[tuple[str, FileRow]] = frozenset()
        """Files that were not where they had been read when they were searched last."""

    def _search_by(self, rules: RuleSet) -> None:
        """Take these rules, but those that are off in the store."""
        rules = rules.without(self._store.rules_off())
        self._digester = LocalDigester(Dispatch(rule for rule in rules if rule.alerts))
        self._flagging = flagging_events(rules)
        self._searched = 0
        self._workers = Workers(rules, self._jobs or os.cpu_count() or 1)
        self._store.use(rules)

    def use(self, rules: RuleSet) -> None:
        """Search by these rules, but those that are off in the store, from the next sweep on. Any
        thread may call it.

        What was read is searched again where a rule has come or changed.
        """
        self._next_rules.append(rules)

    def _take_up_rules(self) -> None:
        if not self._next_rules:
            return
        before = {alert.alert_id for alert in self._store.alerts()}
        self._workers.close()
        self._search_by(self._next_rules.pop())
        # A source that looks for what is new does not find the older files again.
        self._retrying |= {
            row.path
            for row in self._held
            if _is_remote(row.path)
            and row.state == "read"
            and row.generation != self._store.generation
        }
        now = self._store.alerts()
        self._pending.add(Changes(tuple(now), tuple(before - {alert.alert_id for alert in now})))

    def scan(self, publish: Callable[[Update], None]) -> None:
        """Read everything once. At the end all alerts are settled."""
        try:
            self._read_all(self._due(final=True), publish, threading.Event())
            self._verify(final=True)
            self._correlate(threading.Event())
        finally:
            self._workers.close()
        self._pending.add(self._store.settle(float("inf")))
        self._publish(publish, live=True)

    def run(self, stop: threading.Event, publish: Callable[[Update], None]) -> None:
        """Read what is there and what comes, until ``stop`` is set or nothing more can come.
        Blocks."""
        interval = _SWEEP_EVERY
        try:
            while not stop.is_set():
                begun = time.monotonic()
                self._take_up_rules()
                ended = self._source.ended()
                due = self._due(final=ended)
                interval = max(_SWEEP_EVERY, 10 * (time.monotonic() - begun))
                self._read_all(due, publish, stop)
                if stop.is_set():
                    return
                self._verify(final=ended)
                self._correlate(stop)
                # All that was found is read, so the clock itself is the watermark.
                self._pending.add(self._store.settle(self._clock()))
                self._let_go()
                self._publish(publish, live=True)
                if ended:
                    return
                self._source.wait(stop, interval)
        finally:
            self._workers.close()

    def rule_seconds(self) -> dict[str, float]:
        """Seconds that each rule has taken of the records that got to it, since they were
        loaded."""
        own = self._digester.rule_seconds
        return {
            rule_id: own.get(rule_id, 0.0) + seconds
            for rule_id, seconds in self._workers.spent.items()
        }

    def recheck_quarantine(self) -> None:
        """Look again at the files of the quarantine, after the analyst has decided on some of them
        or taken it back."""
        for row in self._store.files():
            held = self._held.get(row.path)
            if (
                held is not None
                and held.state != row.state
                and "quarantined" in (held.state, row.state)
            ):
                self._held.put(row)
                if row.state == "waiting":
                    self._retrying.add(row.path)
                else:
                    self._retrying.discard(row.path)

    def _due(self, final: bool) -> list[Task]:
        """Sweep: what is new or has changed, the oldest delivery first."""
        found = self._by_known_names(list(self._source.sweep()))
        self._pending.problems += self._source.problems()
        self._notice_moves(found)
        found += self._to_retry({file.path for file in found})
        self._digests = self._digests or any(DIGEST in file.path for file in found)
        due = [
            Task(
                file,
                held,
                self._store.generation,
                final or self._waited(file.path) > _GIVE_UP_AFTER,
                self._digests and trail_file(file.path) is not None,
            )
            for file in found
            if self._is_due(file, held := self._held.get(file.path), final)
        ]
        reading = {task.file.path for task in due}
        self._source.committed(
            [
                file.path
                for file in found
                if _is_remote(file.path)
                and file.path not in reading
                and (held := self._held.get(file.path))
                and held.state != "waiting"
            ]
        )
        return sorted(due, key=lambda task: _delivered(task.file))

    def _to_retry(self, present: Set[str]) -> list[SourceFile]:
        """What is to be tried again, though its source, which looks for what is new, did not find
        it again."""
        return [
            SourceFile(row.path, row.device, row.inode, row.size, row.mtime_ns)
            for path in self._retrying - present
            if (row := self._held.get(path)) is not None
        ]

    def _is_due(self, file: SourceFile, held: FileRow | None, final: bool) -> bool:
        if file.problem is not None:
            if held is not None and held.state == "read" and file.problem[1] == "out-of-range":
                return False
            return held is None or (held.state, held.reason) != file.problem[:2]
        if held is None or (file.size, file.mtime_ns, file.inode, file.device) != (
            held.size,
            held.mtime_ns,
            held.inode,
            held.device,
        ):
            self._waiting_since.pop(file.path, None)
            return True
        if held.generation != self._store.generation or held.reason in _PASSING:
            return True
        if held.state != "waiting":
            return False
        self._waiting_since.setdefault(file.path, self._clock())
        waited = self._waited(file.path)
        if held.reason in _RETRIED and waited > _RETRY_AFTER:
            del self._waiting_since[file.path]
            return True
        return final or waited > _GIVE_UP_AFTER

    def _waited(self, path: str) -> float:
        """Seconds for which a file has been waiting unchanged."""
        now = self._clock()
        return now - self._waiting_since.get(path, now)

    def _by_known_names(self, found: list[SourceFile]) -> list[SourceFile]:
        """Of several names of one file that is read already, the one that it was read under is not
        the link."""
        for place, file in enumerate(found):
            held = self._held.get(file.path)
            if (
                file.problem is None
                or file.problem[1] != "link"
                or held is None
                or held.reason == "link"
            ):
                continue
            for other, named in enumerate(found[:place]):
                if (named.device, named.inode, named.problem) == (file.device, file.inode, None):
                    if named.path not in self._held and (held.device, held.inode) == (
                        file.device,
                        file.inode,
                    ):
                        found[other], found[place] = (
                            named._replace(problem=file.problem),
                            file._replace(problem=None),
                        )
                    break
        return found

    def _notice_moves(self, found: Sequence[SourceFile]) -> None:
        """A file under a new name stays what it is; one that is gone and never gave a record is
        forgotten."""
        moves = self._held.follow(found, self._source.in_scope)
        if moves.renamed or moves.lost:
            self._store.move(moves.renamed, moves.lost)

    def _read_all(
        self, due: Sequence[Task], publish: Callable[[Update], None], stop: threading.Event
    ) -> None:
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
        here: ChunkDigester = self._digester
        readable = [task for task in due if task.file.problem is None]
        remote = [task for task in readable if _is_remote(task.file.path)]
        local = [task for task in readable if not _is_remote(task.file.path)]
        if remote:
            yield from self._each(remote, fetch_ahead(_until(stop, remote)), here)
        yield from (_set_aside(task) for task in due if task.file.problem is not None)
        if self._jobs != 1:
            large = {
                task.file.path: task
                for task in local
                if task.file.size >= _WORTH_PARTING and is_plain(task.file.path)
            }
            for task in _until(stop, large.values()):
                yield from read(task, self._workers.digester(here))
            local = [task for task in local if task.file.path not in large]
        yield from self._each(local, map(FetchedTask, _until(stop, local)), here)

    def _each(
        self, tasks: Sequence[Task], given: Iterator[FetchedTask], here: ChunkDigester
    ) -> Iterator[FileRead]:
        """What the tasks come to, which are ``given`` one after the other: by processes where that
        pays."""
        if self._worth_processes(len(tasks), sum(task.file.size for task in tasks)):
            return self._workers.read(given)
        return chain.from_iterable(read(each.task, here, each.open) for each in given)

    def _commit(self, batch: Sequence[FileRead], publish: Callable[[Update], None]) -> None:
        if not batch:
            return
        self._pending.add(self._store.commit(batch, self._clock() + LATENESS))
        self._pending.dirty = True
        for result in batch:
            row = result.file
            known = self._held.get(row.path)
            told = known is not None and (known.state, known.reason) == (row.state, row.reason)
            if (
                row.state in ("skipped", "quarantined")
                and not told
                and row.reason not in _SUMMED_UP
            ):
                self._pending.problems.append(f"{row.state}: {row.path}: {row.detail}")
            self._held.put(row)
            if row.state == "waiting" and _is_remote(row.path):
                self._retrying.add(row.path)
            else:
                self._retrying.discard(row.path)
        self._source.committed(
            [result.file.path for result in batch if result.file.state != "waiting"]
        )
        if newest := self._store.newest():
            self._pending.add(self._store.settle(min(newest, self._clock())))
        self._publish(publish, live=False)

    def _let_go(self) -> None:
        """Once a day, and only when all that was found is in its window."""
        if self._retention is not None and self._clock() - self._let_go_at > _LET_GO_EVERY:
            self._store.let_go(self._retention)
            self._let_go_at = self._clock()

    def _verify(self, final: bool) -> None:
        """Hash what was read before a digest named it, and judge what is missing or modified."""
        now = self._clock()
        if not self._digests or not (final or now >= self._verify_due):
            return
        self._verify_due = now + _VERIFY_EVERY
        if paths := self._store.unverified():
            self._store.verified(
                [(path, hashed) for path in paths if (hashed := hash_content(path)) is not None]
            )
        self._pending.add(self._store.judge_files(final, self._bounds))

    def _correlate(self, stop: threading.Event) -> None:
        """Search what was read for the signals of the alerts near it, until no alert lacks any.

        A file that has another name by now is found by the next sweep, and searched then.
        """
        while not stop.is_set():
            newest, due = self._store.unsearched(self._searched)
            if not due:
                self._searched = newest
                break
            pieces = self._store.pieces(
                min(each.request.start for each in due),
                max(each.request.end for each in due),
                min(each.searched for each in due),
            )
            paths: list[str] = []
            found = collect_signals(
                due, self._looked(_noting(paths, group_by_file(due, pieces)), stop)
            )
            if stop.is_set():
                return
            astray = {
                (path, row)
                for path in paths
                if (row := self._held.get(path)) and not has_identity(path, (row.device, row.inode))
            }
            missed = bool(astray - self._astray)
            self._store.add_signals(
                found, {each.request.name: each.searched if missed else newest for each in due}
            )
            self._astray = astray
            if missed:
                break
        if not stop.is_set():
            self._pending.add(self._store.refresh(self._risk))

    def _looked(
        self, files: Iterator[tuple[str, ChunkRequests]], stop: threading.Event
    ) -> Iterator[Signal]:
        """The signals in these files."""
        files = _until(stop, files)
        first = list(islice(files, _LOOKED_AHEAD))
        size = sum(row.size for path, _ in first if (row := self._held.get(path)))
        files = chain(first, files)
        if self._worth_processes(sum(len(there) for _, there in first), size):
            return self._workers.search_files(files)
        return chain.from_iterable(
            find_signals(path, there, self._flagging) for path, there in files
        )

    def _worth_processes(self, things: int, size: int) -> bool:
        return (
            things > 1 and self._jobs != 1 and (self._jobs is not None or size >= _WORTH_PROCESSES)
        )

    def _publish(self, publish: Callable[[Update], None], live: bool) -> None:
        pending = self._pending
        if not live and time.monotonic() - pending.published < PUBLISH_EVERY:
            return
        if (
            live
            and pending.live
            and not (pending.alerts or pending.withdrawn or pending.problems or pending.dirty)
        ):
            return  # nothing has happened
        publish(
            Update(
                tuple(pending.alerts.values()),
                tuple(pending.withdrawn),
                self._store.accounting(),
                live,
                self._store.newest(),
                tuple(pending.problems),
            )
        )
        self._pending = UnpublishedChanges(live)


def _noting(
    paths: list[str], files: Iterable[tuple[str, ChunkRequests]]
) -> Iterator[tuple[str, ChunkRequests]]:
    for path, there in files:
        paths.append(path)
        yield path, there


def _delivered(file: SourceFile) -> str:
    """When the file was delivered: the label in its name, which copying does not change, or else
    its mtime."""
    if label := _LABEL.search(file.path):
        return label[1]
    return time.strftime("%Y%m%dT%H%M", time.gmtime(file.mtime_ns / 1e9))


def _is_remote(path: str) -> bool:
    return path.startswith("s3://")


def _set_aside(task: Task) -> FileRead:
    """The result for a file that the sweep itself tells not to read."""
    file = task.file
    assert file.problem is not None
    row = FileRow(
        file.path,
        file.device,
        file.inode,
        file.size,
        file.mtime_ns,
        *file.problem,
        generation=task.generation,
    )
    return FileRead(row, Partial.empty())


def _until(stop: threading.Event, things: Iterable[_T]) -> Iterator[_T]:
    for thing in things:
        if stop.is_set():
            return
        yield thing


_T = TypeVar("_T")
