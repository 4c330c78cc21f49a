"""The log files: how each was read, and what it held.

File rows are written in bulk, because they are most of the writes where a state covers many small
files.
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
from detector.sources.source import SourceFile
from detector.sources.time_bounds import FileSnapshot
from detector.store.database import Database, raises_damaged
from detector.store.files.file_chunks import forget_chunks, put_chunks
from detector.store.files.file_edits import FileEdits
from detector.store.files.file_packs import FileIds, all_files, files_in_state, sums_of_files
from detector.store.files.stored_file import StoredFile
from detector.store.packing.packed_hits import PackedHits
from detector.store.packing.state_query import query_of
from detector.store.segments.segment_table import SegmentTable


class FileRow(msgspec.Struct, frozen=True):
    """A discovered file, in the state in which the last read left it.

    ``file.path`` is decoded by ``os.fsdecode``; ``file.problem`` is None. ``resume`` is the byte
    offset up to which lines are committed (0 for a whole document). ``fingerprint`` recognizes the
    content up to that offset (up to ``file.size`` for a document). ``generation`` is the generation
    of the rules with which the file was searched. ``files`` is the number of files that the row
    counts: the row of a folder that a backfill loaded counts all files of that day's folder, and a
    file of such a folder that has a row only to give its events a place counts 0.
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

    ``reread``: the file was read from its start again, after an earlier read.
    """

    file: FileRow
    partial: Partial
    reread: bool = False
    sha256: bytes | None = None
    """The SHA-256 of the unpacked content, if it was requested."""
    digest: Digest | None = None
    """The content of the file, if it is a digest file."""
    packed: PackedHits | None = None
    """Hits of this file and of others that are committed with it; the partials do not hold them."""

    def chunks(self) -> dict[int, ChunkStats]:
        """Return the counts of each chunk of the file, by the chunk's offset."""
        path = self.file.path
        return {
            offset: stats
            for (source, offset), stats in self.partial.chunks.items()
            if source == path
        }


class WaitingFile(msgspec.Struct, frozen=True):
    """A file that has not been read yet, and why."""

    path: str
    detail: str
    size: int


def add_duplicates(edits: FileEdits, counts: Counter[str]) -> None:
    """Add numbers of duplicate records, by path, to the rows of their files."""
    for path, count in counts.items():
        if count:
            edits.known(path).duplicate += count


def clear_places(edits: FileEdits) -> None:
    """Reset the duplicates of files whose backfilled folder counts them."""
    for row in edits.where(lambda row: not row.files and row.duplicate != 0):
        row.duplicate = 0


def count_standing(edits: FileEdits, standing: Mapping[str, int]) -> None:
    """Set the duplicates of loaded folders: all their hits but the ``standing`` ones, by path."""
    for path, count in standing.items():
        row = edits.known(path)
        row.duplicate = row.hits - count


class FileTable:
    """All log files, and the counts of what was read from them."""

    def __init__(self, database: Database, segments: SegmentTable) -> None:
        self._database = database
        self._segments = segments

    @raises_damaged
    def all(self) -> list[FileRow]:
        """Return all files that were ever found."""
        return [
            FileRow(
                row.source(path),
                row.state,
                row.reason,
                row.detail,
                row.resume,
                row.fingerprint,
                row.generation,
                row.files,
            )
            for path, row in all_files(self._database.rows)
        ]

    @raises_damaged
    def read_to_end(self) -> dict[str, FileSnapshot]:
        """Return the files that were read to their end, by path."""
        return {
            path: FileSnapshot(row.size, row.mtime_ns, row.inode, row.device, row.first, row.last)
            for path, row in all_files(self._database.rows)
            if row.state == "read"
        }

    @raises_damaged
    def waiting(self) -> list[WaitingFile]:
        """Return the files that wait to be read, in order of path."""
        return [
            WaitingFile(path, row.detail or row.reason or "to be read", row.size)
            for path, row in files_in_state(self._database.rows, "waiting")
        ]

    def newest_event_time(self) -> int | None:
        """Return the newest event time read, in epoch seconds; None where none was."""
        newest = self._database.value("SELECT newest FROM progress")
        return None if newest is None else int(newest)

    @raises_damaged
    def accounting(self) -> Accounting:
        """Return the totals of everything that was read into this state."""
        states: dict[str, Counter[str]] = defaultdict(Counter)
        seen = hits = duplicate = 0
        for sums in sums_of_files(self._database.rows):
            states[sums.state][sums.reason or ""] += sums.files
            seen += sums.seen
            hits += sums.hits
            duplicate += sums.duplicate
        counts: dict[str, dict[str, int]] = {"skipped": {}, "rejected": {}}
        for kind, reason, count in self._database.rows(
            "SELECT kind, reason, sum(count) FROM file_count GROUP BY kind, reason"
        ):
            counts[kind][reason] = count
        return Accounting(
            files_read=states["read"].total(),
            files_waiting=states["waiting"].total(),
            files_skipped=dict(sorted(states["skipped"].items())),
            files_quarantined=dict(sorted(states["quarantined"].items())),
            records_seen=seen,
            records_counted=hits - duplicate,
            records_duplicate=duplicate,
            records_skipped=counts["skipped"],
            records_rejected=counts["rejected"],
            late_dropped=int(self._database.value("SELECT coalesce(sum(count), 0) FROM late")),
        )

    def move(self, renamed: Iterable[tuple[str, str]], lost: Iterable[str]) -> None:
        """Give renamed files, (old, new), their new paths, and close lost files.

        A lost file counts as read if it held records; otherwise its row is deleted.
        """
        paths = list(renamed)
        with self._database.transaction() as connection:
            edits = FileEdits(connection)
            self._rename(connection, edits, paths)
            # A file that a digest names is hashed again under its new name.
            connection.executemany(
                "DELETE FROM content WHERE path IN (?, ?)",
                [(os.fsencode(old), os.fsencode(new)) for old, new in paths],
            )
            for path in lost:
                row = edits.get(path)
                if row is None:
                    continue
                if row.seen:
                    row.state, row.reason, row.detail = "read", None, None
                else:
                    edits.remove(path)
                    _forget_file(connection, row)
            edits.write()

    def _rename(
        self, connection: sqlite3.Connection, edits: FileEdits, paths: Sequence[tuple[str, str]]
    ) -> None:
        """Give files, (old, new), their new paths; a new path may be the old path of another."""
        moved = [(edits.remove(old), new) for old, new in paths]
        for row, path in moved:
            if row is None:
                continue
            replaced = edits.remove(path)
            if replaced is not None:
                _absorb_replaced(connection, self._segments, row, replaced)
            edits.put(path, row)

    def put(
        self, connection: sqlite3.Connection, edits: FileEdits, reads: Sequence[FileRead]
    ) -> FileIds:
        """Write how files were read and what was counted in them; return their ids.

        The rows of the files are written with the other ``edits`` of the transaction."""
        now = int(self._database.clock())
        sequence, last_id = connection.execute("SELECT sequence, file_ids FROM progress").fetchone()
        ids = FileIds(query_of(connection))
        dropped: Counter[tuple[int, str, str]] = Counter()
        for read in reads:
            path, chunks = read.file.path, read.chunks()
            row = edits.get_or_add(path, last_id + 1)
            if row.file_id > last_id:
                last_id = row.file_id
            elif 0 in chunks:
                _forget_content(connection, row, read.reread)
            ids[path] = row.file_id
            put_chunks(connection, path, row, chunks)
            _describe(row, read.file)
            row.read_at = now
            if chunks:
                sequence += 1
                row.sequence = sequence
            for chunk in chunks.values():
                _count(row, chunk)
                for kind, reasons in (("skipped", chunk.skipped), ("rejected", chunk.rejected)):
                    for reason, count in reasons.items():
                        dropped[row.file_id, kind, reason] += count
        connection.execute("UPDATE progress SET sequence = ?, file_ids = ?", (sequence, last_id))
        connection.executemany(
            "INSERT INTO file_count (file_id, kind, reason, count) VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET count = count + excluded.count",
            [(*key, count) for key, count in dropped.items()],
        )
        return ids

    def advance_newest(self, connection: sqlite3.Connection, newest: int) -> None:
        """Advance the newest event time to ``newest`` (epoch seconds), if that is later."""
        connection.execute("UPDATE progress SET newest = max(coalesce(newest, ?1), ?1)", (newest,))

    def require_new_search(self, connection: sqlite3.Connection) -> None:
        """Make all files due to be searched again, because the rules have changed."""
        connection.execute("UPDATE progress SET generation = generation + 1")

    def generation(self) -> int:
        """Return the generation of the rules; files of another generation are searched again."""
        return int(self._database.value("SELECT generation FROM progress"))


def _describe(row: StoredFile, file: FileRow) -> None:
    """Copy the state in which a file was left into its row."""
    _, row.device, row.inode, row.size, row.mtime_ns, _ = file.file
    row.state = file.state
    row.reason = file.reason
    row.detail = file.detail
    row.resume = file.resume
    row.fingerprint = file.fingerprint
    row.generation = file.generation
    row.files = file.files


def _count(row: StoredFile, chunk: ChunkStats) -> None:
    """Add the counts and the time span of a chunk to a row."""
    row.seen += chunk.seen
    row.hits += chunk.hits
    if chunk.first is not None and chunk.last is not None:
        row.extend_span(chunk.first, chunk.last)


def _forget_content(connection: sqlite3.Connection, row: StoredFile, is_reread: bool) -> None:
    """Delete the chunks of a file that is read from its start, and on a reread also its counts."""
    forget_chunks(connection, row)
    if is_reread:
        row.seen = row.hits = row.duplicate = 0
        row.first = row.last = None
        connection.execute("DELETE FROM file_count WHERE file_id = ?", (row.file_id,))


def _absorb_replaced(
    connection: sqlite3.Connection, segments: SegmentTable, row: StoredFile, replaced: StoredFile
) -> None:
    """Add the counts and hits of a replaced file to the ``row`` that takes its path."""
    if replaced.first is not None and replaced.last is not None:
        span = replaced.first, replaced.last
        segments.give(connection, replaced.file_id, row.file_id, span)
    row.seen += replaced.seen
    row.hits += replaced.hits
    row.duplicate += replaced.duplicate
    ids = row.file_id, replaced.file_id
    connection.execute(
        "INSERT INTO file_count (file_id, kind, reason, count) "
        "SELECT ?, kind, reason, count FROM file_count WHERE file_id = ? "
        "ON CONFLICT DO UPDATE SET count = count + excluded.count",
        ids,
    )
    connection.execute(
        "INSERT INTO late (file_id, count) SELECT ?, count FROM late WHERE file_id = ? "
        "ON CONFLICT DO UPDATE SET count = count + excluded.count",
        ids,
    )
    _forget_file(connection, replaced)


def _forget_file(connection: sqlite3.Connection, row: StoredFile) -> None:
    """Delete everything that refers to the row of a file."""
    for table in ("file_count", "late", "chunk", "watch_chunk"):
        connection.execute(f"DELETE FROM {table} WHERE file_id = ?", (row.file_id,))
