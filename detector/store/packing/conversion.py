"""The packing of events and hits of older states, which had a database row for each."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec

from detector.detection.event import Event, KeptEvent, Match, Series, inputs_without_time
from detector.detection.finding import Finding
from detector.store.packing.migration_functions import MigrationFunctions
from detector.store.packing.packer import SEGMENT_ROWS
from detector.store.packing.segment import Segment, StoredRow
from detector.store.packing.segment_writer import insert_segment
from detector.store.packing.shared_signals import share_signals

PACKING = """
CREATE TABLE segment (         -- the events of the windows, packed
    segment_id INTEGER PRIMARY KEY,
    fresh      INTEGER NOT NULL,        -- whether alerts are to be derived from it
    tier       INTEGER NOT NULL,        -- of its size
    first      INTEGER NOT NULL,        -- span of event times, in epoch seconds
    last       INTEGER NOT NULL,
    hits       TEXT NOT NULL,           -- how many, by rule
    identities BLOB NOT NULL,
    body       BLOB NOT NULL
) STRICT;
CREATE INDEX segment_span ON segment (first, last);
CREATE INDEX segment_tier ON segment (fresh, tier);
CREATE TABLE rule_number (     -- every rule that was ever used
    number  INTEGER PRIMARY KEY,
    rule_id TEXT NOT NULL UNIQUE,
    width   INTEGER NOT NULL            -- of a bucket, in seconds
) STRICT;
CREATE TABLE term_run (        -- first and last hits of a series of new terms
    series_id INTEGER PRIMARY KEY,      -- a hash of rule and key
    rule      INTEGER NOT NULL REFERENCES rule_number,
    runs      BLOB NOT NULL
) STRICT;
CREATE TABLE packed_signal (
    alert_id TEXT NOT NULL REFERENCES alert ON DELETE CASCADE,
    flag     TEXT NOT NULL,
    identity BLOB NOT NULL,
    time     INTEGER NOT NULL,          -- of the event
    PRIMARY KEY (alert_id, flag, identity)
) STRICT, WITHOUT ROWID;
INSERT INTO packed_signal
    SELECT alert_id, flag, identity, time FROM signal JOIN event USING (identity);
INSERT INTO rule_number (rule_id, width)
    SELECT rule_id, max(width) FROM series GROUP BY rule_id;
SELECT pack_events();
DROP TABLE signal;
DROP TABLE touched;
DROP TABLE hit;
DROP TABLE event;
ALTER TABLE packed_signal RENAME TO signal;
DELETE FROM series WHERE gone_first IS NULL AND series_id NOT IN (SELECT series_id FROM alert);
"""
"""The migration to segments. It calls ``pack_events``."""

SHARING = """
ALTER TABLE signal RENAME TO alert_signal;
CREATE TABLE signal_caller (   -- who called, of signals
    caller_id  INTEGER PRIMARY KEY,
    arn        TEXT NOT NULL,
    access_key TEXT NOT NULL,
    role_arn   TEXT NOT NULL,
    UNIQUE (arn, access_key, role_arn)
) STRICT;
CREATE INDEX signal_caller_key ON signal_caller (access_key);
CREATE INDEX signal_caller_role ON signal_caller (role_arn);
CREATE TABLE signal (          -- the events near alerts that raise flags
    caller_id  INTEGER NOT NULL REFERENCES signal_caller,
    time       INTEGER NOT NULL,
    identity   BLOB NOT NULL,
    flag       TEXT NOT NULL,
    issued_key TEXT NOT NULL,           -- of the session that it opened
    PRIMARY KEY (caller_id, time, identity, flag)
) STRICT, WITHOUT ROWID;
SELECT share_signals();
DROP TABLE alert_signal;
CREATE INDEX signal_identity ON signal (identity);
CREATE INDEX signal_issued ON signal (issued_key) WHERE issued_key != '';
"""
"""The migration to signals that alerts share; before, each alert had a row per signal.

It calls ``share_signals``."""

_EVENTS = """
SELECT e.identity, e.file_id, e.offset, e.place, e.body, s.rule_id, s.key, s.width, h.bucket,
    h.inputs
FROM event e LEFT JOIN hit h USING (identity) LEFT JOIN series s USING (series_id)
ORDER BY e.time, e.identity
"""


HIT_COUNTS = """
ALTER TABLE file ADD COLUMN hits INTEGER NOT NULL DEFAULT 0;  -- with the duplicate ones
UPDATE file SET hits = duplicate;
SELECT count_hits();
DROP INDEX file_sums;
CREATE INDEX file_sums ON file (state, reason, seen, hits, duplicate);  -- for the accounting
"""
"""The migration to counts of hits. It calls ``count_hits``."""

EVENT_TIME_MARKS = ""
"""Nothing to migrate: from here on, segments may hold marks for inputs that equal the event's time.

The new version number makes older programs, which cannot read the marks, refuse the state."""

REGION_MARKS = ""
"""Nothing to migrate: as ``EVENT_TIME_MARKS``, for inputs that equal the event's region."""

PART_VALUES = ""
"""Nothing to migrate: stored segment bodies of the first form can still be read.

The new version number makes older programs, which cannot read new bodies, refuse the state."""

NEW_BODIES = (REGION_MARKS, PART_VALUES)
"""The migrations that follow ``PACKED_SIGNALS``, in order."""

FINDINGS = """
UPDATE alert SET content = finding_of(content);  -- context and triage have columns of their own
"""
"""The migration to alerts whose content is only their finding. It calls ``finding_of``."""

LOADED_DAYS = """
ALTER TABLE file ADD COLUMN files INTEGER NOT NULL DEFAULT 1;  -- those that it counts
DROP INDEX file_sums;
CREATE INDEX file_sums ON file (state, reason, files, seen, hits, duplicate);
CREATE TABLE loaded_span (     -- event times of which a backfill kept only what alerts need
    first INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (first, until)
) STRICT, WITHOUT ROWID;
"""
"""The migration to file rows that count the files of a folder."""

AFTER_PACKING = (SHARING, HIT_COUNTS, EVENT_TIME_MARKS, FINDINGS, LOADED_DAYS)
"""The migrations that follow ``WATCH_TABLES``, in order."""


def add_conversions(functions: MigrationFunctions) -> None:
    """Add the SQL functions that these migrations call."""
    connection = functions.connection
    functions.add("pack_events", 0, partial(pack_events, connection))
    functions.add("share_signals", 0, partial(share_signals, connection))
    functions.add("count_hits", 0, partial(count_hits, connection))
    functions.add("finding_of", 1, finding_of)


def finding_of(content: bytes) -> bytes:
    """Return the finding in the content of an alert that was stored together with other parts."""
    return msgspec.msgpack.encode(msgspec.msgpack.decode(content, type=Finding))


def pack_events(connection: sqlite3.Connection) -> None:
    """Pack the rows of ``event`` and ``hit`` into fresh segments; join series without a window.

    Fresh segments have their alerts derived once more, which changes none of them.
    """
    ((generation,),) = connection.execute("SELECT generation FROM progress").fetchall()
    events = connection.execute(_EVENTS)
    rows: list[StoredRow] = []
    for _, of_event in groupby(events, itemgetter(0)):
        rows.append(_stored_row(list(of_event), generation))
        if len(rows) == SEGMENT_ROWS:
            insert_segment(connection, rows, is_fresh=True)
            rows = []
    if rows:
        insert_segment(connection, rows, is_fresh=True)
    _join_series(connection)


def count_hits(connection: sqlite3.Connection) -> None:
    """Add the stored hits to the hit counts of the files that brought them."""
    counts: Counter[int] = Counter()
    for packed in connection.execute("SELECT identities, body FROM segment"):
        rows = Segment.unpack(*packed).rows()
        counts.update(stored.file_id for stored in rows if stored.row.matches or stored.row.stale)
    connection.executemany(
        "UPDATE file SET hits = hits + ? WHERE file_id = ?",
        [(count, file_id) for file_id, count in counts.items()],
    )


def _stored_row(rows: list[Any], generation: int) -> StoredRow:
    """Return an event with its matches."""
    identity, file_id, offset, place, body, *_ = rows[0]
    # A negative place marked an event whose file must be read once more.
    index = max(place, -1 - place)
    event = msgspec.convert([*msgspec.msgpack.decode(body), ("", offset, index)], Event)
    _, row = KeptEvent.of_event(event)
    by_time: dict[int, list[Match]] = {event.time: []}
    for *_, rule_id, key, width, bucket, inputs in rows:
        if rule_id is None:
            continue
        time = event.time if event.time // width == bucket else bucket * width
        series = Series(rule_id, _key(event, key, width))
        values = tuple(msgspec.msgpack.decode(inputs))
        by_time.setdefault(time, []).append((series, inputs_without_time(values, time)))
    row = msgspec.structs.replace(
        row,
        matches=tuple(by_time.pop(event.time)),
        stale=tuple((time, tuple(matches)) for time, matches in sorted(by_time.items())),
    )
    return StoredRow(identity, row, file_id, generation if place >= 0 else generation - 1)


def _key(event: Event, key: str, width: int) -> tuple[Any, ...] | None:
    values = tuple(msgspec.json.decode(key))
    return None if width == 1 and values == (event.account, event.event_id) else values


def _join_series(connection: sqlite3.Connection) -> None:
    """Join the series of each rule without a window into one; it had a series per event."""
    alerts: Iterable[Any] = connection.execute(
        "SELECT alert_id, rule_id, key, content FROM alert JOIN series USING (series_id) "
        "WHERE width = 1"
    ).fetchall()
    for alert_id, rule_id in _of_no_window(alerts):
        connection.execute(
            "INSERT OR IGNORE INTO series (rule_id, key, width) VALUES (?, 'null', 1)", (rule_id,)
        )
        connection.execute(
            "UPDATE alert SET series_id = (SELECT series_id FROM series "
            "WHERE rule_id = ? AND key = 'null') WHERE alert_id = ?",
            (rule_id, alert_id),
        )


def _of_no_window(alerts: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Yield (alert id, rule id) of the alerts of rules without a window."""
    for alert_id, rule_id, key, content in alerts:
        finding = msgspec.msgpack.decode(content, type=Finding)
        values = msgspec.json.decode(key)
        if finding.window is None and len(values) == 2 and finding.event_ids == [values[1]]:
            yield alert_id, rule_id
