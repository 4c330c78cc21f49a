"""The migration to computed network numbers; each network had a row and an index entry."""

from __future__ import annotations

import sqlite3
from functools import partial

from detector.store.packing.migration_functions import MigrationFunctions
from detector.store.packing.network_numbers import network_number
from detector.store.packing.stored_day import decode_day, encode_day

NETWORK_NUMBERS = """
SELECT number_networks();
CREATE TEMP TABLE former AS
    SELECT * FROM activity_value WHERE kind != 'network' OR network_number(value) IS NULL;
DROP TABLE activity_value;
CREATE TABLE activity_value (  -- what is counted of principals but for networks of addresses
    value_id INTEGER PRIMARY KEY,
    kind  TEXT NOT NULL,
    value TEXT NOT NULL,
    UNIQUE (kind, value)
) STRICT;
INSERT INTO activity_value SELECT * FROM former;
DROP TABLE former;
"""
"""The migration script. It calls ``number_networks`` and ``network_number``."""


def add_network_functions(functions: MigrationFunctions) -> None:
    """Add the SQL functions that the migration calls."""
    functions.add("network_number", 1, network_number)
    functions.add("number_networks", 0, partial(_number_networks, functions.connection))


def _number_networks(connection: sqlite3.Connection) -> None:
    """Replace the row ids of networks in the days by the computed numbers."""
    numbers = dict(
        connection.execute(
            "SELECT value_id, network_number(value) FROM activity_value "
            "WHERE kind = 'network' AND network_number(value) IS NOT NULL"
        ).fetchall()
    )
    days = connection.execute("SELECT rowid, body FROM principal_day").fetchall()
    connection.executemany(
        "UPDATE principal_day SET body = ? WHERE rowid = ?",
        [(_renumbered(body, numbers), rowid) for rowid, body in days],
    )


def _renumbered(body: bytes, numbers: dict[int, int]) -> bytes:
    day = decode_day(body)
    day.renumber(numbers)
    return encode_day(day)
