"""The kinds of decision; the value of each subject is stored as a text.

The texts are compared, so that a decision is undone only if its subject still has the value that
the decision gave it. None means that the subject does not exist, or that its creation was undone;
its former content stays in its own history.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from types import MappingProxyType
from typing import Generic, NamedTuple, Protocol, TypeVar

import msgspec

from detector.store.files.file_edits import FileEdits
from detector.text.path_text import path_of_text, source_text
from detector.text.time import format_time
from detector.triage.note import NoteBody
from detector.triage.suppression import Suppression
from detector.triage.watch import Watch

_B = TypeVar("_B", Suppression, Watch)


class Authorship(NamedTuple):
    """When (epoch seconds) a decision was made, and by whom."""

    time: float
    author: str


class DecisionKind(Protocol):
    """A kind of subject whose value is read, written and described."""

    def read(self, connection: sqlite3.Connection, subject: str) -> str | None:
        """Return the current value of a subject."""

    def write(
        self,
        connection: sqlite3.Connection,
        subject: str,
        value: str | None,
        authorship: Authorship,
    ) -> None:
        """Write the value of a subject."""

    def describe(
        self, connection: sqlite3.Connection, subject: str, before: str | None, after: str | None
    ) -> tuple[str, str]:
        """Return the (subject, detail) under which the history records a change."""


class _OfAlert:
    """A value of an alert, in a table with a row for each alert that was decided on.

    ``unset`` is the value of all other alerts, ``unset_name`` its name in the history."""

    def __init__(self, table: str, column: str, unset: str, unset_name: str) -> None:
        self._table = table
        self._column = column
        self._unset = unset
        self._unset_name = unset_name

    def read(self, connection: sqlite3.Connection, subject: str) -> str | None:
        row = connection.execute(
            f"SELECT {self._column} FROM {self._table} WHERE alert_id = ?", (subject,)
        ).fetchone()
        return row[0] if row else self._unset

    def write(
        self,
        connection: sqlite3.Connection,
        subject: str,
        value: str | None,
        authorship: Authorship,
    ) -> None:
        connection.execute(
            f"INSERT OR REPLACE INTO {self._table} (alert_id, {self._column}, at, author) "
            "VALUES (?, ?, ?, ?)",
            (subject, value or self._unset, *authorship),
        )

    def describe(
        self, _: sqlite3.Connection, subject: str, before: str | None, after: str | None
    ) -> tuple[str, str]:
        return subject, f"{before or self._unset_name} -> {after or self._unset_name}"


class _Note:
    """The body of a note as JSON; all versions are kept."""

    def read(self, connection: sqlite3.Connection, subject: str) -> str | None:
        row = connection.execute(
            "SELECT words FROM note_words WHERE note_id = ? ORDER BY rowid DESC LIMIT 1",
            (int(subject),),
        ).fetchone()
        return None if row is None or row[0] == "null" else row[0]

    def write(
        self,
        connection: sqlite3.Connection,
        subject: str,
        value: str | None,
        authorship: Authorship,
    ) -> None:
        connection.execute(
            "INSERT INTO note_words (note_id, at, author, words) VALUES (?, ?, ?, ?)",
            (int(subject), *authorship, value or "null"),
        )

    def describe(
        self, connection: sqlite3.Connection, subject: str, before: str | None, after: str | None
    ) -> tuple[str, str]:
        (about,) = connection.execute(
            "SELECT coalesce(nullif(alert_id, ''), context ->> '$.principal') FROM note "
            "WHERE note_id = ?",
            (int(subject),),
        ).fetchone()
        body = msgspec.json.decode(after or before or "{}", type=NoteBody)
        return about, f"#{subject} {body.verdict}"


class _Body(Generic[_B]):
    """A whole suppression or watch, as JSON in the column ``body`` of its table."""

    def __init__(self, table: str) -> None:
        self._table = table

    def read(self, connection: sqlite3.Connection, subject: str) -> str | None:
        stored = self._stored(connection, subject)
        if stored is None or self.decode(stored).undone is not None:
            return None
        return stored

    def write(
        self,
        connection: sqlite3.Connection,
        subject: str,
        value: str | None,
        authorship: Authorship,
    ) -> None:
        if not value:
            body = self.decode(self._stored(connection, subject))
            value = encode_json(msgspec.structs.replace(body, undone=authorship.time))
        connection.execute(
            f"INSERT INTO {self._table} ({self._table}_id, created, body) VALUES (?, ?, ?) "
            "ON CONFLICT DO UPDATE SET body = excluded.body",
            (subject, self.decode(value).created, value),
        )

    def describe(
        self, _: sqlite3.Connection, subject: str, before: str | None, after: str | None
    ) -> tuple[str, str]:
        if not before or not after:
            created_or_undone = after or before
            if not created_or_undone:
                return subject, ""
            return subject, self.summary(self.decode(created_or_undone))
        return subject, self.difference(self.decode(before), self.decode(after))

    def summary(self, body: _B) -> str:
        """Describe a body that was created, or whose creation was undone."""
        raise NotImplementedError

    def difference(self, before: _B, after: _B) -> str:
        """Describe what has changed."""
        raise NotImplementedError

    def decode(self, body: str | None) -> _B:
        """Decode a stored body."""
        raise NotImplementedError

    def _stored(self, connection: sqlite3.Connection, subject: str) -> str | None:
        row = connection.execute(
            f"SELECT body FROM {self._table} WHERE {self._table}_id = ?", (subject,)
        ).fetchone()
        return row[0] if row else None


class _SuppressionBody(_Body[Suppression]):
    def decode(self, body: str | None) -> Suppression:
        return msgspec.json.decode(body or "", type=Suppression)

    def summary(self, body: Suppression) -> str:
        return f"{body.scope} {body.value} until {format_time(body.expires)}"

    def difference(self, before: Suppression, after: Suppression) -> str:
        if before.expires == after.expires:
            return ""
        return f"until {format_time(after.expires)}, was {format_time(before.expires)}"


class _WatchBody(_Body[Watch]):
    def decode(self, body: str | None) -> Watch:
        return msgspec.json.decode(body or "", type=Watch)

    def summary(self, body: Watch) -> str:
        return f"{body.indicator.kind} {body.indicator.text}"

    def difference(self, before: Watch, after: Watch) -> str:  # noqa: ARG002
        return self.summary(after)


class _RuleSwitch:
    """Whether a rule is on or off."""

    def read(self, connection: sqlite3.Connection, subject: str) -> str | None:
        row = connection.execute("SELECT 1 FROM rule_off WHERE rule_id = ?", (subject,)).fetchone()
        return "off" if row else "on"

    def write(
        self, connection: sqlite3.Connection, subject: str, value: str | None, _: Authorship
    ) -> None:
        statement = "DELETE FROM rule_off WHERE rule_id = ?"
        if value == "off":
            statement = "INSERT OR IGNORE INTO rule_off (rule_id) VALUES (?)"
        connection.execute(statement, (subject,))

    def describe(
        self, _: sqlite3.Connection, subject: str, __: str | None, ___: str | None
    ) -> tuple[str, str]:
        return subject, ""


class _HuntPart:
    """A part of a hunt: its text, or its value as JSON; empty if there is none.

    The subject is the id of the hunt and the name of the part, separated by ``/``."""

    def read(self, connection: sqlite3.Connection, subject: str) -> str | None:
        row = connection.execute(
            "SELECT value FROM hunt_part WHERE hunt_id = ? AND part = ? "
            "ORDER BY version_id DESC LIMIT 1",
            _hunt_and_part(subject),
        ).fetchone()
        return row[0] if row else ""

    def write(
        self,
        connection: sqlite3.Connection,
        subject: str,
        value: str | None,
        authorship: Authorship,
    ) -> None:
        connection.execute(
            "INSERT INTO hunt_part (hunt_id, part, at, author, value) VALUES (?, ?, ?, ?, ?)",
            (*_hunt_and_part(subject), int(authorship.time), authorship.author, value or ""),
        )

    def describe(
        self, _: sqlite3.Connection, subject: str, before: str | None, after: str | None
    ) -> tuple[str, str]:
        hunt_id, part = _hunt_and_part(subject)
        from detector.triage.hunt_record import describe_part

        return hunt_id, describe_part(part, before or "", after or "")


def _hunt_and_part(subject: str) -> tuple[str, str]:
    hunt_id, _, part = subject.partition("/")
    return hunt_id, part


class _File:
    """The state, reason and detail of a file as a JSON array; the subject is its ``path_text``."""

    def read(self, connection: sqlite3.Connection, subject: str) -> str | None:
        row = FileEdits(connection).get(path_of_text(subject))
        return encode_json((row.state, row.reason, row.detail)) if row else None

    def write(
        self, connection: sqlite3.Connection, subject: str, value: str | None, _: Authorship
    ) -> None:
        edits = FileEdits(connection)
        row = edits.get(path_of_text(subject))
        if row is not None:
            row.state, row.reason, row.detail = msgspec.json.decode(value or "")
            edits.write()

    def describe(
        self, _: sqlite3.Connection, subject: str, __: str | None, after: str | None
    ) -> tuple[str, str]:
        path = source_text(path_of_text(subject))
        return path, msgspec.json.decode(after or "")[2] or ""


KINDS: Mapping[str, DecisionKind] = MappingProxyType(
    {
        "status": _OfAlert("status", "status", "open", "open"),
        "assignee": _OfAlert("assignee", "name", "", "nobody"),
        "note": _Note(),
        "suppression": _SuppressionBody("suppression"),
        "watch": _WatchBody("watch"),
        "rule": _RuleSwitch(),
        "file": _File(),
        "hunt": _HuntPart(),
    }
)


def encode_json(value: object) -> str:
    """Encode a value as the state stores it."""
    return msgspec.json.encode(value).decode()
