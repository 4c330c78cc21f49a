"""The pipeline: sweep, read, digest and commit, either once or live.

Both front ends call this module, and nothing below it.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from detector.detection.alert import Alert
from detector.detection.risk import RiskTable, load_risk_table
from detector.ingest.decision_watch import DecisionWatch
from detector.ingest.garbage import fewer_collections, rare_collections, take_for_old
from detector.ingest.prefetch import fetch_ahead
from detector.ingest.reader import (
    FetchedTask,
    LocalDigester,
    Task,
    content_sha256,
    out_of_scope_result,
    read_file,
)
from detector.ingest.scheduler import ReadScheduler
from detector.ingest.signal_search import SignalSearch
from detector.ingest.small_files import read_files
from detector.ingest.unpublished import UnpublishedChanges
from detector.ingest.watch_search import WatchSearch
from detector.ingest.workers import Workers, is_plain_text, is_worthwhile
from detector.rules.dispatch import Dispatch
from detector.rules.ruleset import RuleSet
from detector.sources.accounting import Accounting, FileState
from detector.sources.open_file import is_of_this_process, is_remote
from detector.sources.settling import SETTLE_SECONDS
from detector.sources.source import Source
from detector.sources.time_bounds import Bounds
from detector.store import LATENESS, AlertChanges, FileRead, FileRow, Store
from detector.triage.watch import WatchRow

PUBLISH_EVERY = 0.25
"""The least seconds between updates, so that a screen gets batches instead of a flood."""
_DERIVE_SHARE = 5
"""While files are read, deriving alerts takes at most one part in this many of the time."""
_COMMIT_SECONDS = 0.2
"""Seconds of reading per commit, so that new records are visible soon."""
_SCAN_COMMIT_SECONDS = 1.0
"""The same for a scan, where nobody waits for the first alert."""
_COMMIT_FILES = 2000
_SWEEP_EVERY = 2.0
_SPREAD_BYTES = 64 << 20
"""From this size on, the lines of a single plain file are spread over processes."""
_VERIFY_EVERY = 60.0
"""Seconds between checks against the digest files, while files still arrive."""
_EVICT_EVERY = 24 * 3600.0
_UNNAMED = ("out-of-range", "digest", "link", "no-object", "queue")
"""Reasons that are only counted: nothing is wrong, or the source itself reports the problem."""


class Update(msgspec.Struct, frozen=True):
    """The changes since the last update."""

    alerts: tuple[Alert, ...]
    withdrawn: tuple[str, ...]
    accounting: Accounting
    live: bool
    """Whether all files found have been read, and the sources are being watched."""
    newest: int | None
    """The newest event time read, in epoch seconds."""
    problems: tuple[str, ...]
    """A line for each file that was not read."""
    watches: tuple[WatchRow, ...] = ()
    """The watches with new sightings."""


class Pipeline:
    """Brings the files of a source into the store, once or live.

    ``jobs`` is the number of processes; None: as many as help. ``clock`` is the time against which
    event times are judged, ``risk`` the weights of flags. The source looks for no files outside of
    ``bounds``, so none are missing there. A live run evicts windows older than ``retention``
    seconds (None: no eviction), and calls ``swept`` after each sweep of the source. The activity of
    principals is counted only if ``counts_activity``, and updates contain the changed alerts only
    if ``tells_alerts``.
    """

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
        swept: Callable[[], None] = lambda: None,
        counts_activity: bool = True,
        tells_alerts: bool = True,
    ) -> None:
        self._store = store
        self._source = source
        self._jobs = jobs
        self._clock = clock
        self._risk = risk or load_risk_table()
        self._bounds = bounds
        self._retention = retention
        self._swept = swept
        self._counts_activity = counts_activity
        self._tells_alerts = tells_alerts
        self._verify_due = float("-inf")
        self._evicted_at = float("-inf")
        self._derive_due = float("-inf")
        self._commit_seconds = _COMMIT_SECONDS
        self._next_rules: deque[RuleSet] = deque(maxlen=1)
        self._scheduler = ReadScheduler(store, source, clock)
        self._signal_search = SignalSearch(store, self._scheduler.files, jobs)
        self._watch_search = WatchSearch(store)
        self._unpublished = UnpublishedChanges()
        self._decisions = DecisionWatch(store)
        self._start_rules(rules)

    def use(self, rules: RuleSet) -> None:
        """Search with these rules from the next sweep on.

        Rules that are switched off in the store are left out. Files are searched again if rules are
        new or changed. Any thread may call this.
        """
        self._next_rules.append(rules)

    def scan(self, publish: Callable[[Update], None]) -> Counter[FileState]:
        """Read everything once, and settle all alerts at the end.

        Returns the number of files found, by their state.
        """
        self._derive_due = float("inf")  # derive alerts once, after everything is read
        self._commit_seconds = _SCAN_COMMIT_SECONDS
        try:
            with rare_collections():
                self._scan(publish)
        finally:
            self._workers.close()
        self._unpublished.add(self._store.alerts.settle(float("inf")))
        self._store.retention.release_free_pages()  # a later scan may never reuse them
        self._publish(publish, live=True)
        return self._scheduler.states_of_found()

    def _scan(self, publish: Callable[[Update], None]) -> None:
        never = threading.Event()
        self._read_all(self._due_tasks(is_final=True), publish, never)
        if self._scheduler.any_being_written():
            never.wait(SETTLE_SECONDS)
            self._read_all(self._due_tasks(is_final=True), publish, never)
        self._digester.forget()
        self._derive(publish)
        self._verify(is_final=True)
        take_for_old()
        self._correlate(never, is_final=True)

    def run(self, stop: threading.Event, publish: Callable[[Update], None]) -> None:
        """Read all existing files and all that arrive. Blocks.

        Returns when ``stop`` is set, or when no more files can arrive.
        """
        try:
            while not stop.is_set():
                with fewer_collections():
                    interval = self._read_new(stop, publish)
                if interval is None:
                    return
                self._source.wait(stop, interval)
        finally:
            self._workers.close()

    def _read_new(self, stop: threading.Event, publish: Callable[[Update], None]) -> float | None:
        """Read what has arrived; return the seconds until the next sweep, None if there is none."""
        begun = time.monotonic()
        self._follow_decisions()
        self._change_rules()
        ended = self._source.ended()
        tasks = self._due_tasks(is_final=ended)
        interval = max(_SWEEP_EVERY, 10 * (time.monotonic() - begun))
        self._read_all(tasks, publish, stop)
        if stop.is_set():
            return None
        self._derive(publish)
        self._verify(is_final=ended)
        self._correlate(stop)
        # All files found have been read, so the clock itself is the watermark.
        self._unpublished.add(self._store.alerts.settle(self._clock()))
        self._evict()
        self._publish(publish, live=True)
        self._swept()
        return None if ended else interval

    def rule_seconds(self) -> dict[str, float]:
        """Return the seconds that each rule has taken since it was loaded, by rule id."""
        own = self._digester.rule_seconds
        return {
            rule_id: own.get(rule_id, 0.0) + seconds
            for rule_id, seconds in self._workers.rule_seconds.items()
        }

    def recheck_quarantine(self) -> None:
        """Apply the analyst's decisions on quarantined files."""
        self._scheduler.recheck_quarantine()

    def _follow_decisions(self) -> None:
        """Apply what any process has decided on rules and quarantined files."""
        changed = self._decisions.changed()
        if "rule" in changed and not self._next_rules:
            self._next_rules.append(self._rules)
        if "file" in changed:
            self._scheduler.recheck_quarantine()

    def _start_rules(self, rules: RuleSet) -> None:
        self._rules = rules
        rules = rules.without(self._store.rules.disabled())
        dispatch = Dispatch(rule for rule in rules if rule.alerts)
        self._digester = LocalDigester(dispatch, self._counts_activity)
        self._workers = Workers(rules, self._jobs or os.cpu_count() or 1, self._counts_activity)
        self._signal_search.use(rules, self._workers)
        self._store.use(rules)

    def _change_rules(self) -> None:
        """Switch to the rules that were passed to ``use``, if any."""
        if not self._next_rules:
            return
        before = {alert.alert_id for alert in self._store.alerts.all()}
        self._workers.close()
        self._start_rules(self._next_rules.pop())
        self._scheduler.reread_outdated()
        alerts = self._store.alerts.all()
        withdrawn = before - {alert.alert_id for alert in alerts}
        changed = tuple(alert.alert_id for alert in alerts)
        self._unpublished.add(AlertChanges(changed, tuple(withdrawn)))

    def _due_tasks(self, is_final: bool) -> list[Task]:
        files = list(self._source.sweep())
        self._unpublished.problems += self._source.problems()
        return self._scheduler.schedule(files, is_final)

    def _read_all(
        self, tasks: Sequence[Task], publish: Callable[[Update], None], stop: threading.Event
    ) -> None:
        """Read the files of the tasks, and commit the results in batches."""
        batch: list[FileRead] = []
        begun = time.monotonic()
        for results in self._results(tasks, stop):
            batch += results
            if len(batch) >= _COMMIT_FILES or time.monotonic() - begun > self._commit_seconds:
                self._commit(batch, publish)
                batch, begun = [], time.monotonic()
            if stop.is_set():
                break
        self._commit(batch, publish)
        self._store.activity.fold()

    def _results(
        self, tasks: Sequence[Task], stop: threading.Event
    ) -> Iterator[Sequence[FileRead]]:
        """Read the files, and yield the results that must be committed together."""
        readable = [task for task in tasks if task.file.problem is None]
        remote = [task for task in readable if is_remote(task.file.path)]
        local = [task for task in readable if not is_remote(task.file.path)]
        own = [task for task in local if is_of_this_process(task.file.path)]
        if remote:
            yield from self._read(remote, fetch_ahead(_until(stop, remote)))
        unread = (task for task in tasks if task.file.problem is not None)
        yield from _one_by_one(map(out_of_scope_result, unread))
        if own:
            yield from read_files(map(FetchedTask, _until(stop, own)), self._digester)
            local = [task for task in local if not is_of_this_process(task.file.path)]
        if self._jobs != 1:
            large = {
                task.file.path: task
                for task in local
                if task.file.size >= _SPREAD_BYTES and is_plain_text(task.file.path)
            }
            for task in _until(stop, large.values()):
                yield from _one_by_one(read_file(task, self._workers.digester(self._digester)))
            local = [task for task in local if task.file.path not in large]
        yield from self._read(local, map(FetchedTask, _until(stop, local)))

    def _read(
        self, tasks: Sequence[Task], fetched: Iterator[FetchedTask]
    ) -> Iterator[Sequence[FileRead]]:
        """Read the ``fetched`` files, in worker processes if that pays."""
        size = sum(task.file.size for task in tasks)
        if is_worthwhile(self._jobs, len(tasks), size):
            return self._workers.read(fetched)
        return read_files(fetched, self._digester)

    def _commit(self, batch: Sequence[FileRead], publish: Callable[[Update], None]) -> None:
        """Write the results to the store, and publish the changes if an update is due."""
        if not batch:
            return
        self._store.commit(batch, self._clock() + LATENESS)
        self._unpublished.dirty = True
        rows = [result.file for result in batch]
        for row in rows:
            self._note_problem(row)
            self._scheduler.record(row)
        self._source.committed([row.path for row in rows if row.state != "waiting"])
        if time.monotonic() - self._unpublished.since >= PUBLISH_EVERY:
            if time.monotonic() >= self._derive_due:
                self._derive(publish)
            self._publish(publish, live=False)

    def _derive(self, publish: Callable[[Update], None]) -> None:
        """Derive alerts from what was committed, and settle those that the watermark has passed.

        If there are very many, each part is published separately."""
        begun = time.monotonic()

        def tell_part(changes: AlertChanges) -> None:
            self._unpublished.add(changes)
            self._publish(publish, live=False)

        self._unpublished.add(self._store.derivation.derive(tell_part))
        newest = self._store.files.newest_event_time()
        if newest:
            self._unpublished.add(self._store.alerts.settle(min(newest, self._clock())))
        self._derive_due = begun + _DERIVE_SHARE * (time.monotonic() - begun)

    def _note_problem(self, row: FileRow) -> None:
        """Report a file that is newly skipped or quarantined, or that has unreadable members."""
        if row.state == "read" and row.detail:
            self._unpublished.problems.append(f"rejected: {row.path}: {row.detail}")
        if row.state not in ("skipped", "quarantined") or row.reason in _UNNAMED:
            return
        known = self._scheduler.files.get(row.path)
        if known is None or (known.state, known.reason) != (row.state, row.reason):
            self._unpublished.problems.append(f"{row.state}: {row.path}: {row.detail}")

    def _evict(self) -> None:
        """Evict old windows once a day.

        Must be called only when all records found are in their windows.
        """
        if self._retention is not None and self._clock() - self._evicted_at > _EVICT_EVERY:
            self._store.retention.evict(self._retention)
            self._evicted_at = self._clock()

    def _verify(self, is_final: bool) -> None:
        """Check the integrity of the log files against the digest files.

        Hashes the files that were read before a digest named them.
        """
        now = self._clock()
        if not (is_final or now >= self._verify_due):
            return
        if not self._store.completeness.has_digests():
            return
        self._verify_due = now + _VERIFY_EVERY
        paths = self._store.completeness.unhashed_files()
        if paths:
            hashes = ((path, content_sha256(path)) for path in paths)
            self._store.completeness.add_hashes(
                [(path, sha256) for path, sha256 in hashes if sha256 is not None]
            )
        self._unpublished.add(self._store.integrity_alerts.update(is_final, self._bounds))

    def _correlate(self, stop: threading.Event, is_final: bool = False) -> None:
        """Search for watched indicators and for signals, and compute the alerts' context."""
        self._unpublished.add_watches(self._watch_search.run(stop))
        self._unpublished.problems += self._signal_search.run(stop, is_final)
        if not stop.is_set():
            self._unpublished.add(self._store.context.refresh(self._risk))

    def _publish(self, publish: Callable[[Update], None], live: bool) -> None:
        changes = self._unpublished
        if live and changes.live and not changes:
            return  # nothing has happened
        update = Update(
            alerts=self._store.alerts.get_all(changes.changed) if self._tells_alerts else (),
            withdrawn=tuple(changes.withdrawn),
            accounting=self._store.files.accounting(),
            live=live,
            newest=self._store.files.newest_event_time(),
            problems=tuple(changes.problems),
            watches=tuple(changes.watches.values()),
        )
        publish(update)
        self._unpublished = UnpublishedChanges(live)


def _one_by_one(reads: Iterator[FileRead]) -> Iterator[Sequence[FileRead]]:
    return ([read] for read in reads)


def _until(stop: threading.Event, tasks: Iterable[Task]) -> Iterator[Task]:
    for task in tasks:
        if stop.is_set():
            return
        yield task
