"""The rows of chunks: the event times and principals of each chunk of a file.

A chunk is the part of a file that is read at once. Most files are a single chunk with few
principals; such a chunk has no row of its own, but is stored in the row of its file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from detector.detection.digest import ChunkStats
from detector.sources.day_folder import is_day_folder
from detector.store.files.stored_file import StoredFile

LONGEST_INDEX = 256
"""The largest principal index, in bytes, of a chunk without a row of its own."""


def put_chunks(
    connection: sqlite3.Connection, path: str, row: StoredFile, chunks: Mapping[int, ChunkStats]
) -> None:
    """Write the chunks of a file, by offset.

    Must be called before their time span is added to the row of the file."""
    brought = [
        (offset, chunk.first, chunk.last, chunk.principal_index)
        for offset, chunk in chunks.items()
        if chunk.first is not None and not is_day_folder(path)
    ]
    if not brought:
        return
    if row.principal_index is not None and row.first is not None:
        brought.append((0, row.first, row.last, row.principal_index))
        row.principal_index = None
    elif row.first is None and [*chunks] == [0] and len(chunks[0].principal_index) <= LONGEST_INDEX:
        row.principal_index = chunks[0].principal_index
        return
    connection.executemany(
        "INSERT OR REPLACE INTO chunk (file_id, offset, first, last, marks) VALUES (?, ?, ?, ?, ?)",
        [(row.file_id, *values) for values in brought],
    )


def forget_chunks(connection: sqlite3.Connection, row: StoredFile) -> None:
    """Delete the chunks of a file."""
    row.principal_index = None
    connection.execute("DELETE FROM chunk WHERE file_id = ?", (row.file_id,))
