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
from detector.store.packing.file_key import (
    AT_PATH,
    FileIds,
    PathParts,
    add_folders,
    path_parameters,
)
from detector.store.packing.packed_hits import PackedHits
from detector.store.segments.segment_table import SegmentTable

_COLUMNS = "device, inode, size, mtime_ns, state, reason, detail, resume, print, generation, files"
"""The columns of a ``FileRow`` but for its path, in its order, those of its ``file`` first."""


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
    packed: PackedHits | None = None
    """Hits of this file and of others, which are committed with it: they lack in the partials."""

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
        rows = self._database.rows(f"SELECT path, {_COLUMNS} FROM file")
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
            "SELECT state, reason, sum(files), sum(seen), sum(hits), sum(duplicate) FROM log_file "
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
        paths = list(renamed)
        with self._database.transaction() as connection:
            self._rename(connection, paths)
            # The content is hashed again where a digest names it.
            connection.executemany(
                "DELETE FROM content WHERE path IN (?, ?)",
                [(os.fsencode(old), os.fsencode(new)) for old, new in paths],
            )
            places = [path_parameters(path) for path in lost]
            connection.executemany(f"DELETE FROM log_file WHERE {AT_PATH} AND seen = 0", places)
            connection.executemany(
                f"UPDATE log_file SET state = 'read', reason = NULL, detail = NULL WHERE {AT_PATH}",
                places,
            )

    def _rename(self, connection: sqlite3.Connection, paths: Sequence[tuple[str, str]]) -> None:
        """Give files, (old, new), their new paths, which may be those of others among them."""
        places = {new: path_parameters(new) for _, new in paths}
        folders = add_folders(connection, places.values())
        # Each goes by way of a name that no file can have.
        connection.executemany(
            f"UPDATE log_file SET folder_id = ?, name = ? WHERE {AT_PATH}",
            [
                (folders[places[new][:2]], b"\0" + places[new].name, *path_parameters(old))
                for old, new in paths
            ],
        )
        for place in places.values():
            passing = place._replace(name=b"\0" + place.name)
            _absorb_replaced(connection, self._segments, passing, place)
            connection.execute(
                f"UPDATE log_file SET name = ? WHERE {AT_PATH}", (place.name, *passing)
            )

    def put(self, connection: sqlite3.Connection, reads: Sequence[FileRead]) -> None:
        """Write how files were read, and what was counted in them."""
        now = int(self._database.clock())
        _forget_reread(connection, [read for read in reads if read.reread])
        known_until, sequence = connection.execute(
            "SELECT coalesce((SELECT max(file_id) FROM log_file), 0), sequence FROM progress"
        ).fetchone()
        places = [path_parameters(read.file.path) for read in reads]
        folders = add_folders(connection, places)
        rows = []
        for number, (read, place) in enumerate(zip(reads, places, strict=True), known_until + 1):
            stats = read.chunk_stats()
            sequence += bool(stats)
            values = _file_values(read.file, stats, now, sequence if stats else 0)
            rows.append((number, folders[place.prefix, place.suffix], place.name, *values))
        connection.executemany(_PUT_FILE, rows)
        connection.execute("UPDATE progress SET sequence = ?", (sequence,))
        ids = FileIds(connection)
        ids.add_new([read.file.path for read in reads], known_until)
        connection.executemany(
            "INSERT INTO file_count (file_id, kind, reason, count) VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET count = count + excluded.count",
            [
                (ids[read.file.path], *count)
                for read in reads
                for count in _dropped_counts(read.chunk_stats())
            ],
        )
        _put_chunks(connection, reads, ids, known_until)

    def add_duplicates(self, connection: sqlite3.Connection, counts: Counter[str]) -> None:
        """Count records as duplicates of others, by the path of their file."""
        connection.executemany(
            f"UPDATE log_file SET duplicate = duplicate + ? WHERE {AT_PATH}",
            [(count, *path_parameters(path)) for path, count in counts.items() if count],
        )

    def clear_places(self, connection: sqlite3.Connection) -> None:
        """Count no duplicates in files whose folder counts them."""
        connection.execute("UPDATE log_file SET duplicate = 0 WHERE files = 0")

    def count_standing(self, connection: sqlite3.Connection, standing: Mapping[str, int]) -> None:
        """Count as duplicates all hits of loaded folders but so many."""
        connection.executemany(
            f"UPDATE log_file SET duplicate = hits - ? WHERE {AT_PATH}",
            [(count, *path_parameters(path)) for path, count in standing.items()],
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
    f"INSERT INTO log_file (file_id, folder_id, name, {_COLUMNS}, "
    "seen, hits, duplicate, first, last, read_at, sequence) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?) "
    "ON CONFLICT (folder_id, name) DO UPDATE SET "
    "device = excluded.device, inode = excluded.inode, size = excluded.size, "
    "mtime_ns = excluded.mtime_ns, state = excluded.state, reason = excluded.reason, "
    "detail = excluded.detail, resume = excluded.resume, print = excluded.print, "
    "generation = excluded.generation, files = excluded.files, seen = seen + excluded.seen, "
    "hits = hits + excluded.hits, "
    "first = min(coalesce(first, excluded.first), coalesce(excluded.first, first)), "
    "last = max(coalesce(last, excluded.last), coalesce(excluded.last, last)), "
    "read_at = excluded.read_at, sequence = max(sequence, excluded.sequence)"
)


def _put_chunks(
    connection: sqlite3.Connection, reads: Sequence[FileRead], ids: FileIds, known_until: int
) -> None:
    """Write the chunks of files; those up to the id ``known_until`` may have others."""
    from_start = [
        ids[read.file.path] for read in reads if (read.file.path, 0) in read.partial.chunks
    ]
    connection.executemany(
        "DELETE FROM chunk WHERE file_id = ?",
        [(file_id,) for file_id in from_start if file_id <= known_until],
    )
    connection.executemany(
        "INSERT OR REPLACE INTO chunk (file_id, offset, first, last, marks) VALUES (?, ?, ?, ?, ?)",
        [
            (ids[source], offset, chunk.first, chunk.last, chunk.principal_index)
            for read in reads
            for (source, offset), chunk in read.partial.chunks.items()
            if chunk.first is not None and not is_day_folder(source)
        ],
    )


def _absorb_replaced(
    connection: sqlite3.Connection, segments: SegmentTable, place: PathParts, replaced: PathParts
) -> None:
    """Add the counts of a file to the one that replaces it.

    The same holds for a file whose content is replaced.
    """
    (file_id,) = connection.execute(
        f"SELECT file_id FROM log_file WHERE {AT_PATH}", place
    ).fetchone()
    row = connection.execute(
        f"SELECT file_id, seen, hits, duplicate FROM log_file WHERE {AT_PATH}", replaced
    ).fetchone()
    if row is None:
        return
    old_id, *counts = row
    segments.give(connection, old_id, file_id)
    connection.execute(
        "INSERT INTO file_count (file_id, kind, reason, count) "
        "SELECT ?, kind, reason, count FROM file_count WHERE file_id = ? "
        "ON CONFLICT DO UPDATE SET count = count + excluded.count",
        (file_id, old_id),
    )
    connection.execute(
        "UPDATE log_file SET seen = seen + ?, hits = hits + ?, duplicate = duplicate + ? "
        "WHERE file_id = ?",
        (*counts, file_id),
    )
    connection.execute(
        "INSERT INTO late (file_id, count) SELECT ?, count FROM late WHERE file_id = ? "
        "ON CONFLICT DO UPDATE SET count = count + excluded.count",
        (file_id, old_id),
    )
    connection.execute("DELETE FROM file_count WHERE file_id = ?", (old_id,))
    connection.execute("DELETE FROM log_file WHERE file_id = ?", (old_id,))


def _forget_reread(connection: sqlite3.Connection, reads: Sequence[FileRead]) -> None:
    """Delete the counts of files that are read from their start again."""
    reread = [
        path_parameters(read.file.path)
        for read in reads
        if (read.file.path, 0) in read.partial.chunks
    ]
    connection.executemany(
        f"DELETE FROM file_count WHERE file_id = (SELECT file_id FROM log_file WHERE {AT_PATH})",
        reread,
    )
    connection.executemany(
        "UPDATE log_file SET seen = 0, hits = 0, duplicate = 0, first = NULL, last = NULL "
        f"WHERE {AT_PATH}",
        reread,
    )


def _file_values(
    row: FileRow, stats: Sequence[ChunkStats], read_at: int, sequence: int
) -> tuple[object, ...]:
    """Return the parameters of ``_PUT_FILE`` after those of the path."""
    seen = hits = 0
    first = last = None
    for chunk in stats:
        seen += chunk.seen
        hits += chunk.hits
        if chunk.first is not None and (first is None or chunk.first < first):
            first = chunk.first
        if chunk.last is not None and (last is None or chunk.last > last):
            last = chunk.last
    _, *of_file, _ = row.file
    return (
        *of_file,
        row.state,
        row.reason,
        row.detail,
        row.resume,
        row.fingerprint,
        row.generation,
        row.files,
        seen,
        hits,
        first,
        last,
        read_at,
        sequence,
    )


def _dropped_counts(stats: Sequence[ChunkStats]) -> list[tuple[str, str, int]]:
    """Return (kind, reason, count) of the records that were not kept."""
    if not any(chunk.skipped or chunk.rejected for chunk in stats):
        return []
    counts: Counter[tuple[str, str]] = Counter()
    for chunk in stats:
        for kind, reasons in (("skipped", chunk.skipped), ("rejected", chunk.rejected)):
            for reason, count in reasons.items():
                counts[kind, reason] += count
    return [(kind, reason, count) for (kind, reason), count in counts.items()]
