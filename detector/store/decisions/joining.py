"""What the joins of decisions share: versions of one thing, and lines of the history."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import TypeVar

_V = TypeVar("_V")


def is_within(some: Sequence[_V], others: Sequence[_V]) -> bool:
    """Tell whether all of some versions are among others, in their order."""
    rest = iter(others)
    return all(version in rest for version in some)


def add_history(
    connection: sqlite3.Connection, time: float, author: str, subject: str, kind: str, detail: str
) -> bool:
    """Add a line with its author and time; False where it is there already."""
    return bool(
        connection.execute(
            "INSERT INTO history (at, author, subject, kind, detail) SELECT ?, ?, ?, ?, ? "
            "WHERE NOT EXISTS (SELECT 1 FROM history WHERE subject = ? AND author = ? "
            "AND kind = ? AND CAST(at AS INTEGER) = ?)",
            (time, author, subject, kind, detail, subject, author, kind, int(time)),
        ).rowcount
    )
