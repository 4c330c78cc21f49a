"""What the analyst can decide on: each kind of thing as a text in the state that is read, written and told of.

A text is compared as it stands, so that a decision is only taken back where the thing is still as it left it. None:
there is no such thing, or it was taken back; what it said stays in its own history.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol

import msgspec

from detector.cloudtrail.record import format_time
from detector.triage.note import NoteBody
from detector.triage.suppression import Suppression


class Stamp(NamedTuple):
    """When (epoch seconds) and by whom."""

    at: float
    author: str


class Thing(Protocol):
    def read(self, db: sqlite3.Connection, subject: str) -> str | None:
        """How it stands now."""

    def write(self, db: sqlite3.Connection, subject: str, value: str | None, stamp: Stamp) -> None:
        """Let it stand otherwise."""

    def told(
        self, db: sqlite3.Connection, subject: str, before: str | None, after: str | None
    ) -> tuple[str, str]:
        """Under which subject the history tells of the change, and its detail."""


class _Status:
    """The status of an alert."""

    def read(self, db: sqlite3.Connection, subject: str) -> str | None:
        found = db.execute("SELECT status FROM status WHERE alert_id = ?", (subject,)).fetchone()
        return found[0] if found else "open"

    def write(self, db: sqlite3.Connection, subject: str, value: str | None, _: Stamp) -> None:
        db.execute("INSERT OR REPLACE INTO status VALUES (?, ?)", (subject, value))

    def told(
        self, _: sqlite3.Connection, subject: str, before: str | None, after: str | None
    ) -> tuple[str, str]:
        return subject, f"{before} -> {after}"


class _Note:
    """The words of a note, as JSON; all that it ever said is kept."""

    def read(self, db: sqlite3.Connection, subject: str) -> str | None:
        found = db.execute(
            "SELECT words FROM note_words WHERE note_id = ? ORDER BY rowid DESC LIMIT 1",
            (int(subject),),
        ).fetchone()
        return None if found is None or found[0] == "null" else found[0]

    def write(self, db: sqlite3.Connection, subject: str, value: str | None, stamp: Stamp) -> None:
        db.execute(
            "INSERT INTO note_words VALUES (?, ?, ?, ?)", (int(subject), *stamp, value or "null")
        )

    def told(
        self, db: sqlite3.Connection, subject: str, before: str | None, after: str | None
    ) -> tuple[str, str]:
        (alert_id,) = db.execute(
            "SELECT alert_id FROM note WHERE note_id = ?", (int(subject),)
        ).fetchone()
        return (
            alert_id,
            f"#{subject} {msgspec.json.decode(after or before or '{}', type=NoteBody).verdict}",
        )


class _Suppression:
    """A suppression whole, as JSON."""

    def read(self, db: sqlite3.Connection, subject: str) -> str | None:
        held = self._held(db, subject)
        return None if held is None or _suppression(held).undone is not None else held

    def write(self, db: sqlite3.Connection, subject: str, value: str | None, stamp: Stamp) -> None:
        body = value or text(
            msgspec.structs.replace(_suppression(self._held(db, subject)), undone=stamp.at)
        )
        db.execute(
            "INSERT INTO suppression VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body",
            (subject, _suppression(body).created, body),
        )

    def told(
        self, _: sqlite3.Connection, subject: str, before: str | None, after: str | None
    ) -> tuple[str, str]:
        was, now = (_suppression(body) if body else None for body in (before, after))
        if now is None or was is None:
            it = now or was
            return subject, f"{it.scope} {it.value} until {format_time(it.expires)}" if it else ""
        moved = now.expires != was.expires
        return (
            subject,
            f"until {format_time(now.expires)}, was {format_time(was.expires)}" if moved else "",
        )

    def _held(self, db: sqlite3.Connection, subject: str) -> str | None:
        found = db.execute(
            "SELECT body FROM suppression WHERE suppression_id = ?", (subject,)
        ).fetchone()
        return found[0] if found else None


class _Rule:
    """Whether a rule is searched by: on or off."""

    def read(self, db: sqlite3.Connection, subject: str) -> str | None:
        return (
            "off"
            if db.execute("SELECT 1 FROM rule_off WHERE rule_id = ?", (subject,)).fetchone()
            else "on"
        )

    def write(self, db: sqlite3.Connection, subject: str, value: str | None, _: Stamp) -> None:
        db.execute(
            "INSERT OR IGNORE INTO rule_off VALUES (?)"
            if value == "off"
            else "DELETE FROM rule_off WHERE rule_id = ?",
            (subject,),
        )

    def told(
        self, _: sqlite3.Connection, subject: str, __: str | None, ___: str | None
    ) -> tuple[str, str]:
        return subject, ""


class _File:
    """What is made of a file, as JSON: state, reason, detail."""

    def read(self, db: sqlite3.Connection, subject: str) -> str | None:
        found = db.execute(
            "SELECT state, reason, detail FROM file WHERE path = ?", (os.fsencode(subject),)
        ).fetchone()
        return text(found) if found else None

    def write(self, db: sqlite3.Connection, subject: str, value: str | None, _: Stamp) -> None:
        db.execute(
            "UPDATE file SET state = ?, reason = ?, detail = ? WHERE path = ?",
            (*msgspec.json.decode(value or ""), os.fsencode(subject)),
        )

    def told(
        self, _: sqlite3.Connection, subject: str, __: str | None, after: str | None
    ) -> tuple[str, str]:
        return subject, msgspec.json.decode(after or "")[2] or ""


THINGS: Mapping[str, Thing] = MappingProxyType(
    {
        "status": _Status(),
        "note": _Note(),
        "suppression": _Suppression(),
        "rule": _Rule(),
        "file": _File(),
    }
)


def text(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _suppression(body: str | None) -> Suppression:
    return msgspec.json.decode(body or "", type=Suppression)
