"""The migration that splits the rows of alerts into parts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec

from detector.detection.finding import Finding
from detector.detection.principal import RelatedPrincipals
from detector.store.packing.content_id import name_number
from detector.store.packing.finding_rows import pack_finding
from detector.store.packing.lineage_rows import Lineage
from detector.store.packing.migration_functions import MigrationFunctions

ALERT_PARTS = """
CREATE TABLE rule_summary (    -- what findings repeat of their rules
    summary_id INTEGER PRIMARY KEY,     -- a hash of the body
    body       BLOB NOT NULL
) STRICT;
CREATE TABLE lineage (         -- principals that count as an alert's
    lineage_id INTEGER PRIMARY KEY,     -- a hash of the body
    body       TEXT NOT NULL
) STRICT;
CREATE TABLE alert_row (       -- what changes of an alert, and how it is found
    number     INTEGER PRIMARY KEY,
    alert_id   TEXT NOT NULL UNIQUE,
    series_id  INTEGER NOT NULL REFERENCES series,
    start      INTEGER NOT NULL,
    until      INTEGER NOT NULL,        -- end of the window, exclusive
    revision   INTEGER NOT NULL,
    settled    INTEGER NOT NULL,
    supersedes TEXT NOT NULL,
    lineage_id INTEGER NOT NULL REFERENCES lineage,
    has_hop    INTEGER NOT NULL,        -- whether its principal is known by other names too
    searched   INTEGER NOT NULL,        -- file sequence up to which signals are complete
    stale      INTEGER NOT NULL,        -- whether the context must be computed
    told       INTEGER NOT NULL         -- revision of the stored context; 0: none
) STRICT;
CREATE TABLE alert_finding (   -- what follows from the hits of an alert
    number     INTEGER PRIMARY KEY REFERENCES alert_row ON DELETE CASCADE,
    summary_id INTEGER NOT NULL REFERENCES rule_summary,
    content    BLOB NOT NULL
) STRICT;
CREATE TABLE alert_context (   -- flags, baseline and risk, once known
    number  INTEGER PRIMARY KEY REFERENCES alert_row ON DELETE CASCADE,
    content BLOB NOT NULL
) STRICT;
CREATE TABLE alert_name (      -- the accounts, keys and principals of an alert
    who    INTEGER NOT NULL,            -- a hash of the name; of accounts, negative
    number INTEGER NOT NULL REFERENCES alert_row ON DELETE CASCADE,
    PRIMARY KEY (who, number)
) STRICT, WITHOUT ROWID;
SELECT part_alerts();
DROP TABLE alert_who;
DROP TABLE alert;
ALTER TABLE alert_row RENAME TO alert;
ALTER TABLE alert_name RENAME TO alert_who;
CREATE INDEX alert_window ON alert (series_id, start);
CREATE INDEX alert_start ON alert (start);
CREATE INDEX alert_provisional ON alert (until) WHERE settled = 0;
CREATE INDEX alert_stale ON alert (start) WHERE stale = 1;
CREATE INDEX alert_hop ON alert (start) WHERE has_hop = 1;
CREATE INDEX alert_who_alert ON alert_who (number);
"""
"""The migration to short rows of alerts, because these rows are rewritten several times.

It calls ``part_alerts``."""


def add_alert_functions(functions: MigrationFunctions) -> None:
    """Add the SQL function that the migration calls."""
    functions.add("part_alerts", 0, partial(part_alerts, functions.connection))


def part_alerts(connection: sqlite3.Connection) -> None:
    """Write the parts of all alerts, each of which had a single row."""
    for row in _old_alerts(connection):
        number, alert_id, *span, content, revision, settled, supersedes, context = row[:10]
        stored_lineage, *search = row[10:]
        packed = pack_finding(msgspec.msgpack.decode(content, type=Finding))
        lineage = Lineage.of(msgspec.json.decode(stored_lineage, type=RelatedPrincipals))
        connection.execute("INSERT OR IGNORE INTO rule_summary VALUES (?, ?)", packed.summary)
        connection.execute("INSERT OR IGNORE INTO lineage VALUES (?, ?)", lineage[:2])
        connection.execute(
            "INSERT INTO alert_row VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(number, alert_id, *span, revision, settled, supersedes),
                *(lineage.lineage_id, lineage.has_hop, *search),
            ),
        )
        connection.execute(
            "INSERT INTO alert_finding VALUES (?, ?, ?)",
            (number, packed.summary[0], packed.content),
        )
        if context is not None:
            connection.execute("INSERT INTO alert_context VALUES (?, ?)", (number, context))
    names = connection.execute("SELECT who, alert.rowid FROM alert_who JOIN alert USING (alert_id)")
    connection.executemany(
        "INSERT INTO alert_name VALUES (?, ?)",
        ((name_number(name), number) for name, number in names),
    )


def _old_alerts(connection: sqlite3.Connection) -> Iterator[Any]:
    yield from connection.execute(
        "SELECT rowid, alert_id, series_id, start, until, content, revision, settled, "
        "supersedes, context, lineage, searched, stale, told FROM alert ORDER BY rowid"
    )
