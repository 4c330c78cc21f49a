"""What was read and what it held: files, events, windows.

``commit`` writes the partials of some files and how far they are read in one transaction, and derives the alerts of
the windows that they touched in the same one: after a crash all of it is there, or the files are read again.
"""

from __future__ import annotations

import os
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from detector.cloudtrail.record import json_text
from detector.detection.baseline import ObservationSpans, observations
from detector.detection.derive import max_gap
from detector.detection.digest import Partial, merge
from detector.detection.window import WindowKey
from detector.rules.rule import Rule
from detector.rules.ruleset import RuleSet
from detector.sources.accounting import Accounting
from detector.sources.source import SourceFile
from detector.store.alert_table import Alerts, Changes
from detector.store.completeness import put_content
from detector.store.file_table import COLUMNS, FileRead, FileRow, file_id, put_files
from detector.store.retention import set_aside

_TELLING = frozenset({"account", "principal", "access-key", "changed-region"})
"""The kinds of sight that an alert's context rests on."""


class Ingest(Alerts):
    """The part of the store that the pipeline writes."""

    def use(self, rules: RuleSet) -> None:
        """Search by these rules from now on. A new or changed rule makes the files read so far due
        again.

        The windows of a changed rule are dropped, since they may not be what it says now; the
        analyst's decisions stay."""
        self._rules = {rule.rule_id: rule for rule in rules}
        self._mode = mode = rules.mode
        with self._writing() as db:
            held = {
                rule_id: rest
                for rule_id, *rest in db.execute("SELECT rule_id, fingerprint, mode FROM rule")
            }
            whole = {
                rule_id
                for (rule_id,) in db.execute(
                    "SELECT rule_id FROM rule EXCEPT SELECT rule_id FROM series WHERE gone_first IS NOT NULL"
                )
            }
            # Windows of which something was let go cannot be cut otherwise.
            fresh = [
                rule
                for rule in rules
                if held.get(rule.rule_id, [None])[0] != rule.fingerprint
                or (held[rule.rule_id][1] != mode and rule.rule_id not in whole)
            ]
            for rule in fresh:
                self._drop_windows(db, rule.rule_id)
            if any(rule.alerts for rule in fresh):
                db.execute("UPDATE progress SET generation = generation + 1")
            if any(rule.flag for rule in fresh) or held.keys() - self._rules.keys():
                db.execute("DELETE FROM signal")
                db.execute("UPDATE alert SET searched = -1, stale = 1")
            for rule in rules:
                if rule not in fresh and held[rule.rule_id][1] != mode:
                    self._derive_all(db, rule)
            db.execute("DELETE FROM rule")
            db.executemany(
                "INSERT INTO rule VALUES (?, ?, ?, ?)",
                [(rule.rule_id, rule.fingerprint, mode, max_gap(rule, mode)) for rule in rules],
            )
        self.generation = int(self._value("SELECT generation FROM progress"))

    def files(self) -> list[FileRow]:
        """All files ever found."""
        return [
            FileRow(SourceFile(os.fsdecode(path), device, inode, size, mtime_ns), *rest)
            for path, device, inode, size, mtime_ns, *rest in self._rows(
                f"SELECT {COLUMNS} FROM file"
            )
        ]

    def move(self, moved: Iterable[tuple[str, str]], lost: Iterable[str]) -> None:
        """Files that have a new path, (old, new), and files that are gone and will not be read
        further."""
        paths = [(os.fsencode(old), os.fsencode(new)) for old, new in moved]
        with self._writing() as db:
            # They may change places: each goes by way of a name that no file can have.
            db.executemany(
                "UPDATE file SET path = ? WHERE path = ?",
                [(b"\0" + new, old) for old, new in paths],
            )
            for _, new in paths:
                self._absorb(db, b"\0" + new, new)
            db.executemany(
                "UPDATE file SET path = ? WHERE path = ?", [(new, b"\0" + new) for _, new in paths]
            )
            db.executemany(
                "DELETE FROM content WHERE path IN (?, ?)", paths
            )  # hashed again where it matters
            for path in map(os.fsencode, lost):
                db.execute("DELETE FROM file WHERE path = ? AND seen = 0", (path,))
                db.execute(
                    "UPDATE file SET state = 'read', reason = NULL, detail = NULL WHERE path = ?",
                    (path,),
                )

    def _absorb(self, db: sqlite3.Connection, path: bytes, replaced: bytes) -> None:
        """What had been read of a file that another replaces stays counted, as with one whose
        content is replaced."""
        (file_id,) = db.execute("SELECT file_id FROM file WHERE path = ?", (path,)).fetchone()
        found = db.execute(
            "SELECT file_id, seen, duplicate FROM file WHERE path = ?", (replaced,)
        ).fetchone()
        if found is None:
            return
        old, seen, duplicate = found
        db.execute("UPDATE event SET file_id = ? WHERE file_id = ?", (file_id, old))
        db.execute(
            "INSERT INTO file_count SELECT ?, kind, reason, count FROM file_count WHERE file_id = ? "
            "ON CONFLICT DO UPDATE SET count = count + excluded.count",
            (file_id, old),
        )
        db.execute(
            "UPDATE file SET seen = seen + ?, duplicate = duplicate + ? WHERE file_id = ?",
            (seen, duplicate, file_id),
        )
        db.execute(
            "INSERT INTO late SELECT ?, count FROM late WHERE file_id = ? "
            "ON CONFLICT DO UPDATE SET count = count + excluded.count",
            (file_id, old),
        )
        db.execute("DELETE FROM file_count WHERE file_id = ?", (old,))
        db.execute("DELETE FROM file WHERE file_id = ?", (old,))

    def commit(self, reads: Sequence[FileRead], newest_allowed: float = float("inf")) -> Changes:
        """Keep what was read, with the files' new places, and what follows: all of it or nothing.

        Event times after ``newest_allowed`` count, but do not move the watermark.
        """
        union = merge(read.partial for read in reads)
        with self._writing() as db:
            put_files(db, reads, self._clock())
            for read in reads:
                put_content(db, read.file.path, read, self._clock())
            again = {read.file.path for read in reads if read.reread}
            set_aside(db, union, again)
            revised = self._put_events(db, union, again)
            touched = self._put_hits(db, union)
            self._touch(db, revised, touched)
            self._put_sights(db, observations(union.observations))
            newest = max(
                (
                    time
                    for span in union.observations.values()
                    for time in span
                    if time <= newest_allowed
                ),
                default=None,
            )
            if newest is not None:
                db.execute("UPDATE progress SET newest = max(coalesce(newest, ?1), ?1)", (newest,))
            return self._derive(db, touched)

    def newest(self) -> int | None:
        """The newest event time read, in seconds since the epoch."""
        found = self._value("SELECT newest FROM progress")
        return None if found is None else int(found)

    def accounting(self) -> Accounting:
        """The sums of everything read into this state."""
        states: dict[str, Counter[str]] = defaultdict(Counter)
        seen = duplicate = 0
        for state, reason, files, records, copies in self._rows(
            "SELECT state, reason, count(*), sum(seen), sum(duplicate) FROM file GROUP BY state, reason"
        ):
            states[state][reason or ""] += files
            seen += records
            duplicate += copies
        counts: dict[str, dict[str, int]] = {"skipped": {}, "rejected": {}}
        for kind, reason, count in self._rows(
            "SELECT kind, reason, sum(count) FROM file_count GROUP BY kind, reason"
        ):
            counts[kind][reason] = count
        return Accounting(
            files_read=states["read"].total(),
            files_waiting=states["waiting"].total(),
            files_skipped=dict(states["skipped"]),
            files_quarantined=dict(states["quarantined"]),
            records_seen=seen,
            records_duplicate=duplicate,
            records_skipped=counts["skipped"],
            records_rejected=counts["rejected"],
            late_dropped=int(self._value("SELECT coalesce(sum(count), 0) FROM late")),
        )

    def _put_sights(self, db: sqlite3.Connection, spans: ObservationSpans) -> None:
        """Widen the baseline, and mark the alerts for which its past has changed."""
        for (kind, who, what), (first, _) in spans.items():
            if (
                kind in _TELLING
                and not db.execute(
                    "SELECT 1 FROM sight WHERE kind = ? AND who = ? AND what = ? AND first <= ?",
                    (kind, who, what, first),
                ).fetchone()
            ):
                db.execute(
                    "UPDATE alert SET stale = 1 WHERE until > ? AND alert_id IN "
                    "(SELECT alert_id FROM alert_who WHERE who = ?)",
                    (first, who),
                )
        db.executemany(
            "INSERT INTO sight VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "first = min(first, excluded.first), last = max(last, excluded.last) "
            "WHERE excluded.first < first OR excluded.last > last",
            [(*sight, *span) for sight, span in spans.items()],
        )

    def _put_events(self, db: sqlite3.Connection, union: Partial, again: set[str]) -> list[bytes]:
        """Keep the events, and count as duplicates the hits beyond the first of each; which events
        differ now.

        An event that a re-read file brought from the same place the last time is no duplicate.
        """
        revised = []
        brought: Counter[str] = Counter()
        for (source, _), tally in union.chunks.items():
            brought[source] += tally.hits
        ids = {
            source: file_id(db, source)
            for source in {event.position.source for event in union.events.values()}
        }
        for name, event in union.events.items():
            source = event.position.source
            put = self._put_event(db, name, event, ids[source])
            here = (ids[source], event.position.offset, event.position.index)
            if put.known_at is None or (source in again and put.known_at == here):
                brought[source] -= 1
            if put.revised:
                revised.append(name)
        db.executemany(
            "UPDATE file SET duplicate = duplicate + ? WHERE path = ?",
            [(count, os.fsencode(path)) for path, count in brought.items() if count],
        )
        return revised

    def _touch(
        self, db: sqlite3.Connection, revised: Iterable[bytes], touched: dict[int, set[int]]
    ) -> None:
        """Two records that claim one identity and differ are rare enough to look through all
        windows and signals."""
        for name in revised:
            spoken_of = db.execute(
                "DELETE FROM signal WHERE identity = ? RETURNING alert_id", (name,)
            ).fetchall()
            db.executemany(
                "UPDATE alert SET searched = -1, stale = 1 WHERE alert_id = ?", spoken_of
            )
            for series, bucket, width in db.execute(
                "SELECT series_id, bucket, width FROM rule JOIN series USING (rule_id) JOIN hit USING (series_id) "
                "WHERE identity = ? AND bucket NOT BETWEEN coalesce(gone_first, 1) AND coalesce(gone_last, 0)",
                (name,),
            ).fetchall():
                touched[series].add(bucket)
                db.execute(
                    "UPDATE alert SET searched = -1, stale = 1 WHERE series_id = ? AND start < ? AND until > ?",
                    (series, (bucket + 1) * width, bucket * width),
                )

    def _put_hits(self, db: sqlite3.Connection, union: Partial) -> dict[int, set[int]]:
        """Grow the windows; which buckets of which series were touched."""
        touched: dict[int, set[int]] = defaultdict(set)
        for key, hits in union.hits.items():
            if key.rule_id not in self._rules:
                continue  # a worker that started while rule files changed knew one more
            series = self._series(db, key)
            before = db.total_changes
            db.executemany(
                "INSERT INTO hit VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET inputs = excluded.inputs "
                "WHERE excluded.inputs < inputs",
                [
                    (series, key.bucket, name, msgspec.msgpack.encode(inputs))
                    for name, inputs in hits.items()
                ],
            )
            if db.total_changes != before:
                touched[series].add(key.bucket)
        return touched

    def _series(self, db: sqlite3.Connection, key: WindowKey) -> int:
        text = json_text(list(key.key))
        found = db.execute(
            "SELECT series_id FROM series WHERE rule_id = ? AND key = ?", (key.rule_id, text)
        ).fetchone()
        if found is None:
            width = self._rules[key.rule_id].query.window or 1
            found = db.execute(
                "INSERT INTO series (rule_id, key, width) VALUES (?, ?, ?) RETURNING series_id",
                (key.rule_id, text, width),
            ).fetchone()
        return int(found[0])

    def _drop_windows(self, db: sqlite3.Connection, rule_id: str) -> None:
        for table in ("hit", "alert"):
            db.execute(
                f"DELETE FROM {table} WHERE series_id IN (SELECT series_id FROM series WHERE rule_id = ?)",
                (rule_id,),
            )
        db.execute("DELETE FROM series WHERE rule_id = ?", (rule_id,))

    def _derive_all(self, db: sqlite3.Connection, rule: Rule) -> None:
        """The windows stay, but are cut otherwise: tumbling or sliding."""
        db.execute(
            "DELETE FROM alert WHERE series_id IN (SELECT series_id FROM series WHERE rule_id = ?)",
            (rule.rule_id,),
        )
        touched: dict[int, set[int]] = defaultdict(set)
        for series, bucket in db.execute(
            "SELECT DISTINCT series_id, bucket FROM hit JOIN series USING (series_id) "
            "WHERE rule_id = ?",
            (rule.rule_id,),
        ):
            touched[series].add(bucket)
        self._derive(db, touched)
