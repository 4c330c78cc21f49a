"""The history of each alert, suppression, rule and file."""

from __future__ import annotations

import getpass
import os
import sqlite3

import msgspec

from detector.store.database import Database


class HistoryEntry(msgspec.Struct, frozen=True):
    """One line of the history of a subject.

    ``time`` is in epoch seconds, and serialized as ``at``.
    """

    time: float = msgspec.field(name="at")
    author: str
    kind: str
    detail: str


class HistoryTable:
    """The lines of the history. They are only ever added."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def entries(self, subject: str) -> list[HistoryEntry]:
        """Return the history of an alert, suppression, rule or file, oldest first."""
        rows = self._database.rows(
            "SELECT at, author, kind, detail FROM history WHERE subject = ? ORDER BY entry_id",
            subject,
        )
        return [HistoryEntry(*row) for row in rows]

    def add(
        self, connection: sqlite3.Connection, subject: str, kind: str, detail: str = ""
    ) -> None:
        """Add a line, by the current user, now."""
        connection.execute(
            "INSERT INTO history (at, author, subject, kind, detail) VALUES (?, ?, ?, ?, ?)",
            (self._database.clock(), current_user(), subject, kind, detail),
        )


def current_user() -> str:
    """Return the login name of the current user, or their id."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
