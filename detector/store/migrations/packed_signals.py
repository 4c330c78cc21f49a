"""The migration to signals packed by hour; each had a row, and an entry in an identity index."""

from __future__ import annotations

import sqlite3
from functools import partial
from itertools import groupby

from detector.detection.signals.signal_event import moment
from detector.detection.signals.signal_index import SignalCaller, SignalKey
from detector.store.packing.migration_functions import MigrationFunctions
from detector.store.packing.signal_rows import cells_by_hour, insert_signals

PACKED_SIGNALS = """
ALTER TABLE signal RENAME TO single_signal;
DROP INDEX signal_identity;
DROP INDEX signal_issued;
CREATE TABLE signal (          -- the events near alerts that raise flags, of an hour
    caller_id  INTEGER NOT NULL REFERENCES signal_caller,
    flag       TEXT NOT NULL,
    issued_key TEXT NOT NULL,           -- of the session that they opened
    hour       INTEGER NOT NULL,        -- since the Unix epoch
    events     BLOB NOT NULL,           -- second of the hour and identity of each, in order
    PRIMARY KEY (caller_id, flag, issued_key, hour)
) STRICT, WITHOUT ROWID;
SELECT pack_signals();
DROP TABLE single_signal;
CREATE INDEX signal_issued ON signal (issued_key) WHERE issued_key != '';
"""
"""The migration script. It calls ``pack_signals``."""

_SINGLE = """
SELECT arn, access_key, role_arn, flag, issued_key, time, identity
FROM single_signal JOIN signal_caller USING (caller_id)
ORDER BY caller_id, flag, issued_key
"""


def add_signal_functions(functions: MigrationFunctions) -> None:
    """Add the SQL function that the migration calls."""
    functions.add("pack_signals", 0, partial(pack_signals, functions.connection))


def pack_signals(connection: sqlite3.Connection) -> None:
    """Pack signals, each of which had a row of its own, into rows by hour."""
    for key, rows in groupby(connection.execute(_SINGLE).fetchall(), lambda row: row[:5]):
        *caller, flag, issued_key = key
        signals = [moment(time) + identity for *_, time, identity in rows]
        key = SignalKey(SignalCaller(*caller), flag, issued_key)
        hours = cells_by_hour(signals)
        insert_signals(connection, {(key, hour): cells for hour, cells in hours.items()})
