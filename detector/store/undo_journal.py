"""The journal of decisions: each can be taken back and made again, also after a restart.

A decision is what one key or form did, on however many things. It is taken back as far as each thing is still as the
decision left it; what was changed since stays, and is told. Every author goes back through their own decisions.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from detector.detection.alert import Alert
from detector.store.database import State, author
from detector.store.decision_kinds import THINGS, Stamp


class Wanted(NamedTuple):
    """How a thing shall stand: ``thing`` is a name of ``THINGS``; ``name`` is for people, and may
    quote a log."""

    thing: str
    subject: str
    value: str | None
    name: str


class Decision(msgspec.Struct, frozen=True):
    """What was done (``kind``), to how many things, and when (epoch seconds). ``about`` names the
    thing where it is one, and may quote a log; it is empty for several."""

    at: float
    kind: str
    about: str
    count: int


class Turned(msgspec.Struct, frozen=True):
    """A decision that was taken back or made again, on these ``subjects``: ids, paths.

    ``left`` are those that were changed since, and stay as they are. ``things`` are names of
    ``THINGS``; ``alerts`` have another status now."""

    decision: Decision
    things: frozenset[str]
    subjects: list[str]
    left: list[str]
    alerts: list[Alert] = []


class _Change(NamedTuple):
    thing: str
    subject: str
    before: str | None
    after: str | None


class Journal(State):
    def _decide(self, db: sqlite3.Connection, kind: str, wanted: Iterable[Wanted]) -> None:
        """Let these things stand so, and keep it as one decision; nothing where they do already."""
        changes: list[_Change] = []
        name = ""
        for each in {(each.thing, each.subject): each for each in wanted}.values():
            before = THINGS[each.thing].read(db, each.subject)
            if before != each.value:
                changes.append(_Change(each.thing, each.subject, before, each.value))
                name = each.name
        if not changes:
            return
        db.execute(
            "UPDATE decision SET standing = 'past' WHERE author = ? AND standing = 'undone'",
            (author(),),
        )
        (decision_id,) = db.execute(
            "INSERT INTO decision (at, author, kind, about, standing) VALUES (?, ?, ?, ?, 'done') "
            "RETURNING decision_id",
            (self._clock(), author(), kind, name if len(changes) == 1 else ""),
        ).fetchone()
        db.executemany(
            "INSERT INTO decided VALUES (?, ?, ?, ?, ?)",
            [(decision_id, *change) for change in changes],
        )
        for change in changes:
            self._apply(db, change, kind)

    def _take_back(self, db: sqlite3.Connection) -> Turned | None:
        """Take back the latest decision of this author that stands."""
        return self._turn(db, "done", "DESC", "undone")

    def _make_again(self, db: sqlite3.Connection) -> Turned | None:
        """Make again the decision that was taken back last, where none was made since."""
        return self._turn(db, "undone", "ASC", "done")

    def _turn(
        self, db: sqlite3.Connection, standing: str, order: str, becomes: str
    ) -> Turned | None:
        found = db.execute(
            "SELECT decision_id, at, kind, about FROM decision WHERE author = ? AND standing = ? "
            f"ORDER BY decision_id {order} LIMIT 1",
            (author(), standing),
        ).fetchone()
        if found is None:
            return None
        decision_id, at, kind, about = found
        changes = [
            _Change(*row)
            for row in db.execute(
                "SELECT thing, subject, before, after FROM decided WHERE decision_id = ?",
                (decision_id,),
            )
        ]
        turned: list[str] = []
        left: list[str] = []
        for change in changes if becomes == "done" else map(_backwards, changes):
            if THINGS[change.thing].read(db, change.subject) == change.before:
                self._apply(db, change, f"{kind} {'redone' if becomes == 'done' else 'undone'}")
                turned.append(change.subject)
            else:
                left.append(change.subject)
        db.execute(
            "UPDATE decision SET standing = ? WHERE decision_id = ?",
            (becomes if turned else "past", decision_id),
        )
        return Turned(
            Decision(at, kind, about, len(changes)),
            frozenset(change.thing for change in changes),
            turned,
            left,
        )

    def _apply(self, db: sqlite3.Connection, change: _Change, kind: str) -> None:
        thing = THINGS[change.thing]
        thing.write(db, change.subject, change.after, Stamp(self._clock(), author()))
        subject, detail = thing.told(db, change.subject, change.before, change.after)
        self._record(db, subject, kind, detail)


def _backwards(change: _Change) -> _Change:
    return change._replace(before=change.after, after=change.before)
