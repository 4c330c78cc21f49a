"""The log files: how each was read, and what it held.

Files are written in bulk: in a state over many small files, most writes are these.
"""

from __future__ import annotations

import os
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from detector.cloudtrail.digest_file import Digest
from detector.detection.digest import ChunkStats, Partial
from detector.sources.accounting import Accounting, FileState
from detector.sources.day_folder import is_day_folder
from detector.sources.source import SourceFile
from detector.sources.time_bounds import FileSnapshot
from detector.store.database import Database
from detector.store.segments.segment_table import SegmentTable

FILE_COLUMNS = (
    "path, device, inode, size, mtime_ns, state, reason, detail, resume, print, generation, files"
)
"""The columns of a ``FileRow``, in its order, those of its ``file`` first."""


class FileRow(msgspec.Struct, frozen=True):
    """A discovered file, as it was left when last read.

    ``file.path`` is as by ``os.fsdecode``, ``file.problem`` is None. ``resume`` is the byte up to
    which lines are committed (0 for a whole document), ``fingerprint`` recognizes the content up to
    there (up to ``file.size`` for a document), ``generation`` is that of the rules by which the
    file was searched. ``files`` is how many files the row counts: one of a backfill counts those of
    a day's folder, and a file of such a folder that has a row for the place of its events counts 0.
    """

    file: SourceFile
    state: FileState
    reason: str | None = None
    detail: str | None = None
    resume: int = 0
    fingerprint: bytes | None = None
    generation: int = 0
    files: int = 1

    @property
    def path(self) -> str:
        return self.file.path


class FileRead(msgspec.Struct):
    """The result of reading a file.

    ``reread``: it was read from its start, which had been read before.
    """

    file: FileRow
    partial: Partial
    reread: bool = False
    sha256: bytes | None = None
    """Of the unpacked content, where it was asked for."""
    digest: Digest | None = None
    """The content of the file, where it is a digest file."""

    def chunk_stats(self) -> list[ChunkStats]:
        """Return what was counted in each chunk of the file."""
        path = self.file.path
        return [stats for (source, _), stats in self.partial.chunks.items() if source == path]


class WaitingFile(msgspec.Struct, frozen=True):
    """A file that is not read yet, and why."""

    path: str
    detail: str
    size: int


class FileTable:
    """Every log file, and the counts of what was read."""

    def __init__(self, database: Database, segments: SegmentTable) -> None:
        self._database = database
        self._segments = segments

    def all(self) -> list[FileRow]:
        """Return every file that was ever found."""
        rows = self._database.rows(f"SELECT {FILE_COLUMNS} FROM file")
        return [
            FileRow(SourceFile(os.fsdecode(path), device, inode, size, mtime_ns), *rest)
            for path, device, inode, size, mtime_ns, *rest in rows
        ]

    def read_to_end(self) -> dict[str, FileSnapshot]:
        """Return the files that were read to their end, by path."""
        rows = self._database.rows(
            "SELECT path, size, mtime_ns, inode, device, first, last FROM file WHERE state = 'read'"
        )
        return {os.fsdecode(path): FileSnapshot(*rest) for path, *rest in rows}

    def waiting(self) -> list[WaitingFile]:
        """Return the files that wait, by path."""
        rows = self._database.rows(
            "SELECT path, coalesce(detail, reason, 'to be read'), size FROM file "
            "WHERE state = 'waiting' ORDER BY path"
        )
        return [WaitingFile(os.fsdecode(path), *rest) for path, *rest in rows]

    def newest_event_time(self) -> int | None:
        """Return the newest event time read, in epoch seconds."""
        newest = self._database.value("SELECT newest FROM progress")
        return None if newest is None else int(newest)

    def accounting(self) -> Accounting:
        """Return the sums of everything that was read into this state."""
        states: dict[str, Counter[str]] = defaultdict(Counter)
        seen = hits = duplicate = 0
        for state, reason, files, records, passed, copies in self._database.rows(
            "SELECT state, reason, sum(files), sum(seen), sum(hits), sum(duplicate) FROM file "
            "GROUP BY state, reason"
        ):
            states[state][reason or ""] += files
            seen += records
            hits += passed
            duplicate += copies
        counts: dict[str, dict[str, int]] = {"skipped": {}, "rejected": {}}
        for kind, reason, count in self._database.rows(
            "SELECT kind, reason, sum(count) FROM file_count GROUP BY kind, reason"
        ):
            counts[kind][reason] = count
        return Accounting(
            files_read=states["read"].total(),
            files_waiting=states["waiting"].total(),
            files_skipped=dict(states["skipped"]),
            files_quarantined=dict(states["quarantined"]),
            records_seen=seen,
            records_counted=hits - duplicate,
            records_duplicate=duplicate,
            records_skipped=counts["skipped"],
            records_rejected=counts["rejected"],
            late_dropped=int(self._database.value("SELECT coalesce(sum(count), 0) FROM late")),
        )

    def move(self, renamed: Iterable[tuple[str, str]], lost: Iterable[str]) -> None:
        """Give renamed files, (old, new), their new paths; close lost ones."""
        paths = [(os.fsencode(old), os.fsencode(new)) for old, new in renamed]
        with self._database.transaction() as connection:
            # Files may swap their paths: each goes by way of a name that no file can have.
            connection.executemany(
                "UPDATE file SET path = ? WHERE path = ?",
                [(b"\0" + new, old) for old, new in paths],
            )
            for _, new in paths:
                _absorb_replaced(connection, self._segments, b"\0" + new, new)
            connection.executemany(
                "UPDATE file SET path = ? WHERE path = ?", [(new, b"\0" + new) for _, new in paths]
            )
            # The content is hashed again where a digest names it.
            connection.executemany("DELETE FROM content WHERE path IN (?, ?)", paths)
            for path in map(os.fsencode, lost):
                connection.execute("DELETE FROM file WHERE path = ? AND seen = 0", (path,))
                connection.execute(
                    "UPDATE file SET state = 'read', reason = NULL, detail = NULL WHERE path = ?",
                    (path,),
                )

    def put(self, connection: sqlite3.Connection, reads: Sequence[FileRead]) -> None:
        """Write how files were read, and what was counted in them."""
        now = self._database.clock()
        stats_of_reads = [read.chunk_stats() for read in reads]
        _forget_reread(connection, reads)
        (sequence,) = connection.execute("SELECT sequence FROM progress").fetchone()
        rows = []
        for read, stats in zip(reads, stats_of_reads, strict=True):
            sequence += bool(stats)
            rows.append(_file_parameters(read.file, stats, now, sequence if stats else 0))
        connection.executemany(_PUT_FILE, rows)
        connection.execute("UPDATE progress SET sequence = ?", (sequence,))
        chunks: list[tuple[object, ...]] = []
        counts: list[tuple[object, ...]] = []
        for read, stats in zip(reads, stats_of_reads, strict=True):
            path = os.fsencode(read.file.path)
            counts += [(*count, path) for count in _dropped_counts(stats)]
            for (source, offset), chunk in read.partial.chunks.items():
                if chunk.first is not None and not is_day_folder(source):
                    span = (chunk.first, chunk.last)
                    chunks.append((offset, *span, chunk.principal_index, os.fsencode(source)))
        connection.executemany(
            "INSERT OR REPLACE INTO chunk (file_id, offset, first, last, marks) "
            "SELECT file_id, ?, ?, ?, ? FROM file WHERE path = ?",
            chunks,
        )
        connection.executemany(
            "INSERT INTO file_count (file_id, kind, reason, count) "
            "SELECT file_id, ?, ?, ? FROM file WHERE path = ? "
            "ON CONFLICT DO UPDATE SET count = count + excluded.count",
            counts,
        )

    def add_duplicates(self, connection: sqlite3.Connection, counts: Counter[str]) -> None:
        """Count records as duplicates of others, by the path of their file."""
        connection.executemany(
            "UPDATE file SET duplicate = duplicate + ? WHERE path = ?",
            [(count, os.fsencode(path)) for path, count in counts.items() if count],
        )

    def clear_places(self, connection: sqlite3.Connection) -> None:
        """Count no duplicates in files whose folder counts them."""
        connection.execute("UPDATE file SET duplicate = 0 WHERE files = 0")

    def count_standing(self, connection: sqlite3.Connection, standing: Mapping[str, int]) -> None:
        """Count as duplicates all hits of loaded folders but so many."""
        connection.executemany(
            "UPDATE file SET duplicate = hits - ? WHERE path = ?",
            [(count, os.fsencode(path)) for path, count in standing.items()],
        )

    def advance_newest(self, connection: sqlite3.Connection, newest: int) -> None:
        """Move the newest event time on, where ``newest`` (epoch seconds) is later."""
        connection.execute("UPDATE progress SET newest = max(coalesce(newest, ?1), ?1)", (newest,))

    def require_new_search(self, connection: sqlite3.Connection) -> None:
        """Make every file due again: the rules have changed."""
        connection.execute("UPDATE progress SET generation = generation + 1")

    def generation(self) -> int:
        """Return the generation of the rules.

        A file of another generation is searched again.
        """
        return int(self._database.value("SELECT generation FROM progress"))


_PUT_FILE = (
    f"INSERT INTO file ({FILE_COLUMNS}, seen, hits, duplicate, first, last, read_at, sequence) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?) "
    "ON CONFLICT (path) DO UPDATE SET "
    "device = excluded.device, inode = excluded.inode, size = excluded.size, "
    "mtime_ns = excluded.mtime_ns, state = excluded.state, reason = excluded.reason, "
    "detail = excluded.detail, resume = excluded.resume, print = excluded.print, "
    "generation = excluded.generation, files = excluded.files, seen = seen + excluded.seen, "
    "hits = hits + excluded.hits, "
    "first = min(coalesce(first, excluded.first), coalesce(excluded.first, first)), "
    "last = max(coalesce(last, excluded.last), coalesce(excluded.last, last)), "
    "read_at = excluded.read_at, sequence = max(sequence, excluded.sequence)"
)


def file_id(connection: sqlite3.Connection, path: str) -> int:
    """Return the id of a file that has been written."""
    row = connection.execute(
        "SELECT file_id FROM file WHERE path = ?", (os.fsencode(path),)
    ).fetchone()
    return int(row[0])


def _absorb_replaced(
    connection: sqlite3.Connection, segments: SegmentTable, path: bytes, replaced_path: bytes
) -> None:
    """Add the counts of a file to the one that replaces it.

    The same holds for a file whose content is replaced.
    """
    (file_id,) = connection.execute("SELECT file_id FROM file WHERE path = ?", (path,)).fetchone()
    replaced = connection.execute(
        "SELECT file_id, seen, hits, duplicate FROM file WHERE path = ?", (replaced_path,)
    ).fetchone()
    if replaced is None:
        return
    old_id, *counts = replaced
    segments.give(connection, old_id, file_id)
    connection.execute(
        "INSERT INTO file_count (file_id, kind, reason, count) "
        "SELECT ?, kind, reason, count FROM file_count WHERE file_id = ? "
        "ON CONFLICT DO UPDATE SET count = count + excluded.count",
        (file_id, old_id),
    )
    connection.execute(
        "UPDATE file SET seen = seen + ?, hits = hits + ?, duplicate = duplicate + ? "
        "WHERE file_id = ?",
        (*counts, file_id),
    )
    connection.execute(
        "INSERT INTO late (file_id, count) SELECT ?, count FROM late WHERE file_id = ? "
        "ON CONFLICT DO UPDATE SET count = count + excluded.count",
        (file_id, old_id),
    )
    connection.execute("DELETE FROM file_count WHERE file_id = ?", (old_id,))
    connection.execute("DELETE FROM file WHERE file_id = ?", (old_id,))


def _forget_reread(connection: sqlite3.Connection, reads: Sequence[FileRead]) -> None:
    """Delete the counts of files that are read from their start again."""
    from_start = [read for read in reads if (read.file.path, 0) in read.partial.chunks]
    reread = [(os.fsencode(read.file.path),) for read in from_start if read.reread]
    connection.executemany(
        "DELETE FROM file_count WHERE file_id = (SELECT file_id FROM file WHERE path = ?)", reread
    )
    connection.executemany(
        "UPDATE file SET seen = 0, hits = 0, duplicate = 0, first = NULL, last = NULL "
        "WHERE path = ?",
        reread,
    )
    connection.executemany(
        "DELETE FROM chunk WHERE file_id = (SELECT file_id FROM file WHERE path = ?)",
        [(os.fsencode(read.file.path),) for read in from_start],
    )


def _file_parameters(
    row: FileRow, stats: Sequence[ChunkStats], read_at: float, sequence: int
) -> tuple[object, ...]:
    """Return the parameters of ``_PUT_FILE``."""
    first = min((chunk.first for chunk in stats if chunk.first is not None), default=None)
    last = max((chunk.last for chunk in stats if chunk.last is not None), default=None)
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
        row.files,
        sum(chunk.seen for chunk in stats),
        sum(chunk.hits for chunk in stats),
        first,
        last,
        read_at,
        sequence,
    )


def _dropped_counts(stats: Sequence[ChunkStats]) -> list[tuple[str, str, int]]:
    """Return (kind, reason, count) of the records that were not kept."""
    counts: Counter[tuple[str, str]] = Counter()
    for chunk in stats:
        for kind, reasons in (("skipped", chunk.skipped), ("rejected", chunk.rejected)):
            for reason, count in reasons.items():
                counts[kind, reason] += count
    return [(kind, reason, count) for (kind, reason), count in counts.items()]
