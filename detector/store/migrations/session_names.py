"""The migration to days that hold session names; each name had a row and an index entry."""

from __future__ import annotations

import sqlite3
from functools import partial

from detector.store.packing.migration_functions import MigrationFunctions
from detector.store.packing.stored_day import decode_day, encode_day

SESSION_NAMES = """
CREATE TABLE named_day (       -- what a principal did on a day of UTC
    principal_id INTEGER NOT NULL REFERENCES principal,
    day  INTEGER NOT NULL,              -- since the epoch
    body BLOB NOT NULL,
    UNIQUE (principal_id, day)
) STRICT;
SELECT name_sessions();
DROP TABLE principal_day;
ALTER TABLE named_day RENAME TO principal_day;
DELETE FROM activity_value WHERE kind = 'session' AND value_id NOT IN (
    SELECT opener_session FROM session_opening UNION SELECT opened_session FROM session_opening
);
"""
"""The migration script. It calls ``name_sessions``.

The new table has row ids, because a WITHOUT ROWID table leaves much of its pages empty."""


def add_session_functions(functions: MigrationFunctions) -> None:
    """Add the SQL function that the migration calls."""
    functions.add("name_sessions", 0, partial(name_sessions, functions.connection))


def name_sessions(connection: sqlite3.Connection) -> None:
    """Write the days with the names of their sessions in place of the numbers."""
    names: dict[int, str] = dict(
        connection.execute("SELECT value_id, value FROM activity_value WHERE kind = 'session'")
    )
    days = connection.execute("SELECT principal_id, day, body FROM principal_day")
    connection.executemany(
        "INSERT INTO named_day (principal_id, day, body) VALUES (?, ?, ?)",
        ((principal_id, day, _with_names(body, names)) for principal_id, day, body in days),
    )


def _with_names(body: bytes, names: dict[int, str]) -> bytes:
    day = decode_day(body)
    values: list[int] = []
    for value_id, count in day.counts():
        if value_id in names:
            day.sessions[names[value_id]] = count
        else:
            values += (value_id, count.calls, count.failed, count.denied, count.first, count.last)
    day.values = values
    return encode_day(day)
