"""The completeness of the log files, judged by digests and by delivery cadence.

Digest files prove completeness. Without them the cadence is the evidence: a region that used to
deliver a file every few minutes and has been silent for hours deserves a look. Nothing is decided
while files are being read; all findings are computed from the stored state.
"""

from __future__ import annotations

import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec

from detector.cloudtrail.object_key import DIGEST, TRAIL, TrailFile, trail_file
from detector.detection.log_integrity import IntegrityFinding
from detector.esql.functions.median import median_of
from detector.sources.time_bounds import Bounds
from detector.store.database import Database, raises_damaged
from detector.store.file_table import FileRead
from detector.store.files.file_packs import all_files

PATIENCE = 3600
"""Seconds after which a file named by a digest counts as missing, while files still arrive."""

_DIGESTS_STOPPED = 3 * 3600


class Freshness(msgspec.Struct, frozen=True):
    """The deliveries for one region of one account. Times are in epoch seconds.

    ``cadence`` is the median number of seconds between deliveries; None if there were too few.
    """

    account: str
    region: str
    files: int
    bytes: int
    records: int
    failed: int
    newest: int
    cadence: float | None
    proven: bool
    """Whether a digest covers the newest delivery; an absent file then was never delivered."""
    digested: int | None = None
    """When the newest digest was delivered. Digests come every hour, even without any activity."""

    def silent(self, now: float) -> float:
        """Return the seconds since the newest delivery."""
        return max(0.0, now - self.newest)

    def late(self, now: float) -> bool:
        """Tell whether the silence exceeds both six times the cadence and half an hour."""
        return self.cadence is not None and self.silent(now) > max(1800.0, 6 * self.cadence)

    def vouched(self, now: float) -> bool:
        """Tell whether digests still arrive and prove that everything was delivered."""
        return self.proven and self.digested is not None and now - self.digested < _DIGESTS_STOPPED


def reference_time(regions: Sequence[Freshness], now: float) -> float:
    """Return the time against which silence is measured.

    This is ``now``, or the newest delivery in an archive, where all deliveries are old.
    """
    newest = max((region.newest for region in regions), default=now)
    return newest if now - newest > _ARCHIVE else now


_ARCHIVE = 86_400.0
"""Seconds without any delivery after which a trail is an archive rather than a silent trail."""


class Feed(msgspec.Struct, frozen=True):
    """A file of EventBridge events.

    Without any read-only event the hunt is blind, however quiet the feed looks.
    """

    path: str
    records: int
    read_only: int

    @property
    def blind(self) -> bool:
        return self.records > 0 and not self.read_only

    def __str__(self) -> str:
        return (
            f"blind: {self.path}: an EventBridge feed without one read-only event, "
            "so without DescribeInstances: "
            "set the rule's state to ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
        )


class Volume(msgspec.Struct, frozen=True):
    """The files from one origin.

    The origin is the part of the path above ``AWSLogs``, or the file's folder if there is none.
    ``newest`` is the newest event time (epoch seconds), None if no record had one.
    """

    origin: str
    files: int
    bytes: int
    records: int
    failed: int
    waiting: int
    newest: int | None


class Completeness:
    """The evidence for missing log files."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def has_digests(self) -> bool:
        """Tell whether any digest file has been read."""
        return bool(self._database.value("SELECT EXISTS (SELECT 1 FROM named)"))

    @raises_damaged
    def unhashed_files(self) -> list[str]:
        """Return the paths of files that were read, unhashed, before a digest named them."""
        rows = self._database.rows("SELECT name FROM named EXCEPT SELECT name FROM content")
        names = {name for (name,) in rows}
        if not names:
            return []
        return [
            path
            for path, row in all_files(self._database.rows)
            if (row.state == "read" or row.reason == "digest") and _base_name(path) in names
        ]

    def add_hashes(self, hashes: Iterable[tuple[str, bytes]]) -> None:
        """Write (path, SHA-256 of the content) pairs."""
        with self._database.transaction() as connection:
            _put_hashes(connection, hashes)

    @raises_damaged
    def findings(self, final: bool = False, bounds: Bounds | None = None) -> list[IntegrityFinding]:
        """Return the log files that are missing or modified, in order of name.

        ``final``: no more files will arrive. With ``bounds``, only files within them are reported.
        """
        rows = self._database.rows(
            "SELECT n.name, n.key, n.digest, n.oldest, n.newest, c.path, n.named_at FROM named n "
            "LEFT JOIN content c ON c.name = n.name WHERE NOT EXISTS "
            "(SELECT 1 FROM named o JOIN content d ON d.name = o.name AND d.sha256 = o.sha256 "
            "WHERE o.name = n.name) GROUP BY n.name ORDER BY n.name"
        )
        present = self._present_names() if rows else set()
        first_digests = _first_digests(present)
        findings = []
        for name, key, digest, oldest, newest, path, named_at in rows:
            is_due = final or self._database.clock() - named_at > PATIENCE
            if path is None and (name in present or not is_due):
                continue  # present but not hashed yet or unreadable; or it may still arrive
            file = trail_file(name)
            if file and not _is_expected(file, bounds, first_digests):
                continue
            findings.append(
                IntegrityFinding(
                    "missing" if path is None else "modified",
                    name,
                    key,
                    digest,
                    file.account if file else "",
                    file.region if file else "",
                    oldest,
                    newest,
                    os.fsdecode(path) if path else None,
                )
            )
        return findings

    @raises_damaged
    def freshness(self) -> list[Freshness]:
        """Return the deliveries of each (account, region), in that order."""
        deliveries: dict[tuple[str, str], set[int]] = defaultdict(set)
        sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        newest_digests: dict[tuple[str, str], int] = {}
        for path, row in all_files(self._database.rows):
            file = trail_file(path)
            if file is None or not row.files:
                continue
            key = (file.account, file.region)
            if file.folder == DIGEST:
                newest_digests[key] = max(newest_digests.get(key, 0), file.delivered)
            elif file.folder == TRAIL:
                deliveries[key].add(file.delivered)
                _add_to(sums[key], (1, row.size, row.seen, row.state == "quarantined"))
        regions = []
        for key, times in sorted(deliveries.items()):
            files, size, records, failed = sums[key]
            newest = max(times)
            regions.append(
                Freshness(
                    *key,
                    files,
                    size,
                    records,
                    failed,
                    newest,
                    _cadence(times),
                    newest_digests.get(key, 0) >= newest,
                    newest_digests.get(key),
                )
            )
        return regions

    @raises_damaged
    def volumes(self) -> list[Volume]:
        """Return the volume of each origin, in order of name.

        Links are left out, since their content is counted elsewhere.
        """
        sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])
        newest: dict[str, int] = {}
        for path, row in all_files(self._database.rows):
            if row.reason == "link" or not row.files:
                continue
            origin = _origin(path)
            states = row.state == "quarantined", row.state == "waiting"
            _add_to(sums[origin], (row.files, row.size, row.seen, *states))
            if row.last is not None:
                newest[origin] = max(row.last, newest.get(origin, row.last))
        return [
            Volume(origin, files, size, records, failed, waiting, newest.get(origin))
            for origin, (files, size, records, failed, waiting) in sorted(sums.items())
        ]

    def feeds(self) -> list[Feed]:
        """Return the EventBridge feeds, in order of path."""
        rows = self._database.rows("SELECT path, records, read_only FROM feed ORDER BY path")
        return [Feed(os.fsdecode(path), *counts) for path, *counts in rows]

    def put(self, connection: sqlite3.Connection, reads: Sequence[FileRead]) -> None:
        """Write the hashes, digests and feeds of files that were read."""
        now = self._database.clock()
        for read in reads:
            path = read.file.path
            _put_feed(connection, read)
            if read.sha256 is not None:
                _put_hashes(connection, [(path, read.sha256)])
            if read.digest is not None:
                connection.executemany(
                    "INSERT OR IGNORE INTO named "
                    "(name, key, sha256, oldest, newest, digest, named_at) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?)",
                    [
                        (file.name, file.key, file.sha256, file.oldest, file.newest, path, now)
                        for file in (*read.digest.files, *filter(None, [read.digest.previous]))
                    ],
                )

    def _present_names(self) -> set[str]:
        """Return the base names of all files but those that vanished before they were read."""
        files = all_files(self._database.rows)
        return {_base_name(path) for path, row in files if row.reason != "gone"}


def _base_name(path: str) -> str:
    return path.rpartition("/")[2]


def _origin(path: str) -> str:
    above, layout, _ = path.partition("/AWSLogs/")
    if layout:
        return above + "/AWSLogs"
    return path.rpartition("/")[0] or path


def _add_to(sums: list[int], values: Iterable[int]) -> None:
    for index, value in enumerate(values):
        sums[index] += value


def _cadence(times: Iterable[int]) -> float | None:
    """Return the median seconds between the last 200 deliveries; None if fewer than four."""
    ordered = sorted(times)[-200:]
    gaps = [later - sooner for sooner, later in pairwise(ordered)]
    return median_of(gaps) if len(gaps) >= 3 else None


def _is_expected(
    file: TrailFile, bounds: Bounds | None, first_digests: dict[tuple[str, str], int]
) -> bool:
    """Tell whether a file named by a digest should be present.

    It must lie within the bounds, and must not be a digest older than the first one present.
    """
    if bounds and not bounds.may_hold(file.delivered):
        return False
    first = 0
    if file.folder == DIGEST:
        first = first_digests.get((file.account, file.region), 0)
    return file.delivered >= first


def _first_digests(names: Iterable[str]) -> dict[tuple[str, str], int]:
    """Return when the first digest was delivered (epoch seconds), by (account, region)."""
    first: dict[tuple[str, str], int] = {}
    for file in filter(None, map(trail_file, names)):
        if file.folder == DIGEST:
            key = (file.account, file.region)
            first[key] = min(first.get(key, file.delivered), file.delivered)
    return first


def _put_hashes(connection: sqlite3.Connection, hashes: Iterable[tuple[str, bytes]]) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO content (path, name, sha256) VALUES (?, ?, ?)",
        [(os.fsencode(path), _base_name(path), sha256) for path, sha256 in hashes],
    )


def _put_feed(connection: sqlite3.Connection, read: FileRead) -> None:
    """Add the records that a file brought from EventBridge to the counts of its feed."""
    path = os.fsencode(read.file.path)
    if read.reread:
        connection.execute("DELETE FROM feed WHERE path = ?", (path,))
    bridged = [chunk for chunk in read.chunks().values() if chunk.bridged]
    if bridged:
        connection.execute(
            "INSERT INTO feed (path, records, read_only) VALUES (?, ?, ?) "
            "ON CONFLICT DO UPDATE SET records = records + excluded.records, "
            "read_only = read_only + excluded.read_only",
            (
                path,
                sum(chunk.bridged for chunk in bridged),
                sum(chunk.bridged_read_only for chunk in bridged),
            ),
        )
