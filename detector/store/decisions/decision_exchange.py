"""The exchange of decisions with another state: what is exported, and how it is merged.

Merging is idempotent, and keeps authors and times. If both states decided on the same subject, the
later decision wins, the history keeps both, and the conflict is reported. Of two decisions in the
same second, the one whose author comes later in the alphabet wins, so that the result does not
depend on the order in which states are merged.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from detector.store.database import Database
from detector.store.decisions.decision_kinds import encode_json
from detector.store.decisions.hunt_exchange import join_hunt, shared_hunts
from detector.store.decisions.hunt_table import HuntTable
from detector.store.decisions.joining import join_versions, put_history_once
from detector.store.decisions.triage_table import NOTE_UID, TriageTable
from detector.store.decisions.watch_table import WatchTable
from detector.store.suppression_table import SuppressionTable
from detector.text.time import format_time
from detector.triage.note import Note
from detector.triage.shared_decisions import (
    AssigneeDecision,
    HuntDecision,
    SharedDecision,
    StatusDecision,
    SuppressionDecision,
    WatchDecision,
)
from detector.triage.watch import Watch

_STATUS_KINDS = {"open": "reopened", "acknowledged": "acknowledged", "closed": "closed"}
_UNDECIDED_VALUES = {"status": "open", "assignee": ""}
_Version = tuple[int, str, str]
"""A version of a note: time in whole seconds, author, body as JSON (``null`` if undone)."""


class Joined(NamedTuple):
    """The number of decisions that were new here, and a line for each conflict."""

    new: int
    conflicts: list[str]


class DecisionExchange:
    """The exchange of decisions between two states."""

    def __init__(
        self,
        database: Database,
        triage: TriageTable,
        suppressions: SuppressionTable,
        watches: WatchTable,
        hunts: HuntTable,
    ) -> None:
        self._database = database
        self._triage = triage
        self._suppressions = suppressions
        self._watches = watches
        self._hunts = hunts

    def decisions(self) -> list[SharedDecision]:
        """Return all decisions to export, by kind, each kind newest first."""
        notes = sorted(
            self._triage.notes(), key=lambda note: (int(note.created), note.note_id), reverse=True
        )
        return [
            *notes,
            *self._statuses(),
            *self._assignees(),
            *self._suppression_decisions(),
            *self._watch_decisions(),
            *shared_hunts(self._database, self._hunts),
        ]

    def join(self, decisions: Iterable[SharedDecision]) -> Joined:
        """Merge another state's decisions into this one, in one transaction."""
        new, conflicts = 0, []
        with self._database.transaction() as connection:
            # Oldest first, so that notes are numbered in the order in which they were written.
            for decision in reversed(list(decisions)):
                if isinstance(decision, Note):
                    is_new, conflict = _join_note(connection, decision)
                elif isinstance(decision, StatusDecision | AssigneeDecision):
                    is_new, conflict = _join_alert_decision(connection, _Subject.of(decision))
                elif isinstance(decision, WatchDecision):
                    is_new, conflict = self._join_watch(connection, decision)
                elif isinstance(decision, HuntDecision):
                    is_new, conflict = join_hunt(connection, decision)
                else:
                    is_new, conflict = self._join_suppression(connection, decision)
                new += is_new
                conflicts += [conflict] if conflict else []
        if new:
            self._triage.record_hidden()
        return Joined(new, conflicts)

    def _statuses(self) -> list[StatusDecision]:
        rows = self._database.rows(
            "SELECT alert_id, status, at, author FROM status "
            "WHERE status != 'open' OR at IS NOT NULL ORDER BY CAST(at AS INTEGER) DESC, alert_id"
        )
        return [StatusDecision(*row) for row in rows]

    def _assignees(self) -> list[AssigneeDecision]:
        rows = self._database.rows(
            "SELECT alert_id, name, at, author FROM assignee "
            "ORDER BY CAST(at AS INTEGER) DESC, alert_id"
        )
        return [AssigneeDecision(*row) for row in rows]

    def _last_changes(self, table: str) -> dict[str, tuple[float, str]]:
        """Return the (time, author) of the last change of each suppression or watch, by id."""
        return {
            subject: (time, author)
            for subject, time, author in self._database.rows(
                f"SELECT subject, at, author FROM history JOIN {table} ON {table}_id = subject "
                "WHERE kind NOT IN ('expired', 'broke-through') AND kind NOT LIKE '% refused' "
                "ORDER BY CAST(at AS INTEGER), author, entry_id"
            )
        }

    def _watch_decisions(self) -> list[WatchDecision]:
        changed = self._last_changes("watch")
        decisions = [
            WatchDecision(each, *changed.get(each.watch_id, (each.created, each.author)))
            for each in self._watches.stored()
        ]
        return sorted(decisions, key=lambda each: (-int(each.watch.created), each.watch.watch_id))

    def _suppression_decisions(self) -> list[SuppressionDecision]:
        changed = self._last_changes("suppression")
        decisions = []
        for made in self._suppressions.all():
            time, author = changed.get(made.suppression_id, (made.created, made.author))
            decisions.append(SuppressionDecision(made, time, author))
        return sorted(
            decisions,
            key=lambda each: (-int(each.suppression.created), each.suppression.suppression_id),
        )

    def _join_suppression(
        self, connection: sqlite3.Connection, theirs: SuppressionDecision
    ) -> tuple[bool, str]:
        name = theirs.suppression.suppression_id
        row = connection.execute(
            "SELECT body FROM suppression WHERE suppression_id = ?", (name,)
        ).fetchone()
        body = encode_json(msgspec.structs.replace(theirs.suppression, hidden=0))
        if row is None:
            connection.execute(
                "INSERT INTO suppression (suppression_id, created, body) VALUES (?, ?, ?)",
                (name, theirs.suppression.created, body),
            )
            return put_history_once(
                connection, theirs.time, theirs.author, name, "imported", ""
            ), ""
        ours = next(
            each
            for each in self._suppression_decisions()
            if each.suppression.suppression_id == name
        )
        if _in_seconds(ours) == _in_seconds(theirs):
            return False, ""
        # A suppression that has ended stays ended; otherwise the later change wins.
        theirs_order = bool(theirs.suppression.over), *_in_seconds(theirs)
        if theirs_order > (bool(ours.suppression.over), *_in_seconds(ours)):
            connection.execute(
                "UPDATE suppression SET body = ? WHERE suppression_id = ?", (body, name)
            )
        is_new = put_history_once(connection, theirs.time, theirs.author, name, "imported", "")
        if not is_new:
            return False, ""
        return True, f"suppression {name}: changed in both states, the later change stands"

    def _join_watch(
        self, connection: sqlite3.Connection, theirs: WatchDecision
    ) -> tuple[bool, str]:
        """Merge a watch, unless an active watch of this state has the same indicator."""
        name, indicator = theirs.watch.watch_id, theirs.watch.indicator
        ours = {each.watch.watch_id: each for each in self._watch_decisions()}
        known = ours.get(name)
        if known is None:
            looked_for = {each.watch.indicator.value for each in ours.values() if each.watch.active}
            if theirs.watch.active and indicator.value in looked_for:
                return False, ""
            _put_watch(connection, theirs.watch)
            return put_history_once(
                connection, theirs.time, theirs.author, name, "imported", ""
            ), ""
        if _watch_in_seconds(known) == _watch_in_seconds(theirs):
            return False, ""
        # A watch that has ended stays ended; otherwise the later change wins.
        theirs_order = not theirs.watch.active, *_watch_in_seconds(theirs)
        if theirs_order > (not known.watch.active, *_watch_in_seconds(known)):
            _put_watch(connection, theirs.watch)
        if not put_history_once(connection, theirs.time, theirs.author, name, "imported", ""):
            return False, ""
        return True, f"watch {name}: changed in both states, the later change stands"


def _put_watch(connection: sqlite3.Connection, watch: Watch) -> None:
    connection.execute(
        "INSERT INTO watch (watch_id, created, body) VALUES (?, ?, ?) "
        "ON CONFLICT DO UPDATE SET body = excluded.body",
        (watch.watch_id, watch.created, encode_json(watch)),
    )


def _watch_in_seconds(decision: WatchDecision) -> tuple[int, str, int, int, int]:
    watch = decision.watch
    lifted, undone = int(watch.lifted or 0), int(watch.undone or 0)
    return int(decision.time), decision.author, int(watch.acknowledged), lifted, undone


def _in_seconds(decision: SuppressionDecision) -> tuple[int, str, int, int, int]:
    made = decision.suppression
    lifted, undone = int(made.lifted or 0), int(made.undone or 0)
    return int(decision.time), decision.author, int(made.expires), lifted, undone


class _Subject(NamedTuple):
    """What another state decided on an alert: a column of ``table``, and the history kind."""

    table: str
    column: str
    kind: str
    alert_id: str
    value: str
    time: float | None
    author: str

    @classmethod
    def of(cls, decision: StatusDecision | AssigneeDecision) -> _Subject:
        author = decision.author or ""
        if isinstance(decision, StatusDecision):
            kind = _STATUS_KINDS[decision.status]
            return cls(
                "status", "status", kind, decision.alert_id, decision.status, decision.time, author
            )
        kind = "assigned" if decision.assignee else "unassigned"
        return cls(
            "assignee", "name", kind, decision.alert_id, decision.assignee, decision.time, author
        )

    def name(self, value: str) -> str:
        """Return a value as messages about conflicts write it."""
        if self.table == "status":
            return value
        return f"given to {value}" if value else "given to nobody"


def _join_alert_decision(connection: sqlite3.Connection, theirs: _Subject) -> tuple[bool, str]:
    table, alert_id, time = theirs.table, theirs.alert_id, theirs.time or 0
    row = connection.execute(
        f"SELECT {theirs.column}, at, author FROM {table} WHERE alert_id = ?", (alert_id,)
    ).fetchone()
    value, decided_at, author = row or (_UNDECIDED_VALUES[table], None, None)
    ours = int(decided_at or 0), author or "", value
    stands = row is None or (int(time), theirs.author, theirs.value) > ours
    is_same = row is not None and value == theirs.value
    if is_same and not stands:
        return False, ""
    before, after = value or "nobody", theirs.value or "nobody"
    detail = f"{before} -> {after}" if stands else f"{after} before {before}"
    kind = f"{theirs.kind} imported"
    if not put_history_once(connection, time, theirs.author, alert_id, kind, detail):
        return False, ""
    if stands:
        connection.execute(
            f"INSERT OR REPLACE INTO {table} (alert_id, {theirs.column}, at, author) "
            "VALUES (?, ?, ?, ?)",
            (alert_id, theirs.value, theirs.time, theirs.author),
        )
    if row is None or is_same:
        return True, ""
    return True, (
        f"alert {alert_id}: {theirs.name(value)} here by {author or 'somebody'}, "
        f"{theirs.name(theirs.value)} there by {theirs.author or 'somebody'} at "
        f"{format_time(time)}: the later decision stands"
    )


def _join_note(connection: sqlite3.Connection, theirs: Note) -> tuple[bool, str]:
    row = connection.execute(
        f"SELECT note_id FROM note WHERE {NOTE_UID} = ?", (theirs.uid,)
    ).fetchone()
    versions = _versions_of(theirs)
    if row is None:
        note_id = _free_id(connection, theirs.note_id)
        connection.execute(
            "INSERT INTO note (note_id, uid, alert_id, created, author, context) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (
                note_id,
                theirs.uid,
                theirs.alert_id,
                theirs.created,
                theirs.author,
                encode_json(theirs.context),
            ),
        )
        _put_versions(connection, note_id, versions)
        detail = f"#{note_id} {theirs.body.verdict}"
        put_history_once(
            connection,
            theirs.created,
            theirs.author,
            theirs.alert_id or theirs.context.principal,
            "note imported",
            detail,
        )
        return True, ""
    (note_id,) = row
    stored = connection.execute(
        "SELECT CAST(at AS INTEGER), author, words FROM note_words WHERE note_id = ? "
        "ORDER BY rowid",
        (note_id,),
    ).fetchall()
    ours = _since_written(int(theirs.created), stored)
    joined, is_conflict = join_versions(ours, versions)
    if joined == ours:
        return False, ""
    _put_versions(connection, note_id, joined)
    if not is_conflict:
        return True, ""
    return True, f"note {note_id}: changed in both states; the later text stands, both are kept"


def _versions_of(note: Note) -> list[_Version]:
    """Return the versions of a note, oldest first; the last one is its current body."""
    former = [
        (int(edit.time), edit.author, "null" if edit.body is None else encode_json(edit.body))
        for edit in note.history
    ]
    time = note.created if note.edited is None else note.edited
    last = (int(time), note.edited_by or note.author, encode_json(note.body))
    return _since_written(int(note.created), [*former, last])


def _since_written(created: int, versions: Sequence[_Version]) -> list[_Version]:
    """Give the first version the time of its note, since only the note's time is exported."""
    if not versions:
        return []  # the versions were lost when a damaged state was recovered
    (_, author, body), *later = versions
    return [(created, author, body), *later]


def _put_versions(
    connection: sqlite3.Connection, note_id: int, versions: Sequence[_Version]
) -> None:
    connection.execute("DELETE FROM note_words WHERE note_id = ?", (note_id,))
    connection.executemany(
        "INSERT INTO note_words (note_id, at, author, words) VALUES (?, ?, ?, ?)",
        [(note_id, *version) for version in versions],
    )


def _free_id(connection: sqlite3.Connection, wanted: int) -> int:
    """Return the number that a note had in the other state if it is free here, else a new one."""
    is_taken = connection.execute("SELECT 1 FROM note WHERE note_id = ?", (wanted,)).fetchone()
    if not is_taken:
        return wanted
    return int(connection.execute("SELECT max(note_id) + 1 FROM note").fetchone()[0])
