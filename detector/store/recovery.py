"""A state that is damaged: what is wrong with it, and what the analyst wrote, saved into a new one.

The rest need not be saved: the logs are read again, and the same records give alerts with the same ids, so that notes,
suppressions and statuses find their alerts.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import msgspec

from detector.store.database import State, connect_to_read, refuse_foreign
from detector.store.errors import UNREADABLE, Damaged
from detector.store.schema import VERSION

WRITTEN = (
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
"""The tables that come from the analyst and not from the logs; one that others refer to comes
before them."""

_SHOWN = 5

_Row = tuple[Any, ...]


class Saved(msgspec.Struct, frozen=True):
    """Rows of one table that were saved; not ``whole``: there may have been more."""

    table: str
    rows: int
    whole: bool


def schema_of(path: Path) -> tuple[int, int]:
    """The version of the state at ``path``, and the newest, which opening it makes of it. Raises
    StateError where it is no state."""
    refuse_foreign(path)
    with contextlib.closing(connect_to_read(path)) as db:
        try:
            return db.execute("PRAGMA user_version").fetchone()[0], VERSION
        except UNREADABLE as error:
            raise Damaged(path) from error


def damages(path: Path) -> list[str]:
    """What SQLite finds wrong with the state at ``path``, a line each; none where it is sound as
    far as it sees.

    Raises StateError where it is no state.
    """
    refuse_foreign(path)
    with contextlib.closing(connect_to_read(path)) as db:
        try:
            found = [
                line
                for (text,) in db.execute(f"PRAGMA integrity_check({_SHOWN})")
                for line in text.splitlines()
            ]
        except UNREADABLE as error:
            return [str(error)]
    return [] if found == ["ok"] else found[:_SHOWN]


class Rescue(State):
    """The part of the store that takes over what was written into another."""

    def save(self, damaged: Path) -> list[Saved]:
        """Take over what can still be read of the analyst's tables in the state at ``damaged``."""
        with contextlib.closing(connect_to_read(damaged)) as old, self._writing() as db:
            return [_copy(old, db, table) for table in WRITTEN]


def _copy(old: sqlite3.Connection, db: sqlite3.Connection, table: str) -> Saved:
    about = _rows(old, f"PRAGMA table_info({table})")
    names = [name for _, name, *_ in about.rows]
    if not names:
        return Saved(table, 0, about.whole)  # the state is older than this table
    found = _readable(old, table, [name for _, name, *_, key in about.rows if key] or ["rowid"])
    rows = 0
    for row in found.rows:
        with contextlib.suppress(
            sqlite3.IntegrityError
        ):  # it refers to a row that is lost, or was never written so
            rows += db.execute(
                f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(row))})",
                row,
            ).rowcount
    return Saved(table, rows, found.whole and rows == len(found.rows))


class _Found(msgspec.Struct):
    rows: list[_Row]
    whole: bool


def _readable(db: sqlite3.Connection, table: str, key: list[str]) -> _Found:
    """The rows before the first damage and those after the last one, and whether these are all."""
    first = _rows(db, f"SELECT * FROM {table} NOT INDEXED ORDER BY {', '.join(key)}")
    if first.whole:
        return first
    last = _rows(
        db,
        f"SELECT * FROM {table} NOT INDEXED ORDER BY {', '.join(f'{name} DESC' for name in key)}",
    )
    return _Found(list(dict.fromkeys([*first.rows, *reversed(last.rows)])), False)


def _rows(db: sqlite3.Connection, query: str) -> _Found:
    rows: list[_Row] = []
    try:
        rows.extend(db.execute(query))
    except UNREADABLE:
        return _Found(rows, False)
    return _Found(rows, True)
