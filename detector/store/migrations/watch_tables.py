"""The migration to tables of watches."""

from __future__ import annotations

WATCH_TABLES = """
CREATE TABLE watch (           -- indicators that somebody wants to hear of
    watch_id TEXT PRIMARY KEY,
    created  REAL NOT NULL,
    body     TEXT NOT NULL
) STRICT;
CREATE TABLE watch_chunk (     -- chunks that may hold one, not searched yet
    file_id INTEGER NOT NULL REFERENCES file ON DELETE CASCADE,
    offset  INTEGER NOT NULL,
    PRIMARY KEY (file_id, offset)
) STRICT, WITHOUT ROWID;
CREATE TABLE sighting (        -- the events that were waited for
    watch_id TEXT NOT NULL REFERENCES watch,
    identity BLOB NOT NULL,
    time     INTEGER NOT NULL,
    caller   TEXT NOT NULL, action TEXT NOT NULL, region TEXT NOT NULL, address TEXT NOT NULL,
    error    TEXT NOT NULL,
    found    REAL NOT NULL,             -- when it was read
    PRIMARY KEY (watch_id, identity)
) STRICT, WITHOUT ROWID;
"""
"""The migration script."""
