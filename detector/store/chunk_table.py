"""The chunks of files: their event times and principals."""

from __future__ import annotations

import os
from collections.abc import Iterator

from detector.detection.correlate import ChunkRef
from detector.detection.principal_index import PrincipalIndex, hashes_of
from detector.detection.record_search import Selector
from detector.sources.day_folder import is_day_folder
from detector.sources.file_span import FileSpan
from detector.store.database import Database, pages

_FILES_PER_QUERY = 500
"""The index of all chunks of a large state is never held at once."""


class ChunkTable:
    """The index of the files and chunks that a search must read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def between(self, start: int, end: int, after: int = 0) -> Iterator[ChunkRef]:
        """Yield the chunks with events in ``[start, end)``, grouped by file.

        Only of files with a sequence greater than ``after``.
        """
        file_ids = [
            file_id
            for (file_id,) in self._database.rows(
                "SELECT file_id FROM log_file WHERE first < ? AND last >= ? AND sequence > ? "
                "ORDER BY first, file_id",
                end,
                start,
                after,
            )
        ]
        for page in pages(file_ids, _FILES_PER_QUERY):
            rows = self._database.rows(
                "SELECT path, offset, c.first, c.last, marks, sequence "
                "FROM file f JOIN chunk c USING (file_id) "
                f"WHERE file_id IN ({', '.join('?' * len(page))}) AND c.first < ? AND c.last >= ? "
                "ORDER BY f.first, file_id, offset",
                *page,
                end,
                start,
            )
            for path, *rest in rows:
                yield ChunkRef(os.fsdecode(path), *rest)

    def file_spans(self, start: int, end: int, selector: Selector | None = None) -> list[FileSpan]:
        """Return the files with events in ``[start, end)``.

        With a ``selector`` that knows its principals, only the files and chunks that may hold
        records of these. The folder of a day that a backfill has loaded stands for its files.
        """
        wanted = None
        keys = selector.principal_keys() if selector else None
        if keys is not None:
            wanted = hashes_of(keys)
        offsets: dict[str, list[int]] = {}
        for chunk in self.between(start, end):
            if wanted is None or PrincipalIndex(chunk.principal_index).contains(wanted):
                offsets.setdefault(chunk.path, []).append(chunk.offset)
        rows = self._database.rows(
            "SELECT path, size, first, last FROM file WHERE first < ? AND last >= ? ORDER BY first",
            end,
            start,
        )
        spans = []
        for encoded_path, size, first, last in rows:
            path = os.fsdecode(encoded_path)
            if path in offsets:
                spans.append(FileSpan(path, size, first, last, offsets=tuple(offsets[path])))
            elif is_day_folder(path):
                spans.append(FileSpan(path, size, first, last))
        return spans
