"""States as older versions wrote them: made from one of today."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from detector.cloudtrail.record import json_text
from detector.detection.baseline import principal_of
from detector.detection.event import Series, inputs_at
from detector.detection.finding import Finding
from detector.detection.signals.signal_event import signal_identity, signal_time
from detector.esql.plan.accumulators import Inputs
from detector.store import schema
from detector.store.files.file_packs import all_files
from detector.store.migrations.observation_numbers import KIND_NUMBERS
from detector.store.migrations.scripts import statements_of
from detector.store.packing.content_id import name_number
from detector.store.packing.finding_rows import RuleSummaries
from detector.store.packing.segment import Segment, StoredRow
from detector.store.packing.signal_rows import unpack_signals

ROWS = next(
    number for number, step in enumerate(schema.MIGRATIONS) if "CREATE TABLE segment " in step
)
"""The last version that had a row for each event and hit."""
_PARTS = """
SELECT alert_id, summary_id, f.content, series_id, start, until, revision, settled, supersedes,
    c.content, l.body, searched, stale, told
FROM today.alert a JOIN today.alert_finding f USING (number)
    JOIN today.lineage l USING (lineage_id) LEFT JOIN today.alert_context c USING (number)
"""


def take_back(path: Path, version: int = ROWS) -> None:
    """Make a state one of an older version, with the same content as far as that could have it."""
    older = path.with_suffix(".older")
    with closing(sqlite3.connect(older, isolation_level=None)) as db:
        db.create_function("event_identity", 1, schema._event_identity)
        for step in schema.MIGRATIONS[:version]:
            for statement in statements_of(step):
                db.execute(statement)
        db.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {version}")
        db.execute("PRAGMA journal_mode = wal")
        db.execute("ATTACH ? AS today", (os.fspath(path),))
        db.execute("BEGIN")
        tables = [
            name
            for (name,) in db.execute(
                "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name IN "
                "(SELECT name FROM today.sqlite_schema)"
            )
        ]
        for table in tables:
            names = [_columns(db, schema_name, table) for schema_name in ("main", "today")]
            shared = ", ".join(name for name in names[0] if name in names[1])
            db.execute(f"DELETE FROM main.{table}")
            if table in ("signal", "alert", "alert_who"):
                continue
            if table == "sight":
                _write_observations(db)
                continue
            db.execute(f"INSERT INTO main.{table} ({shared}) SELECT {shared} FROM today.{table}")
        _write_files(db)
        _join_alerts(db)
        _unpack(db)
        for hour, packed, flag in _query(db, "SELECT hour, events, flag FROM today.signal"):
            for event in unpack_signals(hour, packed):
                db.execute(
                    "INSERT OR IGNORE INTO main.signal (alert_id, flag, identity) "
                    "SELECT alert_id, ?1, ?2 FROM today.alert "
                    "WHERE ?3 >= start - 1800 AND ?3 < until + 1800",
                    (flag, signal_identity(event), signal_time(event)),
                )
        db.execute("COMMIT")
    for ending in ("-wal", "-shm"):
        Path(f"{path}{ending}").unlink(missing_ok=True)
    older.replace(path)


def _write_observations(db: sqlite3.Connection) -> None:
    """Write the observations with the names of their subjects, as far as other tables have them."""
    kinds = {number: kind for kind, number in KIND_NUMBERS.items()}
    names = {
        name_number(name): name
        for (name,) in _query(
            db,
            "SELECT name FROM today.principal "
            "UNION SELECT value FROM today.activity_value WHERE kind IN ('account', 'key')",
        )
    }
    for number, who, what, first in _query(db, "SELECT kind, who, what, first FROM today.sight"):
        if who in names:
            db.execute(
                "INSERT INTO main.sight VALUES (?, ?, ?, ?, ?)",
                (kinds[number], names[who], what, first, first),
            )


def _write_files(db: sqlite3.Connection) -> None:
    """Write one row for each file, and one for each chunk."""
    names = [name for name in _columns(db, "main", "file") if name not in ("path", "print")]
    for path, row in all_files(partial(_query, db)):
        db.execute(
            f"INSERT INTO main.file (path, print, {', '.join(names)}) "
            f"VALUES (?, ?{', ?' * len(names)})",
            (os.fsencode(path), row.fingerprint, *(getattr(row, name) for name in names)),
        )
        if row.principal_index is not None:
            db.execute(
                "INSERT INTO main.chunk (file_id, offset, first, last, marks) "
                "VALUES (?, 0, ?, ?, ?)",
                (row.file_id, row.first, row.last, row.principal_index),
            )


def _join_alerts(db: sqlite3.Connection) -> None:
    """Write one row for each alert, with all its parts."""
    query = partial(_query, db)
    summaries = RuleSummaries()
    for alert_id, summary_id, content, *rest in query(_PARTS):
        finding = summaries.unpack(query, alert_id, summary_id, content)
        facets = finding.facets
        names = {*facets.accounts, *facets.access_keys, *map(principal_of, facets.arns)}
        db.executemany(
            "INSERT INTO main.alert_who (who, alert_id) VALUES (?, ?)",
            [(name, alert_id) for name in names],
        )
        db.execute(
            "INSERT INTO main.alert (alert_id, content, series_id, start, until, revision, "
            "settled, supersedes, context, lineage, searched, stale, told) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (alert_id, _whole_alert(finding), *rest),
        )


def _query(db: sqlite3.Connection, sql: str, *parameters: Any) -> list[Any]:
    return db.execute(sql, parameters).fetchall()


def _whole_alert(finding: Finding) -> bytes:
    """Return the content of an alert with the parts that had no columns of their own."""
    others = {"flags": [], "baseline": None, "risk": None, "revision": 1, "settled": False}
    triage = {"status": "open", "suppressed_by": None, "broke_through": [], "supersedes": []}
    return msgspec.msgpack.encode(msgspec.to_builtins(finding) | others | triage)


def _columns(db: sqlite3.Connection, schema_name: str, table: str) -> list[str]:
    return [name for _, name, *_ in db.execute(f"PRAGMA {schema_name}.table_info({table})")]


def _unpack(db: sqlite3.Connection) -> None:
    """Write a row for each event and each hit."""
    widths = dict(db.execute("SELECT rule_id, width FROM today.rule_number"))
    ((generation,),) = db.execute("SELECT generation FROM progress").fetchall()
    for identities, body in db.execute("SELECT identities, body FROM today.segment").fetchall():
        for stored in Segment.unpack(identities, body).rows():
            _write_event(db, stored, generation)
            row = stored.row
            for time, matches in ((row.time, row.matches), *row.stale):
                for series, inputs in matches:
                    _write_hit(db, stored, series, inputs, time, widths)
    db.execute("DELETE FROM main.series WHERE key = 'null'")  # it had one for each event


def _write_event(db: sqlite3.Connection, stored: StoredRow, generation: int) -> None:
    event = stored.row.event(stored.identity)
    place = event.position.index
    if stored.generation < generation:
        place = -1 - place
    db.execute(
        "INSERT INTO event (identity, time, file_id, offset, place, body) VALUES (?,?,?,?,?,?)",
        (
            stored.identity,
            event.time,
            stored.file_id,
            event.position.offset,
            place,
            msgspec.msgpack.encode(msgspec.structs.astuple(event)[:-1]),
        ),
    )


def _write_hit(
    db: sqlite3.Connection,
    stored: StoredRow,
    series: Series,
    inputs: Inputs,
    time: int,
    widths: dict[str, int],
) -> None:
    event = stored.row.event(stored.identity)
    key = json_text(list(series.key or (event.account, event.event_id)))
    width = widths[series.rule_id]
    db.execute(
        "INSERT OR IGNORE INTO series (rule_id, key, width) VALUES (?, ?, ?)",
        (series.rule_id, key, width),
    )
    ((series_id,),) = db.execute(
        "SELECT series_id FROM series WHERE rule_id = ? AND key = ?", (series.rule_id, key)
    ).fetchall()
    db.execute(
        "INSERT INTO hit (series_id, bucket, identity, inputs) VALUES (?, ?, ?, ?)",
        (
            series_id,
            time // width,
            stored.identity,
            msgspec.msgpack.encode(inputs_at(inputs, time, event.region)),
        ),
    )
    if series.key is None:
        db.execute(
            "UPDATE alert SET series_id = ? WHERE series_id = (SELECT series_id FROM series "
            "WHERE rule_id = ? AND key = 'null') AND start = ? AND instr(content, ?)",
            (series_id, series.rule_id, time, event.event_id.encode()),
        )
