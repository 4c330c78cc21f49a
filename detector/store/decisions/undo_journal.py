"""The journal of decisions, which can be undone and redone.

A decision is what one key press or form did, to any number of subjects. Undoing it restores each
subject that still has the value that the decision gave it; the others keep what was decided since.

Many processes may decide on one state. Each of them undoes its own decisions, then those that its
author made before it started, and no others. A decision may state the values that its author saw:
a subject that has changed since it was shown is left unchanged, and the history keeps both.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import msgspec

from detector.detection.alert import Alert
from detector.store.database import Database
from detector.store.decisions.decision_kinds import KINDS, Authorship
from detector.store.history_table import HistoryTable

ALERT_KINDS = frozenset({"status", "assignee"})
"""The kinds whose subjects are alerts."""


class Change(NamedTuple):
    """The value that a subject is to have.

    ``kind`` is a key of ``KINDS``; ``name`` is a display name, and may quote a log. ``shown`` is
    the value that the author saw; None accepts any current value.
    """

    kind: str
    subject: str
    value: str | None
    name: str
    shown: str | None = None


class Decision(msgspec.Struct, frozen=True):
    """What was done (``action``), to how many subjects (``count``), and when (epoch seconds).

    ``subject_name`` is a display name, and may quote a log; for several subjects, it may be empty.
    """

    time: float
    action: str
    subject_name: str
    count: int


class UndoResult(msgspec.Struct, frozen=True):
    """A decision that was undone or redone for ``subjects`` (ids or paths).

    ``unchanged`` are the subjects that have changed since the decision, and were left unchanged.
    ``kinds`` are keys of ``KINDS``; ``alerts`` are those whose status or assignee has changed.
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


_OWN = "author = ? AND (session = ? OR decision_id <= ?)"
"""Selects the author's own decisions: those of this session, and those made before it began."""


class UndoJournal:
    """All decisions, each with the changes that it made."""

    def __init__(self, database: Database, history: HistoryTable) -> None:
        self._database = database
        self._history = history
        self._last_before = database.value("SELECT coalesce(max(decision_id), 0) FROM decision")
        """The id of the latest decision made before this session began."""

    def decide(
        self,
        connection: sqlite3.Connection,
        action: str,
        changes: Iterable[Change],
        about: str = "",
    ) -> list[str]:
        """Make changes as one decision; if nothing would change, no decision is recorded.

        ``about`` is the common subject of several changes, if there is one. Returns the subjects
        that have changed since they were shown, and were therefore left unchanged.
        """
        steps: list[_Step] = []
        names: list[str] = []
        overtaken: list[str] = []
        last_changes = {(change.kind, change.subject): change for change in changes}
        for change in last_changes.values():
            before = KINDS[change.kind].read(connection, change.subject)
            if before == change.value:
                continue
            if change.shown not in (None, before):
                self._record_overtaken(connection, change, action)
                overtaken.append(change.subject)
                continue
            steps.append(_Step(change.kind, change.subject, before, change.value))
            names.append(change.name)
        if steps:
            self._put(connection, action, steps, names[0] if len(names) == 1 else about)
        return overtaken

    def _put(
        self, connection: sqlite3.Connection, action: str, steps: Sequence[_Step], name: str
    ) -> None:
        database = self._database
        connection.execute(
            f"UPDATE decision SET standing = 'past' WHERE {_OWN} AND standing = 'undone'",
            self._own,
        )
        (decision_id,) = connection.execute(
            "INSERT INTO decision (at, author, kind, about, standing, session) "
            "VALUES (?, ?, ?, ?, 'done', ?) RETURNING decision_id",
            (database.clock(), database.author, action, name, database.session),
        ).fetchone()
        connection.executemany(
            "INSERT INTO decided (decision_id, thing, subject, before, after) "
            "VALUES (?, ?, ?, ?, ?)",
            [(decision_id, *step) for step in steps],
        )
        for step in steps:
            self._apply(connection, step, action)

    def _record_overtaken(
        self, connection: sqlite3.Connection, change: Change, action: str
    ) -> None:
        kind = KINDS[change.kind]
        subject, detail = kind.describe(connection, change.subject, change.shown, change.value)
        self._history.add(connection, subject, f"{action} refused", detail)

    @property
    def _own(self) -> tuple[str, str, int]:
        """The parameters of ``_OWN``."""
        return self._database.author, self._database.session, self._last_before

    def undo(self, connection: sqlite3.Connection) -> UndoResult | None:
        """Undo the author's own latest decision; return None if there is none."""
        decision_id = self._find_decision(connection, "done", "max")
        if decision_id is None:
            return None
        steps = [step.reversed() for step in _read_steps(connection, decision_id)]
        return self._apply_all(connection, decision_id, steps, "undone")

    def redo(self, connection: sqlite3.Connection) -> UndoResult | None:
        """Redo the decision that was undone last; return None if another decision followed."""
        decision_id = self._find_decision(connection, "undone", "min")
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
        authorship = Authorship(self._database.clock(), self._database.author)
        kind.write(connection, step.subject, step.after, authorship)
        subject, detail = kind.describe(connection, step.subject, step.before, step.after)
        self._history.add(connection, subject, action, detail)

    def _find_decision(
        self, connection: sqlite3.Connection, standing: str, extreme: Literal["min", "max"]
    ) -> int | None:
        """Return the id of the author's first or last decision with a standing; else None."""
        row = connection.execute(
            f"SELECT {extreme}(decision_id) FROM decision WHERE {_OWN} AND standing = ?",
            (*self._own, standing),
        ).fetchone()
        return None if row[0] is None else int(row[0])


def _read_steps(connection: sqlite3.Connection, decision_id: int) -> list[_Step]:
    rows = connection.execute(
        "SELECT thing, subject, before, after FROM decided WHERE decision_id = ?", (decision_id,)
    )
    return [_Step(*row) for row in rows]
