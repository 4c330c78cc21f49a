"""The chunks of files, with their event times and principals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from detector.detection.correlate import ChunkRef
from detector.detection.principal_index import PrincipalIndex, hashes_of
from detector.detection.record_search import Selector
from detector.sources.day_folder import is_day_folder
from detector.sources.file_span import FileSpan
from detector.store.database import Database, pages, raises_damaged
from detector.store.errors import translate_sqlite_errors
from detector.store.files.file_packs import packs_where, packs_with
from detector.store.files.stored_file import StoredFile

_FILES_PER_QUERY = 500
"""How many files one query names."""

_Chunk = tuple[int, int, int, bytes]
"""Offset, first and last event time, and index of principals."""
_File = tuple[str, StoredFile, list[_Chunk]]
"""Path, row, and the chunks with events in a span of time."""


class ChunkTable:
    """The index of the files and chunks that a search must read.

    It is never loaded at once, since it may be large: files are read pack by pack, in order of
    time.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def between(self, start: int, end: int, after: int = 0) -> Iterator[ChunkRef]:
        """Yield the chunks with events in ``[start, end)``, grouped by file.

        Only files with a sequence greater than ``after`` are considered.
        """
        for path, row, chunks in self._files(start, end, after):
            for chunk in chunks:
                yield ChunkRef(path, *chunk, row.sequence)

    @raises_damaged
    def file_spans(self, start: int, end: int, selector: Selector | None = None) -> list[FileSpan]:
        """Return the files with events in ``[start, end)``, in order of their first event.

        With a ``selector`` that names principals, only files and chunks that may hold their records
        are returned. The folder of a day that a backfill has loaded represents all of its files.
        """
        wanted = None
        keys = selector.principal_keys() if selector else None
        if keys is not None:
            wanted = hashes_of(keys)
        spans = []
        for path, row, chunks in self._files(start, end, 0):
            offsets = tuple(
                offset
                for offset, _, _, principals in chunks
                if wanted is None or PrincipalIndex(principals).contains(wanted)
            )
            if offsets or is_day_folder(path):
                span = FileSpan(path, row.size, row.first, row.last, offsets=offsets or None)
                spans.append(span)
        return sorted(spans, key=lambda span: (span.first or 0, span.path))

    def _files(self, start: int, end: int, after: int) -> Iterator[_File]:
        """Yield the files that ``between`` considers, with their chunks in ``[start, end)``."""
        with translate_sqlite_errors(self._database.path):
            for pack in packs_where(
                self._database.rows,
                "first < ? AND last >= ? AND sequence > ?",
                end,
                start,
                after,
            ):
                rows = [
                    row for row in pack.rows() if row.overlaps(start, end) and row.sequence > after
                ]
                rows.sort(key=lambda row: (row.first, row.file_id))
                of_file = self._chunks(rows)
                for row in rows:
                    path, chunks = pack.path(row.name), of_file[row.file_id]
                    if not chunks and not is_day_folder(path):
                        row, chunks = self._as_now(path, row)
                    overlapping = [
                        chunk for chunk in chunks if chunk[1] < end and chunk[2] >= start
                    ]
                    yield path, row, overlapping

    def _as_now(self, path: str, row: StoredFile) -> tuple[StoredFile, list[_Chunk]]:
        """Return the current row and chunks of a file whose chunks were not found.

        Another process may have read the file again after its pack was loaded."""
        for pack in packs_with(self._database.rows, path):
            for now in pack.rows():
                if now.file_id == row.file_id:
                    return now, self._chunks([now])[now.file_id]
        return row, []

    def _chunks(self, rows: Iterable[StoredFile]) -> dict[int, list[_Chunk]]:
        """Return the chunks of files, by file id."""
        chunks: dict[int, list[_Chunk]] = defaultdict(list)
        with_rows = []
        for row in rows:
            if row.principal_index is None:
                with_rows.append(row.file_id)
            elif row.first is not None and row.last is not None:
                chunks[row.file_id].append((0, row.first, row.last, row.principal_index))
        for page in pages(with_rows, _FILES_PER_QUERY):
            for file_id, *chunk in self._database.rows(
                "SELECT file_id, offset, first, last, marks FROM chunk "
                f"WHERE file_id IN ({', '.join('?' * len(page))}) ORDER BY file_id, offset",
                *page,
            ):
                chunks[file_id].append(tuple(chunk))
        return chunks
