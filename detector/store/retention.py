"""What the state lets go: windows that came to nothing, once CloudTrail can deliver no more of what was in them.

Nothing of an alert goes, nor of what the analyst wrote, nor of which files were read. What goes is remembered per
series as a span of buckets. A record that comes for one of these later cannot be put into its window, since that is no
longer whole: it changes nothing, and is counted as late and unmerged.
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
from detector.store.database import State
from detector.store.errors import told

RETENTION = 31 * 86_400
"""Seconds for which all windows are kept. CloudTrail tries for 30 days to deliver a record."""


class Compacted(msgspec.Struct, frozen=True):
    """What was let go, and the bytes that the state took before and takes now."""

    hits: int
    events: int
    before: int
    after: int


class Retention(State):
    """The part of the store that forgets."""

    def let_go(self, retention: int) -> tuple[int, int]:
        """Let go of hits that are more than ``retention`` seconds older than the newest event, and
        were read as long ago, but for those in an alert's window; how many hits, and how many
        events that nothing needs any more.

        In an archive that was only just read nothing is old.
        """
        now = self._clock()
        newest = self._value("SELECT newest FROM progress")
        horizon, read_before = min(now, newest or 0) - retention, now - retention
        if not self._value(
            "SELECT EXISTS (SELECT 1 FROM file WHERE first < ? AND read_at < ?)",
            horizon,
            read_before,
        ):
            return 0, 0
        with self._unreferenced(), self._writing() as db:
            db.execute(f"CREATE TEMP TABLE old AS {_OLD}", (horizon, read_before))
            db.execute(_REMEMBER)
            hits = db.execute(
                "DELETE FROM hit WHERE (series_id, bucket, identity) IN "
                "(SELECT series_id, bucket, identity FROM old)"
            ).rowcount
            events = db.execute(
                "DELETE FROM event WHERE time < ? AND identity NOT IN "
                "(SELECT identity FROM hit UNION ALL SELECT identity FROM signal)",
                (horizon,),
            ).rowcount
            db.execute("DROP TABLE old")
        return hits, events

    def compact(self, retention: int) -> Compacted:
        """Let go of what is old, and give the space back to the disk. Raises ReadOnly."""
        db = self._own()
        before = self._bytes()
        hits, events = self.let_go(retention)
        with self._write_lock, told(self.path):
            db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return Compacted(hits, events, before, self._bytes())

    def _bytes(self) -> int:
        pages, size = self._value("PRAGMA page_count"), self._value("PRAGMA page_size")
        return int(pages) * int(size)

    @contextlib.contextmanager
    def _unreferenced(self) -> Iterator[None]:
        """References are not checked: for each event that goes, SQLite would look through all
        hits."""
        with self._write_lock:
            db = self._own()
            db.execute("PRAGMA foreign_keys = OFF")
            try:
                yield
            finally:
                db.execute("PRAGMA foreign_keys = ON")


_OLD = """
SELECT series_id, bucket, identity FROM hit JOIN series s USING (series_id) LEFT JOIN rule r USING (rule_id)
JOIN event USING (identity) JOIN file USING (file_id)
WHERE (bucket + 1) * width <= ? AND read_at < ? AND (r.rule_id IS NULL OR reach IS NOT NULL) AND NOT EXISTS
    (SELECT 1 FROM alert a WHERE a.series_id = s.series_id AND start < (bucket + 1) * width AND until > bucket * width)
"""

# Hits tell on windows as far as the rule reaches, and what touches one of those is derived again as
# far once more.
_REMEMBER = """
UPDATE series SET gone_first = min(coalesce(gone_first, lowest), lowest), gone_last = max(coalesce(gone_last, highest),
    highest)
FROM (SELECT series_id AS id, min(bucket) - margin AS lowest, max(bucket) + margin AS highest FROM old
      JOIN (SELECT series_id, (2 * coalesce(reach, 0) + width - 1) / width AS margin
            FROM series LEFT JOIN rule USING (rule_id)) USING (series_id) GROUP BY series_id)
WHERE series_id = id
"""


def set_aside(db: sqlite3.Connection, union: Partial, again: Set[str]) -> None:
    """Take out of ``union`` the hits that come for windows that were let go, and count the records
    for their files.

    The events stay, so that further copies are known as such. Those of files that are read
    ``again`` had been in these windows."""
    if not db.execute(
        "SELECT EXISTS (SELECT 1 FROM series WHERE gone_first IS NOT NULL)"
    ).fetchone()[0]:
        return
    aside: set[bytes] = set()
    for key in list(union.hits):
        if db.execute(
            "SELECT 1 FROM series WHERE rule_id = ? AND key = ? AND ? BETWEEN gone_first AND gone_last",
            (key.rule_id, json_text(list(key.key)), key.bucket),
        ).fetchone():
            aside.update(union.hits.pop(key))
    late: Counter[str] = Counter()
    for name in aside:
        source = union.events[name].position.source
        known = db.execute("SELECT 1 FROM event WHERE identity = ?", (name,)).fetchone()
        late[source] += known is None and source not in again
    db.executemany(
        "INSERT INTO late SELECT file_id, ? FROM file WHERE path = ? "
        "ON CONFLICT DO UPDATE SET count = count + excluded.count",
        [(count, os.fsencode(path)) for path, count in late.items() if count],
    )
