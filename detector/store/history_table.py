"""The history of each alert, suppression, rule and file."""

from __future__ import annotations

import sqlite3

import msgspec

from detector.store.database import Database


class HistoryEntry(msgspec.Struct, frozen=True):
    """One line of the history of a subject.

    ``time`` is in epoch seconds and serialized as ``at``.
    """

    time: float = msgspec.field(name="at")
    author: str
    kind: str
    detail: str


class HistoryTable:
    """The lines of the history, which is append-only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def entries(self, subject: str) -> list[HistoryEntry]:
        """Return the history of an alert, suppression, rule or file, oldest first."""
        rows = self._database.rows(
            "SELECT at, author, kind, detail FROM history WHERE subject = ? ORDER BY entry_id",
            subject,
        )
        return [HistoryEntry(*row) for row in rows]

    def last_entry(self) -> int:
        """Return the number of the latest line; 0 if there is none."""
        return int(self._database.value("SELECT coalesce(max(entry_id), 0) FROM history"))

    def actions_between(self, after: int, until: int) -> set[str]:
        """Return the kinds of the lines numbered above ``after`` and up to ``until``."""
        rows = self._database.rows(
            "SELECT DISTINCT kind FROM history WHERE entry_id > ? AND entry_id <= ?", after, until
        )
        return {kind for (kind,) in rows}

    def add(
        self, connection: sqlite3.Connection, subject: str, kind: str, detail: str = ""
    ) -> None:
        """Add a line with the current time and the author of this session."""
        connection.execute(
            "INSERT INTO history (at, author, subject, kind, detail) VALUES (?, ?, ?, ?, ?)",
            (self._database.clock(), self._database.author, subject, kind, detail),
        )
