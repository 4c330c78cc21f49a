"""The numbers of principals and values, by which days refer to them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple


class NumberedTable(NamedTuple):
    """A table that gives numbers to names."""

    select: str
    insert: str


PRINCIPAL_NUMBERS = NumberedTable(
    "SELECT principal_id FROM principal WHERE kind = ? AND name = ?",
    "INSERT INTO principal (kind, name) VALUES (?, ?)",
)
VALUE_NUMBERS = NumberedTable(
    "SELECT value_id FROM activity_value WHERE kind = ? AND value = ?",
    "INSERT INTO activity_value (kind, value) VALUES (?, ?)",
)


def number_names(
    connection: sqlite3.Connection, table: NumberedTable, names: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    """Return the number of each name; new names get one."""
    ids = {}
    for name in names:
        row = connection.execute(table.select, name).fetchone()
        if row is None:
            row = (connection.execute(table.insert, name).lastrowid,)
        ids[name] = int(row[0])
    return ids
