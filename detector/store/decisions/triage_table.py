"""The triage of alerts: status, notes and suppressions."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any

import msgspec

from detector.detection.alert import Alert, Status
from detector.store.alert_table import AlertTable
from detector.store.database import Database, raises_damaged
from detector.store.decisions.decision_kinds import encode_json
from detector.store.decisions.undo_journal import Change, UndoJournal
from detector.store.errors import StateError
from detector.store.suppression_table import SuppressionTable
from detector.triage.caller import Caller
from detector.triage.note import Edit, Note, NoteBody, NoteContext, check_name
from detector.triage.suppression import Suppression, check_suppression, learn

_STATUS_ACTIONS: dict[Status, str] = {
    "acknowledged": "acknowledged",
    "closed": "closed",
    "open": "reopened",
}

NOTE_UID = "coalesce(uid, printf('%d-%d-%s', note_id, CAST(created AS INTEGER), alert_id))"
"""The identifier of a note in every state; for older notes, written without one, it is computed."""


class TriageTable:
    """The decisions and notes of the analyst on alerts.

    ``shown`` is what the author saw when deciding: subjects that have changed since then are left
    unchanged, as the returned values show. Every method that writes raises ReadOnly if the state
    may only be read.
    """

    def __init__(
        self,
        database: Database,
        journal: UndoJournal,
        alerts: AlertTable,
        suppressions: SuppressionTable,
    ) -> None:
        self._database = database
        self._journal = journal
        self._alerts = alerts
        self._suppressions = suppressions

    def set_status(
        self,
        alert_ids: Sequence[str],
        status: Status,
        shown: Mapping[str, Status] = MappingProxyType({}),
    ) -> list[Alert]:
        """Set the status of these alerts; return them as they are now."""
        return self._decide("status", _STATUS_ACTIONS[status], alert_ids, status, shown)

    def assign(
        self,
        alert_ids: Sequence[str],
        name: str,
        shown: Mapping[str, str] = MappingProxyType({}),
    ) -> list[Alert]:
        """Assign these alerts to ``name`` (``""``: to nobody); return them as they are now.

        Raises ValueError if the name is not a line of text.
        """
        check_name(name)
        action = "assigned" if name else "unassigned"
        return self._decide("assignee", action, alert_ids, name, shown)

    def _decide(
        self,
        kind: str,
        action: str,
        alert_ids: Sequence[str],
        value: str,
        shown: Mapping[str, str],
    ) -> list[Alert]:
        """Decide on alerts, or on those that have superseded them; return them as they are now."""
        with self._database.transaction() as connection:
            current = {each: self._alerts.current_id(connection, each) for each in alert_ids}
            ids = list(dict.fromkeys(current.values()))
            principals = {
                alert.alert_id: alert.principal for alert in self._alerts.read(connection, ids)
            }
            changes = [
                Change(kind, now, value, principals.get(now, ""), shown.get(before))
                for before, now in current.items()
            ]
            self._journal.decide(connection, action, changes)
            return list(self._alerts.read(connection, ids))

    def notes(self) -> list[Note]:
        """Return all notes, newest first, without those whose creation was undone."""
        return self._read_notes("")

    def notes_of(self, alert_id: str) -> list[Note]:
        """Return the notes of an alert, newest first, without those whose creation was undone."""
        return self._read_notes("WHERE alert_id = ?", alert_id)

    def add_notes(self, alerts: Sequence[Alert], body: NoteBody) -> list[Note]:
        """Write a note on each alert, with the alert's current context."""
        return self._add_notes([NoteContext.of(alert) for alert in alerts], body)

    def add_caller_notes(self, callers: Sequence[Caller], body: NoteBody) -> list[Note]:
        """Write a note on each caller, without an alert."""
        return self._add_notes([caller.context for caller in callers], body)

    def _add_notes(self, contexts: Sequence[NoteContext], body: NoteBody) -> list[Note]:
        created = self._database.clock()
        with self._database.transaction() as connection:
            note_ids = [
                connection.execute(
                    "INSERT INTO note (uid, alert_id, created, author, context) "
                    "VALUES (?, ?, ?, ?, ?) RETURNING note_id",
                    (
                        secrets.token_hex(8),
                        self._alerts.current_id(connection, context.alert_id)
                        if context.alert_id
                        else "",
                        created,
                        self._database.author,
                        encode_json(context),
                    ),
                ).fetchone()[0]
                for context in contexts
            ]
            self._journal.decide(
                connection,
                "note",
                [
                    Change("note", str(note_id), encode_json(body), context.principal)
                    for note_id, context in zip(note_ids, contexts, strict=True)
                ],
            )
        return [self._note(note_id) for note_id in note_ids]

    def edit_note(self, note_id: int, body: NoteBody) -> Note:
        """Replace the body of a note; the former body stays in its history."""
        note = self._note(note_id)
        with self._database.transaction() as connection:
            self._journal.decide(
                connection,
                "note-edited",
                [Change("note", str(note_id), encode_json(body), note.context.principal)],
            )
        return self._note(note_id)

    def suppress(self, suppressions: Sequence[Suppression]) -> list[Suppression]:
        """Create suppressions, which hide the alerts that match; return them with their ids.

        Each suppression learns what the alerts that it matches look like now. Raises ValueError as
        ``check_suppression`` does.
        """
        created = []
        for suppression in suppressions:
            new = msgspec.structs.replace(
                suppression,
                suppression_id=secrets.token_hex(4),
                author=self._database.author,
                created=self._database.clock(),
            )
            check_suppression(new)
            created.append(learn(new, chain.from_iterable(self._alerts.in_scope([new]))))
        self._put_suppressions("created", created)
        return self._suppressions.get([suppression.suppression_id for suppression in created])

    def extend(
        self,
        suppression_ids: Sequence[str],
        expires: float,
        shown: Mapping[str, Suppression] = MappingProxyType({}),
    ) -> list[Suppression]:
        """Set when suppressions expire (epoch seconds); an expired one may become active again.

        Raises StateError if one has ended."""
        suppressions = self._suppressions.get(suppression_ids)
        for suppression in suppressions:
            if suppression.over:
                raise StateError(
                    f"suppression {suppression.suppression_id} was {suppression.over}: "
                    "make a new one"
                )
        self._put_suppressions(
            "extended",
            [msgspec.structs.replace(suppression, expires=expires) for suppression in suppressions],
            {suppression.suppression_id: suppression for suppression in suppressions} | {**shown},
        )
        return self._suppressions.get(suppression_ids)

    def lift(
        self,
        suppression_ids: Sequence[str],
        shown: Mapping[str, Suppression] = MappingProxyType({}),
    ) -> list[Suppression]:
        """End suppressions for good; those that have ended already are left unchanged."""
        suppressions = self._suppressions.get(suppression_ids)
        self._put_suppressions(
            "lifted",
            [
                msgspec.structs.replace(suppression, lifted=self._database.clock())
                for suppression in suppressions
                if not suppression.over
            ],
            {suppression.suppression_id: suppression for suppression in suppressions} | {**shown},
        )
        return self._suppressions.get(suppression_ids)

    def record_hidden(self, changed: Sequence[Suppression] | None = None) -> None:
        """Record the alerts that these suppressions hide; None: all suppressions.

        A suppression that becomes active again may hide alerts that arrived in the meantime.
        """
        batches = self._alerts.batches() if changed is None else self._alerts.in_scope(changed)
        with self._database.transaction() as connection:
            self._suppressions.record_hidden(connection, chain.from_iterable(batches))

    def _put_suppressions(
        self,
        action: str,
        suppressions: Sequence[Suppression],
        shown: Mapping[str, Suppression] = MappingProxyType({}),
    ) -> None:
        """Write suppressions as one decision, and record the alerts that they hide."""
        shown_texts = {name: _stored_text(suppression) for name, suppression in shown.items()}
        with self._database.transaction() as connection:
            self._journal.decide(
                connection,
                action,
                [
                    Change(
                        "suppression",
                        suppression.suppression_id,
                        _stored_text(suppression),
                        suppression.value,
                        shown_texts.get(suppression.suppression_id),
                    )
                    for suppression in suppressions
                ],
            )
        self.record_hidden(suppressions)

    def _note(self, note_id: int) -> Note:
        notes = self._read_notes("WHERE note_id = ?", note_id)
        if not notes:
            raise StateError(f"no note #{note_id}: trailhound log export lists them")
        return notes[0]

    @raises_damaged
    def _read_notes(self, where: str, *parameters: Any) -> list[Note]:
        rows = self._database.rows(
            f"SELECT note_id, alert_id, created, author, context, {NOTE_UID} FROM note {where} "
            "ORDER BY created DESC, note_id DESC",
            *parameters,
        )
        # Read the bodies after the notes, so that each note has one even if others write meanwhile.
        versions: dict[int, list[Edit]] = {}
        for note_id, time, author, body in self._database.rows(
            "SELECT note_id, at, w.author, words FROM note_words w JOIN note USING (note_id) "
            f"{where} ORDER BY w.rowid",
            *parameters,
        ):
            edit = Edit(time, author, msgspec.json.decode(body, type=NoteBody | None))
            versions.setdefault(note_id, []).append(edit)
        notes = (_assemble_note(versions.get(row[0]), *row) for row in rows)
        return [note for note in notes if note is not None]


def _stored_text(suppression: Suppression) -> str:
    """Return the stored text of a suppression, without the count of hidden alerts."""
    return encode_json(msgspec.structs.replace(suppression, hidden=0))


def _assemble_note(
    versions: list[Edit] | None,
    note_id: int,
    alert_id: str,
    created: float,
    author: str,
    context: str,
    uid: str,
) -> Note | None:
    """Return a note with its latest version; None if its creation was undone.

    A note whose versions were lost when a damaged state was recovered has an empty body.
    """
    *former, latest = versions or [Edit(created, author, NoteBody())]
    if latest.body is None:
        return None
    return Note(
        note_id,
        alert_id,
        created,
        author,
        latest.body,
        msgspec.json.decode(context, type=NoteContext),
        edited=latest.time if former else None,
        history=former,
        uid=uid,
        edited_by=latest.author if former else "",
    )
