"""The numbers by which the stored days refer to principals and values."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from detector.store.packing.network_numbers import network_number, numbered_network
from detector.store.packing.stored_day import Name


class NumberedTable(NamedTuple):
    """A table that assigns numbers to names: its statements to look one up and to add one."""

    select: str
    insert: str


PRINCIPAL_NUMBERS = NumberedTable(
    "SELECT principal_id FROM principal WHERE kind = ? AND name = ?",
    "INSERT INTO principal (kind, name) VALUES (?, ?)",
)
_VALUE_NUMBERS = NumberedTable(
    "SELECT value_id FROM activity_value WHERE kind = ? AND value = ?",
    "INSERT INTO activity_value (kind, value) VALUES (?, ?)",
)


def number_names(
    connection: sqlite3.Connection, table: NumberedTable, names: Iterable[Name]
) -> dict[Name, int]:
    """Return the number of each name; new names are added to the table."""
    ids = {}
    for name in names:
        row = connection.execute(table.select, name).fetchone()
        if row is None:
            row = (connection.execute(table.insert, name).lastrowid,)
        ids[name] = int(row[0])
    return ids


def number_values(connection: sqlite3.Connection, values: Iterable[Name]) -> dict[Name, int]:
    """Return the number of each value.

    The number of a network is computed from it; other values are numbered by a table.
    """
    ids, others = {}, []
    for name in values:
        kind, value = name
        number = network_number(value) if kind == "network" else None
        if number is None:
            others.append(name)
        else:
            ids[name] = number
    return ids | number_names(connection, _VALUE_NUMBERS, others)


class ValueNames(dict[int, Name]):
    """Values by number; networks are computed from their numbers on demand.

    Raises msgspec.MsgspecError for a number that no value has."""

    def __missing__(self, number: int) -> Name:
        if number >= 0:
            raise msgspec.DecodeError(f"no value has the number {number}")
        name = self[number] = "network", numbered_network(number)
        return name
