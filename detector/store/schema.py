"""The tables of a state, and the migrations from older versions."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from detector.cloudtrail.record import identity
from detector.store.migrations.activity_tables import ACTIVITY_TABLES
from detector.store.migrations.alert_parts import ALERT_PARTS, add_alert_functions
from detector.store.migrations.file_packs import FILE_PACKS, add_pack_functions
from detector.store.migrations.file_paths import FILE_PATHS, add_path_functions
from detector.store.migrations.first_observations import FIRST_OBSERVATIONS
from detector.store.migrations.hunt_tables import HUNT_TABLES
from detector.store.migrations.network_numbers import NETWORK_NUMBERS, add_network_functions
from detector.store.migrations.observation_numbers import (
    OBSERVATION_NUMBERS,
    add_observation_functions,
)
from detector.store.migrations.packed_signals import PACKED_SIGNALS, add_signal_functions
from detector.store.migrations.read_observations import READ_OBSERVATIONS
from detector.store.migrations.scripts import MADE_VERSION, new_tables, statements_of
from detector.store.migrations.session_names import SESSION_NAMES, add_session_functions
from detector.store.migrations.watch_tables import WATCH_TABLES
from detector.store.packing.conversion import AFTER_PACKING, NEW_BODIES, PACKING, add_conversions
from detector.store.packing.migration_functions import MigrationFunctions

SQLITE = sqlite3.sqlite_version
"""The version of the SQLite library that Python is linked with."""

APPLICATION_ID = 0x7472_6C68  # "trlh": a file of another program is never taken for a state

MIGRATIONS = (
    """
CREATE TABLE file (            -- every log file: how it was read, and what it held
    file_id  INTEGER PRIMARY KEY,
    path     BLOB NOT NULL UNIQUE,      -- as the file system has it, which need not be UTF-8
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
    seen     INTEGER NOT NULL,
    duplicate INTEGER NOT NULL,
    first    INTEGER,                   -- span of event times, in epoch seconds
    last     INTEGER,
    read_at  REAL NOT NULL,
    sequence INTEGER NOT NULL           -- grows with each read that brought records
) STRICT;
CREATE INDEX file_span ON file (first, last);
CREATE INDEX file_sequence ON file (sequence);

CREATE TABLE file_count (      -- the records of a file that were not kept, by reason
    file_id INTEGER NOT NULL REFERENCES file,
    kind    TEXT NOT NULL CHECK (kind IN ('skipped', 'rejected')),
    reason  TEXT NOT NULL,
    count   INTEGER NOT NULL,
    PRIMARY KEY (file_id, kind, reason)
) STRICT, WITHOUT ROWID;

CREATE TABLE chunk (           -- what is read of a file at once: the index of searches
    file_id INTEGER NOT NULL REFERENCES file ON DELETE CASCADE,
    offset  INTEGER NOT NULL,
    first   INTEGER NOT NULL,
    last    INTEGER NOT NULL,
    marks   BLOB NOT NULL,
    PRIMARY KEY (file_id, offset)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (           -- what is kept of each record that a rule counted
    identity BLOB PRIMARY KEY,
    time     INTEGER NOT NULL,
    file_id  INTEGER NOT NULL REFERENCES file,
    offset   INTEGER NOT NULL,
    place    INTEGER NOT NULL,
    body     BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE series (          -- a rule with the values of its keys
    series_id INTEGER PRIMARY KEY,
    rule_id   TEXT NOT NULL,
    key       TEXT NOT NULL,
    width     INTEGER NOT NULL,         -- of a bucket, in seconds
    UNIQUE (rule_id, key)
) STRICT;

CREATE TABLE hit (             -- the windows: sets of events
    series_id INTEGER NOT NULL REFERENCES series,
    bucket    INTEGER NOT NULL,
    identity  BLOB NOT NULL REFERENCES event,
    inputs    BLOB NOT NULL,
    PRIMARY KEY (series_id, bucket, identity)
) STRICT, WITHOUT ROWID;

CREATE TABLE alert (
    alert_id   TEXT PRIMARY KEY,
    series_id  INTEGER NOT NULL REFERENCES series,
    start      INTEGER NOT NULL,
    until      INTEGER NOT NULL,        -- end of the window, exclusive
    content    BLOB NOT NULL,           -- what follows from its hits
    revision   INTEGER NOT NULL,
    settled    INTEGER NOT NULL,
    supersedes TEXT NOT NULL,
    context    BLOB,                    -- flags, baseline and risk, once known
    lineage    TEXT NOT NULL,           -- the principals that count as one
    searched   INTEGER NOT NULL,        -- file sequence up to which signals are complete
    stale      INTEGER NOT NULL,        -- whether the context must be computed
    told       INTEGER NOT NULL         -- revision of the stored context; 0: none
) STRICT;
CREATE INDEX alert_window ON alert (series_id, start);
CREATE INDEX alert_start ON alert (start);
CREATE INDEX alert_provisional ON alert (until) WHERE settled = 0;
CREATE INDEX alert_stale ON alert (alert_id) WHERE stale = 1;

CREATE TABLE alert_who (       -- the accounts, keys and principals of an alert
    who      TEXT NOT NULL,
    alert_id TEXT NOT NULL REFERENCES alert ON DELETE CASCADE,
    PRIMARY KEY (who, alert_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX alert_who_alert ON alert_who (alert_id);

CREATE TABLE signal (          -- events of an alert's principal near it, by flag
    alert_id TEXT NOT NULL REFERENCES alert ON DELETE CASCADE,
    flag     TEXT NOT NULL,
    identity BLOB NOT NULL REFERENCES event,
    PRIMARY KEY (alert_id, flag, identity)
) STRICT, WITHOUT ROWID;

CREATE TABLE sight (           -- the baseline
    kind  TEXT NOT NULL,
    who   TEXT NOT NULL,
    what  TEXT NOT NULL,
    first INTEGER NOT NULL,
    last  INTEGER NOT NULL,
    PRIMARY KEY (kind, who, what)
) STRICT, WITHOUT ROWID;

CREATE TABLE status (          -- of an alert; one without a row is open
    alert_id TEXT PRIMARY KEY,
    status   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE note (
    note_id  INTEGER PRIMARY KEY,
    alert_id TEXT NOT NULL,
    created  REAL NOT NULL,
    author   TEXT NOT NULL,
    context  TEXT NOT NULL
) STRICT;
CREATE INDEX note_alert ON note (alert_id);

CREATE TABLE note_words (      -- every version of the body of a note
    note_id INTEGER NOT NULL REFERENCES note,
    at      REAL NOT NULL,
    author  TEXT NOT NULL,
    words   TEXT NOT NULL
) STRICT;
CREATE INDEX note_words_note ON note_words (note_id);

CREATE TABLE suppression (
    suppression_id TEXT PRIMARY KEY,
    created REAL NOT NULL,
    body    TEXT NOT NULL
) STRICT;

CREATE TABLE hidden (          -- the alerts that a suppression has hidden
    suppression_id TEXT NOT NULL REFERENCES suppression,
    alert_id       TEXT NOT NULL,
    since          REAL NOT NULL,
    PRIMARY KEY (suppression_id, alert_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE broken (          -- the alerts that broke through, and why
    suppression_id TEXT NOT NULL REFERENCES suppression,
    alert_id       TEXT NOT NULL,
    brought        TEXT NOT NULL,
    PRIMARY KEY (suppression_id, alert_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE history (         -- append only
    entry_id INTEGER PRIMARY KEY,
    at       REAL NOT NULL,
    author   TEXT NOT NULL,
    subject  TEXT NOT NULL,
    kind     TEXT NOT NULL,
    detail   TEXT NOT NULL
) STRICT;
CREATE INDEX history_subject ON history (subject);

CREATE TABLE rule (            -- the rules by which the files were searched
    rule_id     TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    mode        TEXT NOT NULL
) STRICT;

CREATE TABLE named (           -- the files that a digest file names
    name   TEXT NOT NULL,               -- unique, and the same in every copy of the file
    key    TEXT NOT NULL,               -- where the trail delivered it
    sha256 BLOB NOT NULL,               -- of its unpacked content
    oldest INTEGER,
    newest INTEGER,
    digest TEXT NOT NULL,               -- path of the digest file
    named_at REAL NOT NULL,
    PRIMARY KEY (name, sha256)
) STRICT, WITHOUT ROWID;

CREATE TABLE content (         -- the hashes of files that a digest may name
    path   BLOB PRIMARY KEY,
    name   TEXT NOT NULL,
    sha256 BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX content_name ON content (name);

CREATE TABLE feed (            -- the records of EventBridge feeds
    path      BLOB PRIMARY KEY,
    records   INTEGER NOT NULL,
    read_only INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE progress (        -- one row
    generation INTEGER NOT NULL,        -- grows with each new rule: files are searched again
    newest     INTEGER,                 -- newest event time, but for those in the future
    sequence   INTEGER NOT NULL,        -- of the last read that brought records
    risk       TEXT NOT NULL            -- fingerprint of the risk table in use
) STRICT;
INSERT INTO progress VALUES (0, NULL, 0, '');
""",
    """
CREATE TABLE rule_off (        -- the rules that are switched off
    rule_id TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
""",
    """
CREATE INDEX file_sums ON file (state, reason, seen, duplicate);  -- for the accounting
""",
    """
ALTER TABLE rule ADD COLUMN reach INTEGER;         -- how far hits affect others; NULL: unknown
ALTER TABLE series ADD COLUMN gone_first INTEGER;  -- the evicted buckets
ALTER TABLE series ADD COLUMN gone_last INTEGER;
CREATE INDEX series_gone ON series (gone_first) WHERE gone_first IS NOT NULL;
CREATE TABLE late (            -- records that came for evicted windows
    file_id INTEGER PRIMARY KEY REFERENCES file ON DELETE CASCADE,
    count   INTEGER NOT NULL
) STRICT;
""",
    """
CREATE TABLE decision (        -- the journal: what one key or form did
    decision_id INTEGER PRIMARY KEY,
    at       REAL NOT NULL,
    author   TEXT NOT NULL,
    kind     TEXT NOT NULL,
    about    TEXT NOT NULL,             -- the name of its subject; empty for several
    standing TEXT NOT NULL CHECK (standing IN ('done', 'undone', 'past'))   -- past: final
) STRICT;
CREATE INDEX decision_standing ON decision (author, standing);

CREATE TABLE decided (         -- what a decision changed, by subject
    decision_id INTEGER NOT NULL REFERENCES decision,
    thing   TEXT NOT NULL,
    subject TEXT NOT NULL,
    before  TEXT,
    after   TEXT,
    PRIMARY KEY (decision_id, thing, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX decided_subject ON decided (thing, subject);
""",
    """
DELETE FROM chunk;             -- without the positions of records: files are read again
UPDATE progress SET generation = generation + 1;
""",
    """
PRAGMA defer_foreign_keys = ON;  -- events are known by an eventID that is a UUID alone
CREATE TABLE renamed (former BLOB PRIMARY KEY, present BLOB NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO renamed SELECT identity, event_identity(body) FROM event;
UPDATE rule SET fingerprint = '' WHERE rule_id IN (  -- searched anew: it counted copies
    SELECT rule_id FROM series JOIN hit USING (series_id) JOIN renamed ON former = identity
    WHERE present IN (SELECT present FROM renamed GROUP BY present HAVING count(*) > 1)
    UNION SELECT rule_id FROM series WHERE key LIKE '["",%'
);
UPDATE OR REPLACE event
    SET identity = (SELECT present FROM renamed WHERE former = identity);
UPDATE OR REPLACE hit SET identity = (SELECT present FROM renamed WHERE former = identity);
UPDATE OR REPLACE signal SET identity = (SELECT present FROM renamed WHERE former = identity);
DROP TABLE renamed;
""",
    """
CREATE TABLE touched (         -- the buckets with hits from which no alert was derived yet
    series_id INTEGER NOT NULL REFERENCES series ON DELETE CASCADE,
    bucket    INTEGER NOT NULL,
    PRIMARY KEY (series_id, bucket)
) STRICT, WITHOUT ROWID;
CREATE INDEX alert_hop ON alert (start)  -- whose principal is known by other names too
    WHERE instr(lineage, '"hop":{"arns":[],"roles":[],"keys":[]}') = 0;
""",
    """
ALTER TABLE decision ADD COLUMN session TEXT NOT NULL DEFAULT '';  -- of the process that decided
ALTER TABLE note ADD COLUMN uid TEXT;              -- the same in every state; NULL: an older note
CREATE UNIQUE INDEX note_uid ON note (uid);
ALTER TABLE status ADD COLUMN at REAL;             -- when it was decided, and by whom
ALTER TABLE status ADD COLUMN author TEXT;
UPDATE status SET (at, author) = (
    SELECT at, author FROM history WHERE subject = alert_id AND detail LIKE '% -> ' || status
    ORDER BY entry_id DESC LIMIT 1
);
""",
    """
CREATE TEMP TABLE nobody AS    -- callers that could not be found were counted for nobody
    SELECT series_id FROM series WHERE key LIKE '%null%';
DELETE FROM touched WHERE series_id IN (SELECT series_id FROM nobody);
DELETE FROM hit WHERE series_id IN (SELECT series_id FROM nobody);
DELETE FROM alert WHERE series_id IN (SELECT series_id FROM nobody);
DROP TABLE nobody;
UPDATE progress SET generation = generation + 1;  -- and files may hold records now
""",
    """
CREATE TABLE assignee (        -- who works on an alert; one without a row is nobody's
    alert_id TEXT PRIMARY KEY,
    name     TEXT NOT NULL,             -- empty: it was given back
    at       REAL NOT NULL,             -- when it was decided, and by whom
    author   TEXT NOT NULL
) STRICT, WITHOUT ROWID;
""",
    ACTIVITY_TABLES,
    PACKING,
    WATCH_TABLES,
    *AFTER_PACKING,
    HUNT_TABLES,
    FILE_PATHS,
    ALERT_PARTS,
    FIRST_OBSERVATIONS,
    PACKED_SIGNALS,
    *NEW_BODIES,
    OBSERVATION_NUMBERS,
    SESSION_NAMES,
    FILE_PACKS,
    READ_OBSERVATIONS,
    NETWORK_NUMBERS,
)

SCHEMA_VERSION = len(MIGRATIONS)


def migrate(connection: sqlite3.Connection) -> None:
    """Migrate the tables to the newest version, in one transaction.

    A state of the newest version is not written to, so that it opens even on a full disk. Raises
    MsgspecError if a value to convert is damaged.
    """
    functions = MigrationFunctions(connection)
    functions.add("event_identity", 1, _event_identity)
    add_conversions(functions)
    add_path_functions(functions)
    add_alert_functions(functions)
    add_signal_functions(functions)
    add_observation_functions(functions)
    add_session_functions(functions)
    add_pack_functions(functions)
    add_network_functions(functions)
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        for script in _scripts(version):
            for statement in statements_of(script):
                connection.execute(statement)
        if version < SCHEMA_VERSION:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        if functions.raised:
            raise functions.raised[0] from None
        raise


def _scripts(version: int) -> Sequence[str]:
    """Return the scripts that bring a state of a version to the newest; version 0 has no tables."""
    if version or len(MIGRATIONS) < MADE_VERSION:
        return MIGRATIONS[version:]
    return new_tables(), *MIGRATIONS[MADE_VERSION:]


def _event_identity(body: bytes) -> bytes:
    """Return the identity of the event whose stored body is ``body``."""
    account, event_id, *_ = msgspec.msgpack.decode(body)
    return identity(account, event_id)
