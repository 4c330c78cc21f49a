-- The tables of a new state. Written by tests/detector/store/test_new_tables.py.
CREATE TABLE series (
    series_id INTEGER PRIMARY KEY,
    rule_id   TEXT NOT NULL,
    key       TEXT NOT NULL,
    width     INTEGER NOT NULL, gone_first INTEGER, gone_last INTEGER,
    UNIQUE (rule_id, key)
) STRICT;
CREATE TABLE status (
    alert_id TEXT PRIMARY KEY,
    status   TEXT NOT NULL
, at REAL, author TEXT) STRICT, WITHOUT ROWID;
CREATE TABLE note (
    note_id  INTEGER PRIMARY KEY,
    alert_id TEXT NOT NULL,
    created  REAL NOT NULL,
    author   TEXT NOT NULL,
    context  TEXT NOT NULL
, uid TEXT) STRICT;
CREATE INDEX note_alert ON note (alert_id);
CREATE TABLE note_words (
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
CREATE TABLE hidden (
    suppression_id TEXT NOT NULL REFERENCES suppression,
    alert_id       TEXT NOT NULL,
    since          REAL NOT NULL,
    PRIMARY KEY (suppression_id, alert_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE broken (
    suppression_id TEXT NOT NULL REFERENCES suppression,
    alert_id       TEXT NOT NULL,
    brought        TEXT NOT NULL,
    PRIMARY KEY (suppression_id, alert_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE history (
    entry_id INTEGER PRIMARY KEY,
    at       REAL NOT NULL,
    author   TEXT NOT NULL,
    subject  TEXT NOT NULL,
    kind     TEXT NOT NULL,
    detail   TEXT NOT NULL
) STRICT;
CREATE INDEX history_subject ON history (subject);
CREATE TABLE rule (
    rule_id     TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    mode        TEXT NOT NULL
, reach INTEGER) STRICT;
CREATE TABLE named (
    name   TEXT NOT NULL,
    key    TEXT NOT NULL,
    sha256 BLOB NOT NULL,
    oldest INTEGER,
    newest INTEGER,
    digest TEXT NOT NULL,
    named_at REAL NOT NULL,
    PRIMARY KEY (name, sha256)
) STRICT, WITHOUT ROWID;
CREATE TABLE content (
    path   BLOB PRIMARY KEY,
    name   TEXT NOT NULL,
    sha256 BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX content_name ON content (name);
CREATE TABLE feed (
    path      BLOB PRIMARY KEY,
    records   INTEGER NOT NULL,
    read_only INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE progress (
    generation INTEGER NOT NULL,
    newest     INTEGER,
    sequence   INTEGER NOT NULL,
    risk       TEXT NOT NULL
, file_ids INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE rule_off (
    rule_id TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
CREATE INDEX series_gone ON series (gone_first) WHERE gone_first IS NOT NULL;
CREATE TABLE decision (
    decision_id INTEGER PRIMARY KEY,
    at       REAL NOT NULL,
    author   TEXT NOT NULL,
    kind     TEXT NOT NULL,
    about    TEXT NOT NULL,
    standing TEXT NOT NULL CHECK (standing IN ('done', 'undone', 'past'))
, session TEXT NOT NULL DEFAULT '') STRICT;
CREATE INDEX decision_standing ON decision (author, standing);
CREATE TABLE decided (
    decision_id INTEGER NOT NULL REFERENCES decision,
    thing   TEXT NOT NULL,
    subject TEXT NOT NULL,
    before  TEXT,
    after   TEXT,
    PRIMARY KEY (decision_id, thing, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX decided_subject ON decided (thing, subject);
CREATE UNIQUE INDEX note_uid ON note (uid);
CREATE TABLE assignee (
    alert_id TEXT PRIMARY KEY,
    name     TEXT NOT NULL,
    at       REAL NOT NULL,
    author   TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE principal (
    principal_id INTEGER PRIMARY KEY,
    kind  TEXT NOT NULL,
    name  TEXT NOT NULL,
    first INTEGER,
    UNIQUE (kind, name)
) STRICT;
CREATE TABLE session_opening (
    opener         INTEGER NOT NULL REFERENCES principal,
    opener_session INTEGER NOT NULL,
    opened         INTEGER NOT NULL REFERENCES principal,
    opened_session INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last  INTEGER NOT NULL,
    PRIMARY KEY (opener, opener_session, opened, opened_session)
) STRICT, WITHOUT ROWID;
CREATE TABLE activity_pending (
    pending_id INTEGER PRIMARY KEY,
    body BLOB NOT NULL
) STRICT;
CREATE TABLE activity_start (files INTEGER NOT NULL) STRICT;
CREATE TABLE segment (
    segment_id INTEGER PRIMARY KEY,
    fresh      INTEGER NOT NULL,
    tier       INTEGER NOT NULL,
    first      INTEGER NOT NULL,
    last       INTEGER NOT NULL,
    hits       TEXT NOT NULL,
    identities BLOB NOT NULL,
    body       BLOB NOT NULL
) STRICT;
CREATE INDEX segment_span ON segment (first, last);
CREATE INDEX segment_tier ON segment (fresh, tier);
CREATE TABLE rule_number (
    number  INTEGER PRIMARY KEY,
    rule_id TEXT NOT NULL UNIQUE,
    width   INTEGER NOT NULL
) STRICT;
CREATE TABLE term_run (
    series_id INTEGER PRIMARY KEY,
    rule      INTEGER NOT NULL REFERENCES rule_number,
    runs      BLOB NOT NULL
) STRICT;
CREATE TABLE watch (
    watch_id TEXT PRIMARY KEY,
    created  REAL NOT NULL,
    body     TEXT NOT NULL
) STRICT;
CREATE TABLE sighting (
    watch_id TEXT NOT NULL REFERENCES watch,
    identity BLOB NOT NULL,
    time     INTEGER NOT NULL,
    caller   TEXT NOT NULL, action TEXT NOT NULL, region TEXT NOT NULL, address TEXT NOT NULL,
    error    TEXT NOT NULL,
    found    REAL NOT NULL,
    PRIMARY KEY (watch_id, identity)
) STRICT, WITHOUT ROWID;
CREATE TABLE signal_caller (
    caller_id  INTEGER PRIMARY KEY,
    arn        TEXT NOT NULL,
    access_key TEXT NOT NULL,
    role_arn   TEXT NOT NULL,
    UNIQUE (arn, access_key, role_arn)
) STRICT;
CREATE INDEX signal_caller_key ON signal_caller (access_key);
CREATE INDEX signal_caller_role ON signal_caller (role_arn);
CREATE TABLE loaded_span (
    first INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (first, until)
) STRICT, WITHOUT ROWID;
CREATE TABLE hunt (
    hunt_id TEXT PRIMARY KEY,
    created INTEGER NOT NULL,
    author  TEXT NOT NULL
) STRICT;
CREATE TABLE hunt_part (
    version_id INTEGER PRIMARY KEY,
    hunt_id TEXT NOT NULL REFERENCES hunt,
    part    TEXT NOT NULL,
    at      INTEGER NOT NULL,
    author  TEXT NOT NULL,
    value   TEXT NOT NULL
) STRICT;
CREATE INDEX hunt_part_hunt ON hunt_part (hunt_id, part);
CREATE TABLE hunt_run (
    hunt_id  TEXT NOT NULL REFERENCES hunt,
    query_id TEXT NOT NULL,
    at       REAL NOT NULL,
    author   TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    rows     INTEGER NOT NULL,
    new      INTEGER,
    digests  BLOB NOT NULL,
    PRIMARY KEY (hunt_id, query_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE folder (
    folder_id INTEGER PRIMARY KEY,
    prefix BLOB NOT NULL,
    suffix BLOB NOT NULL,
    UNIQUE (prefix, suffix)
) STRICT;
CREATE TABLE rule_summary (
    summary_id INTEGER PRIMARY KEY,
    body       BLOB NOT NULL
) STRICT;
CREATE TABLE lineage (
    lineage_id INTEGER PRIMARY KEY,
    body       TEXT NOT NULL
) STRICT;
CREATE TABLE "alert" (
    number     INTEGER PRIMARY KEY,
    alert_id   TEXT NOT NULL UNIQUE,
    series_id  INTEGER NOT NULL REFERENCES series,
    start      INTEGER NOT NULL,
    until      INTEGER NOT NULL,
    revision   INTEGER NOT NULL,
    settled    INTEGER NOT NULL,
    supersedes TEXT NOT NULL,
    lineage_id INTEGER NOT NULL REFERENCES lineage,
    has_hop    INTEGER NOT NULL,
    searched   INTEGER NOT NULL,
    stale      INTEGER NOT NULL,
    told       INTEGER NOT NULL
) STRICT;
CREATE TABLE alert_finding (
    number     INTEGER PRIMARY KEY REFERENCES "alert" ON DELETE CASCADE,
    summary_id INTEGER NOT NULL REFERENCES rule_summary,
    content    BLOB NOT NULL
) STRICT;
CREATE TABLE alert_context (
    number  INTEGER PRIMARY KEY REFERENCES "alert" ON DELETE CASCADE,
    content BLOB NOT NULL
) STRICT;
CREATE TABLE "alert_who" (
    who    INTEGER NOT NULL,
    number INTEGER NOT NULL REFERENCES "alert" ON DELETE CASCADE,
    PRIMARY KEY (who, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX alert_window ON alert (series_id, start);
CREATE INDEX alert_start ON alert (start);
CREATE INDEX alert_provisional ON alert (until) WHERE settled = 0;
CREATE INDEX alert_stale ON alert (start) WHERE stale = 1;
CREATE INDEX alert_hop ON alert (start) WHERE has_hop = 1;
CREATE INDEX alert_who_alert ON alert_who (number);
CREATE TABLE signal (
    caller_id  INTEGER NOT NULL REFERENCES signal_caller,
    flag       TEXT NOT NULL,
    issued_key TEXT NOT NULL,
    hour       INTEGER NOT NULL,
    events     BLOB NOT NULL,
    PRIMARY KEY (caller_id, flag, issued_key, hour)
) STRICT, WITHOUT ROWID;
CREATE INDEX signal_issued ON signal (issued_key) WHERE issued_key != '';
CREATE TABLE "principal_day" (
    principal_id INTEGER NOT NULL REFERENCES principal,
    day  INTEGER NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (principal_id, day)
) STRICT;
CREATE TABLE file_pack (
    pack_id    INTEGER PRIMARY KEY,
    folder_id  INTEGER NOT NULL REFERENCES folder,
    files      INTEGER NOT NULL,
    first_name BLOB NOT NULL,
    last_name  BLOB NOT NULL,
    first_id   INTEGER NOT NULL,
    last_id    INTEGER NOT NULL,
    first      INTEGER,
    last       INTEGER,
    sequence   INTEGER NOT NULL,
    read_at    INTEGER NOT NULL,
    unread     INTEGER NOT NULL,
    sums       BLOB NOT NULL,
    body       BLOB NOT NULL
) STRICT;
CREATE INDEX file_pack_names ON file_pack (folder_id, last_name, first_name);
CREATE INDEX file_pack_ids ON file_pack (last_id, first_id);
CREATE TABLE file_count (
    file_id INTEGER NOT NULL,
    kind    TEXT NOT NULL CHECK (kind IN ('skipped', 'rejected')),
    reason  TEXT NOT NULL,
    count   INTEGER NOT NULL,
    PRIMARY KEY (file_id, kind, reason)
) STRICT, WITHOUT ROWID;
CREATE TABLE chunk (
    file_id INTEGER NOT NULL,
    offset  INTEGER NOT NULL,
    first   INTEGER NOT NULL,
    last    INTEGER NOT NULL,
    marks   BLOB NOT NULL,
    PRIMARY KEY (file_id, offset)
) STRICT, WITHOUT ROWID;
CREATE TABLE watch_chunk (
    file_id INTEGER NOT NULL,
    offset  INTEGER NOT NULL,
    PRIMARY KEY (file_id, offset)
) STRICT, WITHOUT ROWID;
CREATE TABLE late (
    file_id INTEGER PRIMARY KEY,
    count   INTEGER NOT NULL
) STRICT;
CREATE TABLE sight (
    kind  INTEGER NOT NULL,
    who   INTEGER NOT NULL,
    what  TEXT NOT NULL,
    first INTEGER NOT NULL,
    PRIMARY KEY (kind, who, what)
) STRICT, WITHOUT ROWID;
CREATE TABLE activity_value (
    value_id INTEGER PRIMARY KEY,
    kind  TEXT NOT NULL,
    value TEXT NOT NULL,
    UNIQUE (kind, value)
) STRICT;
INSERT INTO progress VALUES (2, NULL, 0, '', 0);
INSERT INTO activity_start VALUES (0);
