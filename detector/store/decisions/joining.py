"""What the joins of decisions share: versions of one thing, and lines of the history."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, TypeVar

_V = TypeVar("_V", bound=tuple[Any, ...])


def join_versions(ours: Sequence[_V], theirs: Sequence[_V]) -> tuple[Sequence[_V], bool]:
    """Join versions of one thing, oldest first; tell also whether both states had made some.

    A version begins with its time and author. Versions of one second stand in the order of their
    authors, so that both states come to the same. ``ours`` is returned where ``theirs`` adds none.
    """
    added = [version for version in theirs if version not in ours]
    if _is_within(ours, theirs):
        return theirs, False
    if not added or _is_within(theirs, ours):
        return ours, False
    return sorted([*ours, *added], key=lambda version: version[:2]), True


def _is_within(some: Sequence[_V], others: Sequence[_V]) -> bool:
    """Tell whether all of some versions are among others, in their order."""
    rest = iter(others)
    return all(version in rest for version in some)


def put_history(
    connection: sqlite3.Connection, time: float, author: str, subject: str, kind: str, detail: str
) -> None:
    """Add a line with its author and time."""
    connection.execute(
        "INSERT INTO history (at, author, subject, kind, detail) VALUES (?, ?, ?, ?, ?)",
        (time, author, subject, kind, detail),
    )


def put_history_once(
    connection: sqlite3.Connection, time: float, author: str, subject: str, kind: str, detail: str
) -> bool:
    """Add a line, unless one has its subject, author, kind and second; False where one has."""
    is_known = connection.execute(
        "SELECT 1 FROM history WHERE subject = ? AND author = ? AND kind = ? "
        "AND CAST(at AS INTEGER) = ?",
        (subject, author, kind, int(time)),
    ).fetchone()
    if is_known:
        return False
    put_history(connection, time, author, subject, kind, detail)
    return True
