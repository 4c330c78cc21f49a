"""The migration to packed rows of files; each file had a row of its own, with five indexes."""

from __future__ import annotations

import sqlite3
from functools import partial
from itertools import groupby

from detector.store.files.file_chunks import LONGEST_INDEX
from detector.store.files.file_edits import FULL_PACK, insert_pack
from detector.store.files.stored_file import StoredFile
from detector.store.packing.migration_functions import MigrationFunctions

FILE_PACKS = """
CREATE TABLE file_pack (       -- files of a folder: how each was read, and what it held
    pack_id    INTEGER PRIMARY KEY,
    folder_id  INTEGER NOT NULL REFERENCES folder,
    files      INTEGER NOT NULL,        -- rows of files in it
    first_name BLOB NOT NULL,
    last_name  BLOB NOT NULL,
    first_id   INTEGER NOT NULL,
    last_id    INTEGER NOT NULL,
    first      INTEGER,                 -- span of event times, in epoch seconds
    last       INTEGER,
    sequence   INTEGER NOT NULL,        -- the greatest
    read_at    INTEGER NOT NULL,        -- the least
    unread     INTEGER NOT NULL,        -- rows of files in another state than "read"
    sums       BLOB NOT NULL,           -- by state and reason
    body       BLOB NOT NULL
) STRICT;
CREATE INDEX file_pack_names ON file_pack (folder_id, last_name, first_name);
CREATE INDEX file_pack_ids ON file_pack (last_id, first_id);
ALTER TABLE progress ADD COLUMN file_ids INTEGER NOT NULL DEFAULT 0;  -- that were given
UPDATE progress SET file_ids = coalesce((SELECT max(file_id) FROM log_file), 0);
SELECT pack_files();
CREATE TEMP TABLE former AS SELECT * FROM file_count;
DROP TABLE file_count;
CREATE TABLE file_count (      -- the records of a file that were not kept, by reason
    file_id INTEGER NOT NULL,
    kind    TEXT NOT NULL CHECK (kind IN ('skipped', 'rejected')),
    reason  TEXT NOT NULL,
    count   INTEGER NOT NULL,
    PRIMARY KEY (file_id, kind, reason)
) STRICT, WITHOUT ROWID;
INSERT INTO file_count SELECT * FROM former;
DROP TABLE former;
CREATE TEMP TABLE former AS SELECT * FROM chunk;
DROP TABLE chunk;
CREATE TABLE chunk (           -- what is read of a file at once, where its row has not all of it
    file_id INTEGER NOT NULL,
    offset  INTEGER NOT NULL,
    first   INTEGER NOT NULL,
    last    INTEGER NOT NULL,
    marks   BLOB NOT NULL,
    PRIMARY KEY (file_id, offset)
) STRICT, WITHOUT ROWID;
INSERT INTO chunk SELECT * FROM former;
DROP TABLE former;
CREATE TEMP TABLE former AS SELECT * FROM watch_chunk;
DROP TABLE watch_chunk;
CREATE TABLE watch_chunk (     -- the chunks that no watch was looked for in yet
    file_id INTEGER NOT NULL,
    offset  INTEGER NOT NULL,
    PRIMARY KEY (file_id, offset)
) STRICT, WITHOUT ROWID;
INSERT INTO watch_chunk SELECT * FROM former;
DROP TABLE former;
CREATE TEMP TABLE former AS SELECT * FROM late;
DROP TABLE late;
CREATE TABLE late (            -- records that came for evicted windows
    file_id INTEGER PRIMARY KEY,
    count   INTEGER NOT NULL
) STRICT;
INSERT INTO late SELECT * FROM former;
DROP TABLE former;
DROP VIEW file;
DROP TABLE log_file;
"""
"""The migration script. It calls ``pack_files``."""

_ROWS = """
SELECT folder_id, name, file_id, device, inode, size, mtime_ns, state, reason, detail, resume,
    print, generation, files, seen, hits, duplicate, first, last, read_at, sequence
FROM log_file ORDER BY folder_id, name
"""
_SINGLE_CHUNKS = """
SELECT file_id, marks FROM chunk JOIN log_file f USING (file_id)
GROUP BY file_id HAVING count(*) = 1 AND offset = 0 AND chunk.first = f.first
    AND chunk.last = f.last AND length(marks) <= ?
"""


def add_pack_functions(functions: MigrationFunctions) -> None:
    """Add the SQL function that the migration calls."""
    functions.add("pack_files", 0, partial(_pack_files, functions.connection))


def _pack_files(connection: sqlite3.Connection) -> None:
    """Pack the rows of files, one folder at a time."""
    indexes = dict(connection.execute(_SINGLE_CHUNKS, (LONGEST_INDEX,)).fetchall())
    for folder_id, rows in groupby(connection.execute(_ROWS).fetchall(), lambda row: row[0]):
        files = [StoredFile(*row) for _, *row in rows]
        for file in files:
            file.principal_index = indexes.get(file.file_id)
        for first in range(0, len(files), FULL_PACK):
            insert_pack(connection, folder_id, files[first : first + FULL_PACK])
    connection.executemany(
        "DELETE FROM chunk WHERE file_id = ?", [(file_id,) for file_id in indexes]
    )
