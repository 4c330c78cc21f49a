"""The migration to the activity of principals by day."""

from __future__ import annotations

ACTIVITY_TABLES = """
CREATE TABLE principal (       -- who called, as ``activity.actor`` names it
    principal_id INTEGER PRIMARY KEY,
    kind  TEXT NOT NULL,
    name  TEXT NOT NULL,
    first INTEGER,                      -- its first call, in epoch seconds
    UNIQUE (kind, name)
) STRICT;
CREATE TABLE activity_value (  -- what is counted of principals: regions, calls, sessions, ...
    value_id INTEGER PRIMARY KEY,
    kind  TEXT NOT NULL,
    value TEXT NOT NULL,
    UNIQUE (kind, value)
) STRICT;
CREATE TABLE principal_day (   -- what a principal did on a day of UTC
    principal_id INTEGER NOT NULL REFERENCES principal,
    day  INTEGER NOT NULL,              -- since the epoch
    body BLOB NOT NULL,
    PRIMARY KEY (principal_id, day)
) STRICT, WITHOUT ROWID;
CREATE TABLE session_opening ( -- who opened which session; 0: no session
    opener         INTEGER NOT NULL REFERENCES principal,
    opener_session INTEGER NOT NULL,
    opened         INTEGER NOT NULL REFERENCES principal,
    opened_session INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last  INTEGER NOT NULL,
    PRIMARY KEY (opener, opener_session, opened, opened_session)
) STRICT, WITHOUT ROWID;
CREATE TABLE activity_pending (  -- what commits brought that is not added to the days yet
    pending_id INTEGER PRIMARY KEY,
    body BLOB NOT NULL
) STRICT;
CREATE TABLE activity_start (files INTEGER NOT NULL) STRICT;  -- read before activity was counted
INSERT INTO activity_start SELECT count(*) FROM file WHERE seen > 0;
"""
