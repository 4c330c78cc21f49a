"""The files of a state: how each was left, what it held, which chunks it has.

They are written in bulk: of a state over many small files, most writes are these.
"""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Sequence

import msgspec

from detector.cloudtrail.digest_file import Digest
from detector.detection.digest import ChunkStats, Partial
from detector.sources.accounting import FileState
from detector.sources.source import SourceFile
from detector.store.completeness import put_feed

COLUMNS = "path, device, inode, size, mtime_ns, state, reason, detail, resume, print, generation"
"""Of a file, in the order of ``FileRow``, its ``file`` first."""


class FileRow(msgspec.Struct, frozen=True):
    """A discovered file, and how it was left when it was last read.

    ``file.path`` is as ``os.fsdecode`` gives it; ``file.problem`` is None. ``resume`` is the byte up
    to which lines are committed (0 for a whole document); ``fingerprint`` recognizes the content up
    to there (up to ``file.size`` for a document); ``generation`` is that of the rules it was
    searched by.
    """

    file: SourceFile
    state: FileState
    reason: str | None = None
    detail: str | None = None
    resume: int = 0
    fingerprint: bytes | None = None
    generation: int = 0

    @property
    def path(self) -> str:
        return self.file.path


class FileRead(msgspec.Struct):
    """The result of reading a file.

    ``reread`` means that it was read from its start although its beginning had been read before.
    """

    file: FileRow
    partial: Partial
    reread: bool = False
    sha256: bytes | None = None
    """Of the unpacked content, where it was asked for."""
    digest: Digest | None = None
    """What the file says, where it is a digest file."""


def file_id(db: sqlite3.Connection, path: str) -> int:
    """The number of a file that has been written."""
    return int(
        db.execute("SELECT file_id FROM file WHERE path = ?", (os.fsencode(path),)).fetchone()[0]
    )


def put_files(db: sqlite3.Connection, reads: Sequence[FileRead], now: float) -> None:
    """Keep how these files are left, in the transaction that keeps what they held."""
    tallies = [
        [tally for (source, _), tally in read.partial.chunks.items() if source == read.file.path]
        for read in reads
    ]
    _forget(db, reads)
    (sequence,) = db.execute("SELECT sequence FROM progress").fetchone()
    rows = []
    for read, held in zip(reads, tallies, strict=True):
        sequence += bool(held)
        rows.append(_row(read.file, held, now, sequence if held else 0))
    db.executemany(
        f"INSERT INTO file ({COLUMNS}, seen, duplicate, first, last, read_at, sequence) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?) ON CONFLICT (path) DO UPDATE SET "
        "device = excluded.device, inode = excluded.inode, size = excluded.size, mtime_ns = excluded.mtime_ns, "
        "state = excluded.state, reason = excluded.reason, detail = excluded.detail, resume = excluded.resume, "
        "print = excluded.print, generation = excluded.generation, seen = seen + excluded.seen, "
        "first = min(coalesce(first, excluded.first), coalesce(excluded.first, first)), "
        "last = max(coalesce(last, excluded.last), coalesce(excluded.last, last)), read_at = excluded.read_at, "
        "sequence = max(sequence, excluded.sequence)",
        rows,
    )
    db.execute("UPDATE progress SET sequence = ?", (sequence,))
    db.executemany(
        "INSERT OR REPLACE INTO chunk SELECT file_id, ?, ?, ?, ? FROM file WHERE path = ?",
        [
            (offset, tally.first, tally.last, tally.principal_index, os.fsencode(source))
            for read in reads
            for (source, offset), tally in read.partial.chunks.items()
            if tally.first is not None
        ],
    )
    db.executemany(
        "INSERT INTO file_count SELECT file_id, ?, ?, ? FROM file WHERE path = ? "
        "ON CONFLICT DO UPDATE SET count = count + excluded.count",
        [
            (*counted, os.fsencode(read.file.path))
            for read, held in zip(reads, tallies, strict=True)
            for counted in _reasons(held)
        ],
    )
    for read, held in zip(reads, tallies, strict=True):
        put_feed(
            db,
            read.file.path,
            sum(t.bridged for t in held),
            sum(t.bridged_read_only for t in held),
            read.reread,
        )


def _forget(db: sqlite3.Connection, reads: Sequence[FileRead]) -> None:
    """What was known of files that are read from their start once more."""
    begun = [read for read in reads if (read.file.path, 0) in read.partial.chunks]
    again = [(os.fsencode(read.file.path),) for read in begun if read.reread]
    db.executemany(
        "DELETE FROM file_count WHERE file_id = (SELECT file_id FROM file WHERE path = ?)", again
    )
    db.executemany(
        "UPDATE file SET seen = 0, duplicate = 0, first = NULL, last = NULL WHERE path = ?", again
    )
    db.executemany(
        "DELETE FROM chunk WHERE file_id = (SELECT file_id FROM file WHERE path = ?)",
        [(os.fsencode(read.file.path),) for read in begun],
    )


def _row(
    row: FileRow, tallies: Sequence[ChunkStats], now: float, sequence: int
) -> tuple[object, ...]:
    first = min((tally.first for tally in tallies if tally.first is not None), default=None)
    last = max((tally.last for tally in tallies if tally.last is not None), default=None)
    return (
        os.fsencode(row.path),
        row.file.device,
        row.file.inode,
        row.file.size,
        row.file.mtime_ns,
        row.state,
        row.reason,
        row.detail,
        row.resume,
        row.fingerprint,
        row.generation,
        sum(tally.seen for tally in tallies),
        first,
        last,
        now,
        sequence,
    )


def _reasons(tallies: Sequence[ChunkStats]) -> list[tuple[str, str, int]]:
    """Kind, reason, count of what was set aside."""
    counted: Counter[tuple[str, str]] = Counter()
    for tally in tallies:
        for kind, reasons in (("skipped", tally.skipped), ("rejected", tally.rejected)):
            for reason, count in reasons.items():
                counted[kind, reason] += count
    return [(kind, reason, count) for (kind, reason), count in counted.items()]
