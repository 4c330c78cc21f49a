"""The recovery of a damaged state into a new one.

Only what the analyst wrote is copied. The rest is rebuilt by reading the logs again: the same
records give alerts with the same ids, so notes, suppressions and statuses find their alerts.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import msgspec

from detector.store.database import Database, refuse_foreign
from detector.store.decisions.note_recovery import restore_notes
from detector.store.decisions.row_checks import can_be_decoded
from detector.store.errors import UNREADABLE, Damaged
from detector.store.opening.connections import connect_to_examine
from detector.store.schema import SCHEMA_VERSION

ANALYST_TABLES = (
    "note",
    "note_words",
    "suppression",
    "hidden",
    "broken",
    "status",
    "assignee",
    "rule_off",
    "watch",
    "sighting",
    "hunt",
    "hunt_part",
    "hunt_run",
    "history",
    "decision",
    "decided",
)
"""The tables that come from the analyst, not from the logs; referenced tables come first."""

_MAX_DAMAGES = 5
_MAX_NUMBERS = 20_000
"""The most row numbers to try one by one between two damaged places."""

_Row = tuple[Any, ...]


class SavedTable(msgspec.Struct, frozen=True):
    """How many rows of one table were saved.

    If not ``whole``, rows may be missing: ``lost`` is their number, None if it is unknown.
    """

    table: str
    rows: int
    whole: bool
    lost: int | None = 0


def schema_versions(path: Path) -> tuple[int, int]:
    """Return the schema version of a state and the one that this program writes.

    Raises StateError if the file is not a state, Damaged if it cannot be read.
    """
    refuse_foreign(path)
    with contextlib.ExitStack() as cleanup:
        connection = connect_to_examine(path, cleanup)
        try:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
        except UNREADABLE as error:
            raise Damaged(path) from error
    return version, SCHEMA_VERSION


def find_damage(path: Path) -> list[str]:
    """Return what SQLite's integrity check finds wrong with a state, one line each.

    Raises StateError if the file is not a state.
    """
    refuse_foreign(path)
    lines: list[str] = []
    with contextlib.ExitStack() as cleanup:
        connection = connect_to_examine(path, cleanup)
        try:
            for (message,) in connection.execute(f"PRAGMA integrity_check({_MAX_DAMAGES})"):
                lines += message.splitlines()
        except UNREADABLE as error:
            return [str(error)]
    return [] if lines == ["ok"] else lines[:_MAX_DAMAGES]


class Recovery:
    """Copies what the analyst wrote from a damaged state into this one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, damaged: Path) -> list[SavedTable]:
        """Copy the readable rows of the analyst's tables from a damaged state."""
        with contextlib.ExitStack() as cleanup, self._database.transaction() as connection:
            source = connect_to_examine(damaged, cleanup)
            # Without this pragma SQLite reads no table at all from a truncated file, or from a file
            # whose schema table has one wrong byte.
            source.execute("PRAGMA writable_schema = ON")
            saved = [_copy_table(source, connection, table) for table in ANALYST_TABLES]
            restored = restore_notes(lambda query: _read_rows(source, query).rows, connection)
            return [_with_restored(table, restored.get(table.table, 0)) for table in saved]


def _copy_table(
    source: sqlite3.Connection, connection: sqlite3.Connection, table: str
) -> SavedTable:
    table_info = _read_rows(source, f"PRAGMA table_info({table})")
    columns = [name for _, name, *_ in table_info.rows]
    if not columns:
        return _missing_table(source, table, table_info.whole)
    known = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
    if not set(columns) <= set(known):
        return SavedTable(table, 0, False, None)
    key = [name for _, name, *_, key_index in table_info.rows if key_index]
    readable = _read_around_damage(source, table, key or ["rowid"])
    insert = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    copied = 0
    for row in readable.rows:
        if not can_be_decoded(table, dict(zip(columns, row, strict=True))):
            continue
        # Skip rows that refer to a lost row, or whose damaged content violates a constraint.
        with contextlib.suppress(sqlite3.IntegrityError):
            copied += connection.execute(insert, row).rowcount
    whole = readable.whole and copied == len(readable.rows)
    return SavedTable(table, copied, whole, 0 if whole else _lost(source, table, copied))


def _with_restored(saved: SavedTable, restored: int) -> SavedTable:
    """Add the number of rows that were restored from other tables."""
    if saved.whole or not restored:
        return saved
    lost = saved.lost
    if lost is not None:
        lost = max(0, lost - restored)
    return msgspec.structs.replace(saved, rows=saved.rows + restored, whole=lost == 0, lost=lost)


def _missing_table(source: sqlite3.Connection, table: str, read: bool) -> SavedTable:
    """Describe an unreadable table: not lost if the state is too old to have it, else lost."""
    names = _read_rows(source, "SELECT tbl_name FROM sqlite_schema")
    known = {name for (name,) in names.rows}
    is_older = read and names.whole and table not in known and not _is_damaged(source)
    return SavedTable(table, 0, is_older, 0 if is_older else None)


def _is_damaged(source: sqlite3.Connection) -> bool:
    check = _read_rows(source, "PRAGMA quick_check(1)")
    return not check.whole or check.rows != [("ok",)]


def _lost(source: sqlite3.Connection, table: str, copied: int) -> int | None:
    """Return the number of rows that were not copied; None if no index can be read to count."""
    counted = _read_rows(source, f"SELECT count(*) FROM {table}")
    if not counted.whole or counted.rows[0][0] <= copied:
        return None
    return int(counted.rows[0][0]) - copied


class _ReadableRows(msgspec.Struct):
    rows: list[_Row]
    whole: bool


def _read_around_damage(source: sqlite3.Connection, table: str, key: list[str]) -> _ReadableRows:
    """Read the rows before, after and between damaged places."""
    ascending = ", ".join(key)
    descending = ", ".join(f"{name} DESC" for name in key)
    first = _read_rows(source, f"SELECT * FROM {table} NOT INDEXED ORDER BY {ascending}")
    if first.whole:
        return first
    last = _read_rows(source, f"SELECT * FROM {table} NOT INDEXED ORDER BY {descending}")
    between = _read_one_by_one(source, table)
    rows = dict.fromkeys([*first.rows, *between, *reversed(last.rows)])
    return _ReadableRows(list(rows), False)


def _read_one_by_one(source: sqlite3.Connection, table: str) -> list[_Row]:
    """Read the rows between two damaged places of a table, by trying each row number."""
    numbers = f"SELECT rowid FROM {table} NOT INDEXED ORDER BY rowid"
    ascending = _read_rows(source, numbers).rows
    descending = _read_rows(source, f"{numbers} DESC").rows
    start = ascending[-1][0] + 1 if ascending else 1
    end = descending[-1][0] if descending else start + _MAX_NUMBERS
    rows: list[_Row] = []
    for number in range(start, min(end, start + _MAX_NUMBERS)):
        rows += _read_rows(source, f"SELECT * FROM {table} WHERE rowid = {number}").rows
    return rows


def _read_rows(source: sqlite3.Connection, query: str) -> _ReadableRows:
    rows: list[_Row] = []
    try:
        rows.extend(source.execute(query))
    except UNREADABLE:
        return _ReadableRows(rows, False)
    return _ReadableRows(rows, True)
