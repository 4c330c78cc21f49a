"""The migration to tables of hunts."""

from __future__ import annotations

HUNT_TABLES = """
CREATE TABLE hunt (
    hunt_id TEXT PRIMARY KEY,
    created INTEGER NOT NULL,
    author  TEXT NOT NULL
) STRICT;
CREATE TABLE hunt_part (       -- every version of every part; the last one stands
    version_id INTEGER PRIMARY KEY,
    hunt_id TEXT NOT NULL REFERENCES hunt,
    part    TEXT NOT NULL,
    at      INTEGER NOT NULL,
    author  TEXT NOT NULL,
    value   TEXT NOT NULL               -- empty: the part was removed
) STRICT;
CREATE INDEX hunt_part_hunt ON hunt_part (hunt_id, part);
CREATE TABLE hunt_run (        -- the latest run of a query
    hunt_id  TEXT NOT NULL REFERENCES hunt,
    query_id TEXT NOT NULL,
    at       REAL NOT NULL,
    author   TEXT NOT NULL,
    fingerprint TEXT NOT NULL,          -- of the query and the scope
    rows     INTEGER NOT NULL,
    new      INTEGER,                   -- NULL: there was no run to compare with
    digests  BLOB NOT NULL,             -- of its rows, eight bytes each
    PRIMARY KEY (hunt_id, query_id)
) STRICT, WITHOUT ROWID;
"""
"""The migration script."""
