"""The retention: old windows without an alert are evicted.

A window is old once CloudTrail can deliver no more records for it. Nothing of an alert is evicted,
nor of what the analyst wrote, nor of which files were read. What was evicted is remembered for each
series as a span of buckets. A record that comes for one of these later cannot be put into its
window, which is no longer whole: it changes nothing, and is counted as late and dropped.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator, Set

import msgspec

from detector.cloudtrail.record import json_text
from detector.detection.digest import Partial
from detector.store.database import Database

RETENTION = 31 * 86_400
"""Seconds for which all windows are kept. CloudTrail tries for 30 days to deliver a record."""


class VacuumResult(msgspec.Struct, frozen=True):
    """The evicted rows, and the size in bytes ``before`` and ``after``."""

    hits: int
    events: int
    before: int
    after: int


class Retention:
    """The eviction of old windows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def evict(self, retention: int) -> tuple[int, int]:
        """Evict the hits that are older than ``retention`` seconds; return (hits, events).

        A hit is older where its window ended so long before the newest event, and its file was read
        as long ago: in an archive that was only just read nothing is old. Hits in the window of an
        alert stay. The events are those that nothing refers to any more.
        """
        now = self._database.clock()
        newest = self._database.value("SELECT newest FROM progress")
        horizon, read_before = min(now, newest or 0) - retention, now - retention
        if not self._database.value(
            "SELECT EXISTS (SELECT 1 FROM file WHERE first < ? AND read_at < ?)",
            horizon,
            read_before,
        ):
            return 0, 0
        with self._without_reference_checks(), self._database.transaction() as connection:
            connection.execute(f"CREATE TEMP TABLE old AS {_OLD_HITS}", (horizon, read_before))
            connection.execute(_REMEMBER_EVICTED)
            hits = connection.execute(
                "DELETE FROM hit WHERE (series_id, bucket, identity) IN "
                "(SELECT series_id, bucket, identity FROM old)"
            ).rowcount
            events = connection.execute(
                "DELETE FROM event WHERE time < ? AND identity NOT IN "
                "(SELECT identity FROM hit UNION ALL SELECT identity FROM signal)",
                (horizon,),
            ).rowcount
            connection.execute("DROP TABLE old")
        return hits, events

    def vacuum(self, retention: int) -> VacuumResult:
        """Evict old windows, and give the space back. Raises IngestHeld, ReadOnly."""
        self._database.take_ingest()
        with self._database.exclusive() as connection:
            before = self._bytes()
            hits, events = self.evict(retention)
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return VacuumResult(hits, events, before, self._bytes())

    def drop_expired(
        self, connection: sqlite3.Connection, partial: Partial, reread: Set[str]
    ) -> None:
        """Remove hits of evicted windows from ``partial``; count them as late.

        The events stay, so that further copies are known as such. The events of ``reread`` files
        had been in these windows, and are not late.
        """
        if not connection.execute(
            "SELECT EXISTS (SELECT 1 FROM series WHERE gone_first IS NOT NULL)"
        ).fetchone()[0]:
            return
        dropped: set[bytes] = set()
        for key in list(partial.hits):
            if connection.execute(
                "SELECT 1 FROM series WHERE rule_id = ? AND key = ? "
                "AND ? BETWEEN gone_first AND gone_last",
                (key.rule_id, json_text(list(key.key)), key.bucket),
            ).fetchone():
                dropped.update(partial.hits.pop(key))
        late: Counter[str] = Counter()
        for identity in dropped:
            path = partial.events[identity].position.source
            stored = connection.execute(
                "SELECT 1 FROM event WHERE identity = ?", (identity,)
            ).fetchone()
            if stored is None and path not in reread:
                late[path] += 1
        connection.executemany(
            "INSERT INTO late (file_id, count) SELECT file_id, ? FROM file WHERE path = ? "
            "ON CONFLICT DO UPDATE SET count = count + excluded.count",
            [(count, os.fsencode(path)) for path, count in late.items()],
        )

    def _bytes(self) -> int:
        pages = self._database.value("PRAGMA page_count")
        page_size = self._database.value("PRAGMA page_size")
        return int(pages) * int(page_size)

    @contextlib.contextmanager
    def _without_reference_checks(self) -> Iterator[None]:
        """Switch foreign keys off for a while.

        For each event that is deleted, SQLite would search all hits.
        """
        with self._database.exclusive() as connection:
            connection.execute("PRAGMA foreign_keys = OFF")
            try:
                yield
            finally:
                connection.execute("PRAGMA foreign_keys = ON")


_OLD_HITS = """
SELECT series_id, bucket, identity FROM hit JOIN series s USING (series_id)
LEFT JOIN rule r USING (rule_id) JOIN event USING (identity) JOIN file USING (file_id)
WHERE (bucket + 1) * width <= ? AND read_at < ? AND (r.rule_id IS NULL OR reach IS NOT NULL)
    AND NOT EXISTS (SELECT 1 FROM alert a WHERE a.series_id = s.series_id
                    AND start < (bucket + 1) * width AND until > bucket * width)
"""

# Hits affect windows as far away as the rule's reach, and a window that such a hit touches is
# derived again as far once more: hence twice the reach.
_REMEMBER_EVICTED = """
UPDATE series SET gone_first = min(coalesce(gone_first, lowest), lowest),
    gone_last = max(coalesce(gone_last, highest), highest)
FROM (SELECT series_id AS id, min(bucket) - margin AS lowest, max(bucket) + margin AS highest
      FROM old JOIN (SELECT series_id, (2 * coalesce(reach, 0) + width - 1) / width AS margin
                     FROM series LEFT JOIN rule USING (rule_id)) USING (series_id)
      GROUP BY series_id)
WHERE series_id = id
"""
