"""The retention: old windows without an alert are evicted.

A window is old once CloudTrail can deliver no more records for it. Alerts, everything the analyst
wrote and the rows of files are never evicted. The evicted buckets are recorded for each series as a
span. A late record for an evicted bucket cannot join its window, which is no longer complete: the
record is dropped and counted as late.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping, Set
from itertools import accumulate

import msgspec

from detector.detection.columns.event_columns import EventColumns
from detector.detection.correlate import SIGNAL_REACH
from detector.detection.event import KeptEvent, Match, Series
from detector.store.database import Database
from detector.store.files.file_packs import FileIds, packs_where
from detector.store.opening.connections import give_back_freed_pages
from detector.store.packing.segment import StoredRow, without_matches
from detector.store.packing.signal_rows import all_signals, change_signals
from detector.store.packing.state_query import query_of
from detector.store.segments.segment_table import SegmentTable
from detector.store.window_table import key_text, stored_series

RETENTION = 31 * 86_400
"""Seconds for which all windows are kept. CloudTrail retries delivery of a record for 30 days."""


class VacuumResult(msgspec.Struct, frozen=True):
    """The numbers of evicted rows, and the size of the state in bytes before and after."""

    hits: int
    events: int
    before: int
    after: int


class Retention:
    """The eviction of old windows."""

    def __init__(self, database: Database, segments: SegmentTable) -> None:
        self._database = database
        self._segments = segments

    def evict(self, retention: int) -> tuple[int, int]:
        """Evict the hits that are older than ``retention`` seconds; return (hits, events).

        A hit is old if its window ended more than ``retention`` before the newest event (or now, if
        that is earlier), and its file was read more than ``retention`` ago: nothing is old in an
        archive that was only just read. Hits in the window of an alert stay. The returned counts
        are evicted hits, and events deleted because nothing refers to them any more.
        """
        now = self._database.clock()
        newest = self._database.value("SELECT newest FROM progress")
        horizon, read_before = int(min(now, newest or 0) - retention), now - retention
        if not self._database.value(
            "SELECT EXISTS (SELECT 1 FROM file_pack WHERE first < ? AND read_at < ?)",
            horizon,
            read_before,
        ):
            return 0, 0
        with self._database.transaction() as connection:
            query = query_of(connection)
            old = _OldHits(connection, horizon, read_before)
            events = 0
            for span in self._segments.spans(query, -1 << 62, horizon):
                segment = self._segments.load(query, span.segment_id)
                kept = list(filter(None, map(old.without, segment.rows())))
                events += len(segment) - len(kept)
                if len(kept) < len(segment) or old.has_changed:
                    self._segments.replace(connection, span.segment_id, kept)
                    old.has_changed = False
            old.remember()
            old.forget_signals()
        return old.hits, events

    def evicted(self, connection: sqlite3.Connection) -> dict[Series, tuple[int, int]]:
        """Return the span of evicted buckets, (first, last) inclusive, of each series."""
        return {
            stored_series(rule_id, key): (first, last)
            for rule_id, key, first, last in connection.execute(
                "SELECT rule_id, key, gone_first, gone_last FROM series "
                "WHERE gone_first IS NOT NULL"
            )
        }

    def evicted_until(self, rule_id: str) -> int | None:
        """Return the time before which windows of a rule were evicted; None if none were."""
        until = self._database.value(
            "SELECT max((gone_last + 1) * width) FROM series WHERE rule_id = ?", rule_id
        )
        return None if until is None else int(until)

    def vacuum(self, retention: int) -> VacuumResult:
        """Evict old windows, and shrink the state file. Raises IngestHeld, ReadOnly."""
        self._database.take_ingest()
        with self._database.exclusive() as connection:
            before = self._bytes()
            hits, events = self.evict(retention)
            give_back_freed_pages(connection)  # states of older versions do not do so yet
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return VacuumResult(hits, events, before, self._bytes())

    def release_free_pages(self) -> None:
        """Return freed pages to the file system; this moves only pages at the end of the file."""
        with self._database.exclusive() as connection:
            connection.executescript("PRAGMA incremental_vacuum")  # one page each step

    def has_gaps(self) -> bool:
        """Tell whether any windows are incomplete, so that records must be checked against them."""
        return bool(
            self._database.value(
                "SELECT EXISTS (SELECT 1 FROM series WHERE gone_first IS NOT NULL) "
                "OR EXISTS (SELECT 1 FROM loaded_span)"
            )
        )

    def drop_expired(
        self,
        connection: sqlite3.Connection,
        rows: EventColumns,
        widths: Mapping[str, int],
    ) -> set[bytes]:
        """Remove the matches in evicted windows from ``rows``; return which rows lost any.

        ``widths`` are the bucket widths in seconds, by rule id. The events themselves stay, so that
        further copies are recognized as duplicates. Matches in the spans that a backfill has loaded
        are removed in the same way.
        """
        evicted = self.evicted(connection)
        loaded = connection.execute("SELECT first, until FROM loaded_span").fetchall()
        dropped: set[bytes] = set()
        if not evicted and not loaded:
            return dropped

        def is_evicted(time: int, match: Match) -> bool:
            series, _ = match
            first, last = evicted.get(series, (1, 0))
            is_in_bucket = first <= time // widths.get(series.rule_id, 1) <= last
            return is_in_bucket or any(start <= time < end for start, end in loaded)

        for identity, row in rows.items():
            left = without_matches(row, is_evicted)
            if left != row:
                rows[identity] = left
                dropped.add(identity)
        return dropped

    def add_loaded_span(self, connection: sqlite3.Connection, span: tuple[int, int]) -> None:
        """Record a span of event times, ``[first, until)``, whose windows are incomplete."""
        connection.execute("INSERT OR IGNORE INTO loaded_span VALUES (?, ?)", span)

    def count_late(
        self,
        connection: sqlite3.Connection,
        late: Set[bytes],
        rows: Mapping[bytes, KeptEvent],
        ids: FileIds,
    ) -> None:
        """Add the events that arrived too late for their windows to the counts of their files."""
        counts = Counter(rows[identity].position.source for identity in late)
        connection.executemany(
            "INSERT INTO late (file_id, count) VALUES (?, ?) "
            "ON CONFLICT DO UPDATE SET count = count + excluded.count",
            [(ids[path], count) for path, count in counts.items()],
        )

    def _bytes(self) -> int:
        pages = self._database.value("PRAGMA page_count")
        page_size = self._database.value("PRAGMA page_size")
        return int(pages) * int(page_size)


class _OldHits:
    """Decides which hits are evicted, and records them."""

    def __init__(self, connection: sqlite3.Connection, horizon: int, read_before: float) -> None:
        self._connection = connection
        self._horizon = horizon
        self._old_files = {
            row.file_id
            for pack in packs_where(query_of(connection), "read_at < ?", read_before)
            for row in pack.rows()
            if row.read_at < read_before
        }
        self._reach: dict[str, int | None] = dict(
            connection.execute("SELECT rule_id, reach FROM rule")
        )
        self._widths: dict[str, int] = dict(
            connection.execute("SELECT rule_id, width FROM rule_number")
        )
        self._alerts: dict[Series, list[tuple[int, int]]] = defaultdict(list)
        for rule_id, key, start, until in connection.execute(
            "SELECT rule_id, key, start, until FROM alert JOIN series USING (series_id) "
            "WHERE start < ?",
            (horizon,),
        ):
            self._alerts[stored_series(rule_id, key)].append((start, until))
        self._signals = _signals_in_use(connection)
        self._evicted: dict[Series, tuple[int, int]] = {}
        self.hits = 0
        self.has_changed = False

    def without(self, stored: StoredRow) -> StoredRow | None:
        """Return a row without its old matches; None if nothing of the row need be kept."""
        row = stored.row
        if stored.file_id in self._old_files:
            row = without_matches(row, self._is_old)
            if row != stored.row:
                self.has_changed = True
        is_used = row.matches or row.stale or stored.identity in self._signals
        if row.time < self._horizon and not is_used:
            return None
        return stored._replace(row=row)

    def remember(self) -> None:
        """Write the span of evicted buckets of each series.

        The span is widened by twice the rule's reach: a hit affects windows within one reach, and
        deriving such a window again needs the hits within one more reach.
        """
        rows = []
        for series, (lowest, highest) in self._evicted.items():
            width = self._widths[series.rule_id]
            margin = (2 * (self._reach.get(series.rule_id) or 0) + width - 1) // width
            rows.append(
                (series.rule_id, key_text(series), width, lowest - margin, highest + margin)
            )
        self._connection.executemany(
            "INSERT INTO series (rule_id, key, width, gone_first, gone_last) "
            "VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "gone_first = min(coalesce(gone_first, excluded.gone_first), excluded.gone_first), "
            "gone_last = max(coalesce(gone_last, excluded.gone_last), excluded.gone_last)",
            rows,
        )

    def forget_signals(self) -> None:
        """Delete the signals whose events were evicted."""

        def unless_evicted(time: int, identity: bytes) -> int | None:
            return time if time >= self._horizon or identity in self._signals else None

        change_signals(self._connection, unless_evicted)

    def _is_old(self, time: int, match: Match) -> bool:
        """Tell whether a match is old; if so, record its bucket and count it."""
        series, _ = match
        rule_id = series.rule_id
        width = self._widths.get(rule_id)
        if width is None or (rule_id in self._reach and self._reach[rule_id] is None):
            return False
        bucket = time // width
        start, until = bucket * width, (bucket + 1) * width
        if until > self._horizon or any(
            first < until and last > start for first, last in self._alerts.get(series, ())
        ):
            return False
        lowest, highest = self._evicted.get(series, (bucket, bucket))
        self._evicted[series] = min(lowest, bucket), max(highest, bucket)
        self.hits += 1
        return True


def _signals_in_use(connection: sqlite3.Connection) -> set[bytes]:
    """Return the identities of the signals near any alert, even one of another principal."""
    spans = [
        (start - SIGNAL_REACH, until + SIGNAL_REACH)
        for start, until in connection.execute("SELECT start, until FROM alert ORDER BY start")
    ]
    starts = [start for start, _ in spans]
    ends = list(accumulate((end for _, end in spans), max))
    in_use = set()
    for _, time, identity in all_signals(query_of(connection)):
        before = bisect_right(starts, time)
        if before and ends[before - 1] > time:
            in_use.add(identity)
    return in_use
