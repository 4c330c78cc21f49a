"""Helpers for merging the decisions of two states: versions of a subject, and history lines."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, TypeVar

_V = TypeVar("_V", bound=tuple[Any, ...])


def join_versions(ours: Sequence[_V], theirs: Sequence[_V]) -> tuple[Sequence[_V], bool]:
    """Merge the versions of a subject, oldest first; also tell whether both states had added some.

    A version begins with its time and author. Versions of the same second are ordered by author, so
    that both states arrive at the same order. If ``theirs`` adds none, ``ours`` is returned.
    """
    added = [version for version in theirs if version not in ours]
    if _is_within(ours, theirs):
        return theirs, False
    if not added or _is_within(theirs, ours):
        return ours, False
    return sorted([*ours, *added], key=lambda version: version[:2]), True


def _is_within(some: Sequence[_V], others: Sequence[_V]) -> bool:
    """Tell whether ``some`` versions are a subsequence of ``others``."""
    rest = iter(others)
    return all(version in rest for version in some)


def put_history(
    connection: sqlite3.Connection, time: float, author: str, subject: str, kind: str, detail: str
) -> None:
    """Add a history line with this author and time."""
    connection.execute(
        "INSERT INTO history (at, author, subject, kind, detail) VALUES (?, ?, ?, ?, ?)",
        (time, author, subject, kind, detail),
    )


def put_history_once(
    connection: sqlite3.Connection, time: float, author: str, subject: str, kind: str, detail: str
) -> bool:
    """Add a history line, unless one with its subject, author, kind and second exists.

    Returns whether the line was added."""
    is_known = connection.execute(
        "SELECT 1 FROM history WHERE subject = ? AND author = ? AND kind = ? "
        "AND CAST(at AS INTEGER) = ?",
        (subject, author, kind, int(time)),
    ).fetchone()
    if is_known:
        return False
    put_history(connection, time, author, subject, kind, detail)
    return True
