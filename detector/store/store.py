"""The store: the parts of one state, and the operations that involve several parts."""

from __future__ import annotations

import contextlib
import functools
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from detector.detection.baseline import ObservationSpans
from detector.detection.digest import Partial, merge
from detector.rules.ruleset import RuleSet
from detector.store.activity.principal_activity_table import PrincipalActivityTable
from detector.store.alert_table import AlertTable
from detector.store.baseline_table import BaselineTable
from detector.store.chunk_table import ChunkTable
from detector.store.completeness import Completeness
from detector.store.context_table import ContextTable
from detector.store.database import Database
from detector.store.decisions.triage_table import TriageTable
from detector.store.decisions.undo_journal import ALERT_KINDS, UndoJournal, UndoResult
from detector.store.decisions.watch_table import WatchTable
from detector.store.derivation.alert_derivation import AlertDerivation
from detector.store.event_table import EventTable
from detector.store.file_table import (
    FileRead,
    FileTable,
    add_duplicates,
    clear_places,
    count_standing,
)
from detector.store.files.file_edits import FileEdits
from detector.store.history_table import HistoryTable
from detector.store.integrity_alerts import IntegrityAlerts
from detector.store.packing.packed_hits import PackedHits
from detector.store.quarantine import Quarantine
from detector.store.recovery import Recovery
from detector.store.retention import Retention
from detector.store.rule_table import RuleTable
from detector.store.segments.segment_table import SegmentTable
from detector.store.signals.signal_table import SignalTable
from detector.store.suppression_table import SuppressionTable
from detector.store.window_table import WindowTable

if TYPE_CHECKING:
    from detector.store.decisions.decision_exchange import DecisionExchange
    from detector.store.decisions.hunt_table import HuntTable


class _Prepared(NamedTuple):
    """Reads that are ready to be written; ``to_search`` are chunks that watches must search."""

    reads: Sequence[FileRead]
    partial: Partial
    packed: Sequence[PackedHits]
    newest: int | None
    to_search: Sequence[tuple[str, int]]


class Store:
    """One state, safe for use by several threads."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.history = HistoryTable(database)
        self.journal = UndoJournal(database, self.history)
        segments = SegmentTable(database)
        self.files = FileTable(database, segments)
        self.chunks = ChunkTable(database)
        self.events = EventTable(database, segments)
        self.windows = WindowTable(database, segments)
        self.retention = Retention(database, segments)
        self.baseline = BaselineTable(database)
        self.activity = PrincipalActivityTable(database)
        self.watches = WatchTable(database, self.journal, self.history)
        self.rules = RuleTable(database, self.journal)
        self.suppressions = SuppressionTable(database, self.history)
        self.signals = SignalTable(database, self.events)
        self.alerts = AlertTable(database, self.windows, self.suppressions)
        self.derivation = AlertDerivation(
            database,
            self.history,
            self.rules,
            segments,
            self.windows,
            self.retention,
            self.alerts,
            self.suppressions,
        )
        self.context = ContextTable(
            database,
            self.rules,
            self.events,
            self.signals,
            self.windows,
            self.alerts,
            self.suppressions,
        )
        self.triage = TriageTable(database, self.journal, self.alerts, self.suppressions)
        self.quarantine = Quarantine(database, self.journal)
        self.completeness = Completeness(database)
        self.integrity_alerts = IntegrityAlerts(
            database, self.history, self.completeness, self.alerts, self.suppressions
        )
        self.recovery = Recovery(database)

    @classmethod
    def open(
        cls,
        path: Path | None,
        clock: Callable[[], float] = time.time,
        author: str | None = None,
    ) -> Store:
        """Open or create a state; open it read-only if it may not be written.

        ``path`` None: a temporary state, deleted when it is closed. ``author`` None: the system
        user. Raises StateError.
        """
        with contextlib.ExitStack() as cleanup:
            store = cls(Database.open(path, clock, author))
            cleanup.callback(store.close)
            if not store.read_only:
                store.suppressions.record_expired()
            cleanup.pop_all()
        return store

    @classmethod
    def look(cls, path: Path) -> Store:
        """Open an existing state read-only, even where its folder is not writable.

        Raises StateError.
        """
        return cls(Database.look(path))

    @functools.cached_property
    def hunts(self) -> HuntTable:
        """The records of hunts; imported on demand, since no scan needs them."""
        from detector.store.decisions.hunt_table import HuntTable

        return HuntTable(self.database, self.journal)

    @functools.cached_property
    def exchange(self) -> DecisionExchange:
        """The exchange of decisions; imported on demand, since few commands need it."""
        from detector.store.decisions.decision_exchange import DecisionExchange

        return DecisionExchange(
            self.database, self.triage, self.suppressions, self.watches, self.hunts
        )

    @property
    def path(self) -> Path | None:
        return self.database.path

    @property
    def holder(self) -> str | None:
        """The other process that is ingesting; None if there is none."""
        return self.database.holder

    @property
    def read_only(self) -> bool:
        """Whether the state may only be read."""
        return self.database.read_only

    @property
    def author(self) -> str:
        """The name under which decisions are recorded."""
        return self.database.author

    def take_ingest(self) -> None:
        """Become the ingesting process until ``close``. Raises IngestHeld, StateError."""
        self.database.take_ingest()

    def close(self) -> None:
        """Close the state. Closing twice is allowed."""
        self.database.close()

    def version(self) -> int:
        """Return a number that changes with each write by another process."""
        return self.database.version()

    def use(self, rules: RuleSet) -> None:
        """Search with these rules from now on.

        A new or changed rule makes all files due to be searched again. The windows of a changed
        rule are deleted, since its new version may give other windows; the analyst's decisions
        stay. Raises IngestHeld, StateError.
        """
        self.take_ingest()
        self.rules.in_use = {rule.rule_id: rule for rule in rules}
        self.rules.mode = rules.mode
        with self.database.transaction() as connection:
            changes = self.rules.compare(connection, rules)
            for rule in changes.new:
                self.windows.drop_rule(connection, rule.rule_id)
            if any(rule.alerts for rule in changes.new):
                self.files.require_new_search(connection)
            if changes.any_removed or any(rule.flag for rule in changes.new):
                self.signals.clear(connection)
            for rule in changes.recut:
                self.derivation.forget_rule(connection, rule)
            self.rules.replace(connection, rules)
        if changes.recut:
            self.derivation.derive()
        self.rules.generation = self.files.generation()

    def commit(self, reads: Sequence[FileRead], newest_allowed: float = float("inf")) -> None:
        """Write what was read, in one transaction.

        After a crash either everything is stored, or the files are read again.
        ``derivation.derive`` then derives the alerts; until it does, the new segments stay marked
        as fresh, even across a crash. Events after ``newest_allowed`` (epoch seconds) are counted,
        but do not advance the newest event time. Raises IngestHeld, StateError.
        """
        self.take_ingest()
        prepared = self._prepare(reads, newest_allowed)
        with self.database.transaction() as connection:
            edits = FileEdits(connection)
            self._write(connection, edits, prepared)
            edits.write()
        self.baseline.learn(prepared.partial.observations)

    def load(
        self,
        reads: Sequence[FileRead],
        standing: Mapping[str, int],
        span: tuple[int, int] | None,
        newest_allowed: float = float("inf"),
    ) -> None:
        """Write the folders that a backfill has read, in one transaction, after their events.

        ``standing`` is the number of hits in each folder that are not copies of others, by path.
        ``span``: event times ``[first, until)`` for which only the hits of alerts were kept; None
        if all were kept. Raises IngestHeld, StateError.
        """
        self.take_ingest()
        prepared = self._prepare(reads, newest_allowed)
        with self.database.transaction() as connection:
            edits = FileEdits(connection)
            clear_places(edits)
            self._write(connection, edits, prepared)
            count_standing(edits, standing)
            edits.write()
            if span is not None:
                self.retention.add_loaded_span(connection, span)

    def extend_baseline(self, spans: ObservationSpans) -> None:
        """Add observations to the baseline. Raises IngestHeld, StateError."""
        self.take_ingest()
        with self.database.transaction() as connection:
            self.baseline.extend(connection, spans)

    def _prepare(self, reads: Sequence[FileRead], newest_allowed: float) -> _Prepared:
        partial = merge(read.partial for read in reads)
        packed = self._whole_packs(reads, partial)
        return _Prepared(
            reads,
            partial,
            packed,
            _newest_time(partial, newest_allowed),
            self.watches.worthwhile(reads),
        )

    def _whole_packs(self, reads: Sequence[FileRead], partial: Partial) -> Sequence[PackedHits]:
        """Return the packed hits that can be written unchanged; add the others to ``partial``.

        Events that may be copies, or that may fall into evicted windows, must be checked one by
        one."""
        packed = [read.packed for read in reads if read.packed is not None]
        if not packed:
            return packed
        has_gaps = self.retention.has_gaps()
        whole = []
        for hits, is_new in zip(packed, self.events.are_new(packed, partial.hits), strict=True):
            if is_new and not has_gaps and hits.rules() <= self.rules.in_use.keys():
                whole.append(hits)
                continue
            for identity, event in hits.events():
                partial.add_hit(identity, event)
        return whole

    def _write(self, connection: sqlite3.Connection, edits: FileEdits, prepared: _Prepared) -> None:
        reads, partial, packed, newest, to_search = prepared
        reread = {read.file.path for read in reads if read.reread}
        ids = self.files.put(connection, edits, reads)
        self.completeness.put(connection, reads)
        expired = self.retention.drop_expired(connection, partial.hits, self.rules.widths())
        written, duplicates = self.events.put(
            connection, partial.hits, self.rules.in_use, reads, packed, ids
        )
        late = {
            identity
            for identity in expired - written.known
            if partial.hits[identity].position.source not in reread
        }
        self.retention.count_late(connection, late, partial.hits, ids)
        add_duplicates(edits, duplicates)
        self.signals.forget(connection, written.revised.keys())
        self.derivation.mark_revised(connection, written.revised)
        self.baseline.put(connection, partial.observations)
        self.baseline.mark_selections(connection, (read.file.path for read in reads))
        self.activity.append(connection, reads)
        self.watches.append(connection, to_search, ids)
        if newest is not None:
            self.files.advance_newest(connection, newest)

    def undo(self) -> UndoResult | None:
        """Undo the current user's latest decision; return None if there is none."""
        return self._undo_or_redo(self.journal.undo)

    def redo(self) -> UndoResult | None:
        """Redo the decision that was undone last; return None if another decision followed."""
        return self._undo_or_redo(self.journal.redo)

    def _undo_or_redo(
        self, step: Callable[[sqlite3.Connection], UndoResult | None]
    ) -> UndoResult | None:
        with self.database.transaction() as connection:
            result = step(connection)
            if result and not result.kinds.isdisjoint(ALERT_KINDS):
                alerts = self.alerts.read(connection, result.subjects)
                result = msgspec.structs.replace(result, alerts=list(alerts))
        if result and "suppression" in result.kinds:
            self.triage.record_hidden()
        return result


def _newest_time(partial: Partial, allowed: float) -> int | None:
    """Return the newest event time up to ``allowed`` that the spans show; None if there is none."""
    of_chunks = [(stats.first, stats.last) for stats in partial.chunks.values()]
    times = [time for time in chain.from_iterable(of_chunks) if time is not None]
    if times and max(times) > allowed:
        times += chain.from_iterable(partial.observations.observations().values())
    return max((time for time in times if time <= allowed), default=None)
