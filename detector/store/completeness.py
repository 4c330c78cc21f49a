"""Whether all is there: log files against the digests that name them, and how fresh each region is.

Digests are the proof. Without them there is the cadence: a region that used to bring a file every few minutes and has
been silent for hours is worth a look. Nothing here is decided when files are read; all of it follows from what is held.
"""

from __future__ import annotations

import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median
from typing import Protocol

import msgspec

from detector.cloudtrail.digest_file import Digest
from detector.cloudtrail.object_key import DIGEST, TRAIL, trail_file
from detector.detection.log_integrity import IntegrityFinding
from detector.sources.time_bounds import Bounds, FileSnapshot
from detector.store.decision_kinds import text
from detector.store.undo_journal import Journal, Wanted

PATIENCE = 3600
"""Seconds after a digest was read until what it names and nobody has brought is missing, while
files still come."""

_DIGESTS_STOPPED = 3 * 3600


class Freshness(msgspec.Struct, frozen=True):
    """One account's region. Times in epoch seconds, ``cadence`` in seconds between deliveries
    (None: too few)."""

    account: str
    region: str
    files: int
    bytes: int
    records: int
    failed: int
    newest: int
    cadence: float | None
    proven: bool
    """Whether a digest covers the newest delivery: then what is not there was not delivered."""
    digested: int | None = None
    """When the newest digest was delivered. They come every hour, also where nothing happened."""

    def silent(self, now: float) -> float:
        """Seconds since the newest delivery."""
        return max(0.0, now - self.newest)

    def late(self, now: float) -> bool:
        """Whether the silence is unlike this region: over six of its cadences, and over half an
        hour."""
        return self.cadence is not None and self.silent(now) > max(1800.0, 6 * self.cadence)

    def vouched(self, now: float) -> bool:
        """Whether digests still come, which prove that the silence is not for want of delivery."""
        return self.proven and self.digested is not None and now - self.digested < _DIGESTS_STOPPED


def judged_at(places: Sequence[Freshness], now: float) -> float:
    """The time by which silence is told: the clock, but in an archive, of which all is old, the
    newest delivery."""
    newest = max((place.newest for place in places), default=now)
    return newest if now - newest > _ARCHIVE else now


_ARCHIVE = 86_400.0
"""Seconds without any delivery at all from which a trail is an archive, and no longer one that has
fallen silent."""


class Feed(msgspec.Struct, frozen=True):
    """A file of EventBridge events. Without any read-only one it is blind to this hunt, however
    quiet it looks."""

    path: str
    records: int
    read_only: int

    @property
    def blind(self) -> bool:
        return self.records > 0 and not self.read_only

    def __str__(self) -> str:
        return (
            f"blind: {self.path}: an EventBridge feed without one read-only event, so without DescribeInstances: "
            "set the rule's state to ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
        )


class Volume(msgspec.Struct, frozen=True):
    """What was brought from one place: a bucket's or folder's part above ``AWSLogs``, or else a
    file's own folder.

    ``newest`` is the newest event time (epoch seconds), None where no record had one.
    """

    place: str
    files: int
    bytes: int
    records: int
    failed: int
    waiting: int
    newest: int | None


class Quarantined(msgspec.Struct, frozen=True):
    """A file that was not read, and why."""

    path: str
    reason: str
    detail: str
    size: int


class Completeness(Journal):
    """The part of the store that knows what is missing."""

    def has_digests(self) -> bool:
        return bool(self._value("SELECT EXISTS (SELECT 1 FROM named)"))

    def unverified(self) -> list[str]:
        """Paths of files that were read before a digest named them, and so were not hashed."""
        names = {
            name for (name,) in self._rows("SELECT name FROM named EXCEPT SELECT name FROM content")
        }
        if not names:
            return []
        return [path for path in self._paths() if path.rpartition("/")[2] in names]

    def verified(self, hashes: Iterable[tuple[str, bytes]]) -> None:
        """The content's hashes of such files, by path."""
        with self._writing() as db:
            db.executemany(
                "INSERT OR REPLACE INTO content VALUES (?, ?, ?)",
                [(os.fsencode(path), path.rpartition("/")[2], sha256) for path, sha256 in hashes],
            )

    def integrity(
        self, final: bool = False, bounds: Bounds | None = None
    ) -> list[IntegrityFinding]:
        """The log files that are missing or modified, by name. ``final``: nothing more is to come.

        With ``bounds``, only those that were looked for.
        """
        rows = self._rows(
            "SELECT n.name, n.key, n.digest, n.oldest, n.newest, c.path, n.named_at FROM named n "
            "LEFT JOIN content c ON c.name = n.name WHERE NOT EXISTS "
            "(SELECT 1 FROM named o JOIN content d ON d.name = o.name AND d.sha256 = o.sha256 WHERE o.name = n.name) "
            "GROUP BY n.name ORDER BY n.name"
        )
        present = self._names() if rows else set()
        chains = _chains(present)
        found = []
        for name, key, digest, oldest, newest, path, named_at in rows:
            if path is None and (
                name in present or not (final or self._clock() - named_at > PATIENCE)
            ):
                continue  # there, but not hashed yet, or not readable; or it may still come
            file = trail_file(name)
            if file and bounds and not bounds.may_hold(file.delivered):
                continue
            first = (
                chains.get((file.account, file.region), 0) if file and file.folder == DIGEST else 0
            )
            if file and file.delivered < first:
                continue  # before the first digest that was brought: what came before was not asked for
            found.append(
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
        return found

    def freshness(self) -> list[Freshness]:
        """Each (account, region) that a trail delivers to, by name."""
        labels: dict[tuple[str, str], set[int]] = defaultdict(set)
        sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        digested: dict[tuple[str, str], int] = {}
        for path, size, seen, state in self._rows("SELECT path, size, seen, state FROM file"):
            if (file := trail_file(os.fsdecode(path))) is None:
                continue
            key = file.account, file.region
            if file.folder == DIGEST:
                digested[key] = max(digested.get(key, 0), file.delivered)
            elif file.folder == TRAIL:
                labels[key].add(file.delivered)
                for place, value in enumerate((1, size, seen, state == "quarantined")):
                    sums[key][place] += value
        found = []
        for key, times in sorted(labels.items()):
            ordered = sorted(times)[-200:]
            gaps = [later - sooner for sooner, later in pairwise(ordered)]
            files, size, records, failed = sums[key]
            found.append(
                Freshness(
                    *key,
                    files,
                    size,
                    records,
                    failed,
                    max(times),
                    median(gaps) if len(gaps) >= 3 else None,
                    digested.get(key, 0) >= max(times),
                    digested.get(key),
                )
            )
        return found

    def volumes(self) -> list[Volume]:
        """Each place that files came from, by name. The links among them are left out: they bring
        nothing."""
        sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])
        newest: dict[str, int] = {}
        for path, size, seen, state, last in self._rows(
            "SELECT path, size, seen, state, last FROM file WHERE reason IS NOT 'link'"
        ):
            place = _place(os.fsdecode(path))
            for index, value in enumerate(
                (1, size, seen, state == "quarantined", state == "waiting")
            ):
                sums[place][index] += value
            if last is not None:
                newest[place] = max(last, newest.get(place, last))
        return [
            Volume(place, files, size, records, failed, waiting, newest.get(place))
            for place, (files, size, records, failed, waiting) in sorted(sums.items())
        ]

    def recorded(self) -> dict[str, FileSnapshot]:
        """The files that were read to their end, by path."""
        return {
            os.fsdecode(path): FileSnapshot(*rest)
            for path, *rest in self._rows(
                "SELECT path, size, mtime_ns, inode, device, first, last FROM file WHERE state = 'read'"
            )
        }

    def feeds(self) -> list[Feed]:
        """The EventBridge feeds, by path."""
        return [
            Feed(os.fsdecode(path), records, read_only)
            for path, records, read_only in self._rows(
                "SELECT path, records, read_only FROM feed ORDER BY path"
            )
        ]

    def quarantine(self) -> list[Quarantined]:
        """The files in quarantine, by path."""
        return [
            Quarantined(os.fsdecode(path), *rest)
            for path, *rest in self._rows(
                "SELECT path, reason, detail, size FROM file WHERE state = 'quarantined' ORDER BY path"
            )
        ]

    def retry(self, paths: Sequence[str]) -> None:
        """Read these files of the quarantine again with the next sweep."""
        self._requalify(paths, "waiting", "retry", "to be read again")

    def ignore(self, paths: Sequence[str]) -> None:
        """Count these files of the quarantine as skipped from now on, unless they change."""
        self._requalify(paths, "skipped", "ignored", "ignored by the analyst")

    def _requalify(self, paths: Sequence[str], state: str, reason: str, detail: str) -> None:
        with self._writing() as db:
            self._decide(
                db,
                reason,
                [
                    Wanted("file", file.path, text([state, reason, detail]), file.path)
                    for file in self.quarantine()
                    if file.path in paths
                ],
            )

    def _names(self) -> set[str]:
        """The names of all files that were found, read or not, but for those gone before they were
        read."""
        return {
            os.fsdecode(path).rpartition("/")[2]
            for (path,) in self._rows("SELECT path FROM file WHERE reason IS NOT 'gone'")
        }

    def _paths(self) -> list[str]:
        return [
            os.fsdecode(path)
            for (path,) in self._rows(
                "SELECT path FROM file WHERE state = 'read' OR reason = 'digest'"
            )
        ]


def _place(path: str) -> str:
    above, layout, _ = path.partition("/AWSLogs/")
    return above + "/AWSLogs" if layout else path.rpartition("/")[0] or path


def _chains(names: Iterable[str]) -> dict[tuple[str, str], int]:
    """When the first digest that is here was delivered, by account and region."""
    first: dict[tuple[str, str], int] = {}
    for file in filter(None, map(trail_file, names)):
        if file.folder == DIGEST:
            place = file.account, file.region
            first[place] = min(first.get(place, file.delivered), file.delivered)
    return first


class Read(Protocol):
    """What is needed of a file that was read (``ingest.FileRead``)."""

    sha256: bytes | None
    digest: Digest | None


def put_content(db: sqlite3.Connection, path: str, read: Read, now: float) -> None:
    """Keep what a file's reading says of completeness, in the transaction that keeps the
    reading."""
    if read.sha256 is not None:
        db.execute(
            "INSERT OR REPLACE INTO content VALUES (?, ?, ?)",
            (os.fsencode(path), path.rpartition("/")[2], read.sha256),
        )
    if read.digest is not None:
        db.executemany(
            "INSERT OR IGNORE INTO named VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (file.name, file.key, file.sha256, file.oldest, file.newest, path, now)
                for file in (*read.digest.files, *filter(None, [read.digest.previous]))
            ],
        )


def put_feed(db: sqlite3.Connection, path: str, records: int, read_only: int, again: bool) -> None:
    """Add to what a file has brought from EventBridge."""
    if again:
        db.execute("DELETE FROM feed WHERE path = ?", (os.fsencode(path),))
    if records:
        db.execute(
            "INSERT INTO feed VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET records = records + excluded.records, "
            "read_only = read_only + excluded.read_only",
            (os.fsencode(path), records, read_only),
        )
