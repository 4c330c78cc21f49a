"""The migration to split paths; the whole path of each file was in its row and in an index."""

from __future__ import annotations

from detector.store.packing.file_key import split_path
from detector.store.packing.migration_functions import MigrationFunctions

_KEPT = (
    "file_id, device, inode, size, mtime_ns, state, reason, detail, resume, print, generation, "
    "seen, duplicate, first, last, sequence, hits, files"
)
"""The columns of files that are copied unchanged."""

FILE_PATHS = f"""
CREATE TABLE folder (          -- what paths have in common: their beginning and end
    folder_id INTEGER PRIMARY KEY,
    prefix BLOB NOT NULL,               -- as the file system has it, which need not be UTF-8
    suffix BLOB NOT NULL,
    UNIQUE (prefix, suffix)
) STRICT;
INSERT OR IGNORE INTO folder (prefix, suffix)
    SELECT path_part(path, 0), path_part(path, 1) FROM file ORDER BY file_id;
CREATE TABLE log_file (        -- every log file: how it was read, and what it held
    file_id  INTEGER PRIMARY KEY,
    folder_id INTEGER NOT NULL REFERENCES folder,
    name     BLOB NOT NULL,             -- what stands between prefix and suffix
    device   INTEGER NOT NULL,
    inode    INTEGER NOT NULL,
    size     INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    state    TEXT NOT NULL CHECK (state IN ('read', 'waiting', 'skipped', 'quarantined')),
    reason   TEXT,
    detail   TEXT,
    resume   INTEGER NOT NULL,          -- the byte up to which lines are committed; 0: document
    print    BLOB,                      -- recognizes the content up to there
    generation INTEGER NOT NULL,        -- of the rules by which it was searched
    files    INTEGER NOT NULL,          -- those that it counts
    seen     INTEGER NOT NULL,
    hits     INTEGER NOT NULL,          -- with the duplicate ones
    duplicate INTEGER NOT NULL,
    first    INTEGER,                   -- span of event times, in epoch seconds
    last     INTEGER,
    read_at  INTEGER NOT NULL,          -- in epoch seconds
    sequence INTEGER NOT NULL,          -- grows with each read that brought records
    UNIQUE (folder_id, name)
) STRICT;
INSERT INTO log_file (folder_id, name, read_at, {_KEPT})
    SELECT folder_id, path_part(path, 2), CAST(read_at AS INTEGER), {_KEPT}
    FROM file JOIN folder ON prefix = path_part(path, 0) AND suffix = path_part(path, 1)
    ORDER BY file_id;
CREATE TEMP TABLE former AS SELECT * FROM file_count;
DROP TABLE file_count;
CREATE TABLE file_count (      -- the records of a file that were not kept, by reason
    file_id INTEGER NOT NULL REFERENCES log_file,
    kind    TEXT NOT NULL CHECK (kind IN ('skipped', 'rejected')),
    reason  TEXT NOT NULL,
    count   INTEGER NOT NULL,
    PRIMARY KEY (file_id, kind, reason)
) STRICT, WITHOUT ROWID;
INSERT INTO file_count SELECT * FROM former;
DROP TABLE former;
CREATE TEMP TABLE former AS SELECT * FROM chunk;
DROP TABLE chunk;
CREATE TABLE chunk (           -- what is read of a file at once: the index of searches
    file_id INTEGER NOT NULL REFERENCES log_file ON DELETE CASCADE,
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
CREATE TABLE watch_chunk (     -- chunks that may hold one, not searched yet
    file_id INTEGER NOT NULL REFERENCES log_file ON DELETE CASCADE,
    offset  INTEGER NOT NULL,
    PRIMARY KEY (file_id, offset)
) STRICT, WITHOUT ROWID;
INSERT INTO watch_chunk SELECT * FROM former;
DROP TABLE former;
CREATE TEMP TABLE former AS SELECT * FROM late;
DROP TABLE late;
CREATE TABLE late (            -- records that came for evicted windows
    file_id INTEGER PRIMARY KEY REFERENCES log_file ON DELETE CASCADE,
    count   INTEGER NOT NULL
) STRICT;
INSERT INTO late SELECT * FROM former;
DROP TABLE former;
DROP TABLE file;
CREATE INDEX file_span ON log_file (first, last);
CREATE INDEX file_sequence ON log_file (sequence);
CREATE INDEX file_sums ON log_file (state, reason, files, seen, hits, duplicate);
CREATE VIEW file AS            -- with its path
    SELECT CAST(prefix || name || suffix AS BLOB) AS path, log_file.*
    FROM log_file JOIN folder USING (folder_id);
"""
"""The migration script. It calls ``path_part``."""


def add_path_functions(functions: MigrationFunctions) -> None:
    """Add the SQL function that the migration calls."""
    functions.add("path_part", 2, _path_part)


def _path_part(path: bytes, number: int) -> bytes:
    return split_path(path)[number]
