"""The journal of decisions, which can be undone and redone.

A decision is what one key or form did, to however many subjects. Undoing it restores each subject
that still stands as the decision left it; the others keep what was decided since. Every author has
their own way back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Literal, NamedTuple

import msgspec

from detector.detection.alert import Alert
from detector.store.database import Database
from detector.store.decisions.decision_kinds import KINDS, Authorship
from detector.store.history_table import HistoryTable, current_user


class Change(NamedTuple):
    """A value that a subject shall have.

    ``kind`` is a name of ``KINDS``; ``name`` is for people, and may quote a log.
    """

    kind: str
    subject: str
    value: str | None
    name: str


class Decision(msgspec.Struct, frozen=True):
    """What was done (``action``), to how many subjects, and when (epoch seconds).

    ``subject_name`` is for people, and may quote a log; it is empty for several subjects.
    """

    time: float
    action: str
    subject_name: str
    count: int


class UndoResult(msgspec.Struct, frozen=True):
    """A decision that was undone or redone for these ``subjects``: ids, paths.

    ``unchanged`` are those that were changed since, and stay as they are. ``kinds`` are names of
    ``KINDS``; ``alerts`` are those whose status has changed.
    """

    decision: Decision
    kinds: frozenset[str]
    subjects: list[str]
    unchanged: list[str]
    alerts: list[Alert] = []


class _Step(NamedTuple):
    kind: str
    subject: str
    before: str | None
    after: str | None

    def reversed(self) -> _Step:
        return self._replace(before=self.after, after=self.before)


class UndoJournal:
    """Every decision, with what it changed."""

    def __init__(self, database: Database, history: HistoryTable) -> None:
        self._database = database
        self._history = history

    def decide(
        self, connection: sqlite3.Connection, action: str, changes: Iterable[Change]
    ) -> None:
        """Make changes as one decision; none where nothing would change."""
        steps: list[_Step] = []
        name = ""
        last_changes = {(change.kind, change.subject): change for change in changes}
        for change in last_changes.values():
            before = KINDS[change.kind].read(connection, change.subject)
            if before != change.value:
                steps.append(_Step(change.kind, change.subject, before, change.value))
                name = change.name
        if not steps:
            return
        connection.execute(
            "UPDATE decision SET standing = 'past' WHERE author = ? AND standing = 'undone'",
            (current_user(),),
        )
        (decision_id,) = connection.execute(
            "INSERT INTO decision (at, author, kind, about, standing) VALUES (?, ?, ?, ?, 'done') "
            "RETURNING decision_id",
            (self._database.clock(), current_user(), action, name if len(steps) == 1 else ""),
        ).fetchone()
        connection.executemany(
            "INSERT INTO decided (decision_id, thing, subject, before, after) "
            "VALUES (?, ?, ?, ?, ?)",
            [(decision_id, *step) for step in steps],
        )
        for step in steps:
            self._apply(connection, step, action)

    def undo(self, connection: sqlite3.Connection) -> UndoResult | None:
        """Undo the current user's latest decision; None where there is none."""
        decision_id = _find_decision(connection, "done", "max")
        if decision_id is None:
            return None
        steps = [step.reversed() for step in _read_steps(connection, decision_id)]
        return self._apply_all(connection, decision_id, steps, "undone")

    def redo(self, connection: sqlite3.Connection) -> UndoResult | None:
        """Redo the decision undone last; None where another followed."""
        decision_id = _find_decision(connection, "undone", "min")
        if decision_id is None:
            return None
        return self._apply_all(
            connection, decision_id, _read_steps(connection, decision_id), "redone"
        )

    def _apply_all(
        self,
        connection: sqlite3.Connection,
        decision_id: int,
        steps: list[_Step],
        verb: Literal["undone", "redone"],
    ) -> UndoResult:
        time, action, subject_name = connection.execute(
            "SELECT at, kind, about FROM decision WHERE decision_id = ?", (decision_id,)
        ).fetchone()
        applied: list[str] = []
        unchanged: list[str] = []
        for step in steps:
            if KINDS[step.kind].read(connection, step.subject) == step.before:
                self._apply(connection, step, f"{action} {verb}")
                applied.append(step.subject)
            else:
                unchanged.append(step.subject)
        standing = "past"
        if applied:
            standing = "undone" if verb == "undone" else "done"
        connection.execute(
            "UPDATE decision SET standing = ? WHERE decision_id = ?", (standing, decision_id)
        )
        return UndoResult(
            Decision(time, action, subject_name, len(steps)),
            frozenset(step.kind for step in steps),
            applied,
            unchanged,
        )

    def _apply(self, connection: sqlite3.Connection, step: _Step, action: str) -> None:
        kind = KINDS[step.kind]
        authorship = Authorship(self._database.clock(), current_user())
        kind.write(connection, step.subject, step.after, authorship)
        subject, detail = kind.describe(connection, step.subject, step.before, step.after)
        self._history.add(connection, subject, action, detail)


def _find_decision(
    connection: sqlite3.Connection, standing: str, extreme: Literal["min", "max"]
) -> int | None:
    """Return the current user's first or last decision of a standing."""
    row = connection.execute(
        f"SELECT {extreme}(decision_id) FROM decision WHERE author = ? AND standing = ?",
        (current_user(), standing),
    ).fetchone()
    return None if row[0] is None else int(row[0])


def _read_steps(connection: sqlite3.Connection, decision_id: int) -> list[_Step]:
    rows = connection.execute(
        "SELECT thing, subject, before, after FROM decided WHERE decision_id = ?", (decision_id,)
    )
    return [_Step(*row) for row in rows]
