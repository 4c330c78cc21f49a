"""The recovery of a damaged state into a new one.

What the analyst wrote is copied. The rest need not be: the logs are read again, and the same
records give alerts with the same ids, so that notes, suppressions and statuses find their alerts.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import msgspec

from detector.store.database import Database, refuse_foreign
from detector.store.errors import UNREADABLE, Damaged
from detector.store.opening.connections import connect_to_read
from detector.store.schema import SCHEMA_VERSION

ANALYST_TABLES = (
    "note",
    "note_words",
    "suppression",
    "hidden",
    "broken",
    "status",
    "rule_off",
    "history",
    "decision",
    "decided",
)
"""The tables that come from the analyst and not from the logs, in the order of their references."""

_MAX_DAMAGES = 5

_Row = tuple[Any, ...]


class SavedTable(msgspec.Struct, frozen=True):
    """The rows that were saved of one table.

    Not ``whole``: there may have been more.
    """

    table: str
    rows: int
    whole: bool


def schema_versions(path: Path) -> tuple[int, int]:
    """Return a state's schema version, and that of this program.

    Raises StateError where it is no state, Damaged where it cannot be read.
    """
    refuse_foreign(path)
    with contextlib.closing(connect_to_read(path)) as connection:
        try:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
        except UNREADABLE as error:
            raise Damaged(path) from error
    return version, SCHEMA_VERSION


def find_damage(path: Path) -> list[str]:
    """Return what SQLite finds wrong with a state, a line each.

    Raises StateError where it is no state.
    """
    refuse_foreign(path)
    lines: list[str] = []
    with contextlib.closing(connect_to_read(path)) as connection:
        try:
            for (message,) in connection.execute(f"PRAGMA integrity_check({_MAX_DAMAGES})"):
                lines += message.splitlines()
        except UNREADABLE as error:
            return [str(error)]
    return [] if lines == ["ok"] else lines[:_MAX_DAMAGES]


class Recovery:
    """The copying of what the analyst wrote into another state."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, damaged: Path) -> list[SavedTable]:
        """Copy the analyst's tables from a damaged state, as far as readable."""
        with (
            contextlib.closing(connect_to_read(damaged)) as source,
            self._database.transaction() as connection,
        ):
            return [_copy_table(source, connection, table) for table in ANALYST_TABLES]


def _copy_table(
    source: sqlite3.Connection, connection: sqlite3.Connection, table: str
) -> SavedTable:
    table_info = _read_rows(source, f"PRAGMA table_info({table})")
    columns = [name for _, name, *_ in table_info.rows]
    if not columns:
        return SavedTable(table, 0, table_info.whole)  # the state is older than this table
    key = [name for _, name, *_, key_index in table_info.rows if key_index]
    readable = _read_around_damage(source, table, key or ["rowid"])
    insert = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    copied = 0
    for row in readable.rows:
        # A row that refers to a lost one, or that was never written so, is left out.
        with contextlib.suppress(sqlite3.IntegrityError):
            copied += connection.execute(insert, row).rowcount
    return SavedTable(table, copied, readable.whole and copied == len(readable.rows))


class _ReadableRows(msgspec.Struct):
    rows: list[_Row]
    whole: bool


def _read_around_damage(source: sqlite3.Connection, table: str, key: list[str]) -> _ReadableRows:
    """Read the rows before the first damage and those after the last."""
    ascending = ", ".join(key)
    descending = ", ".join(f"{name} DESC" for name in key)
    first = _read_rows(source, f"SELECT * FROM {table} NOT INDEXED ORDER BY {ascending}")
    if first.whole:
        return first
    last = _read_rows(source, f"SELECT * FROM {table} NOT INDEXED ORDER BY {descending}")
    return _ReadableRows(list(dict.fromkeys([*first.rows, *reversed(last.rows)])), False)


def _read_rows(source: sqlite3.Connection, query: str) -> _ReadableRows:
    rows: list[_Row] = []
    try:
        rows.extend(source.execute(query))
    except UNREADABLE:
        return _ReadableRows(rows, False)
    return _ReadableRows(rows, True)
