"""What the analyst decided and wrote: status, notes, suppressions. Each change leaves a line in the history."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Sequence
from itertools import chain

import msgspec

from detector.detection.alert import Alert, Status
from detector.store.alert_table import Alerts
from detector.store.database import author, sound
from detector.store.decision_kinds import text
from detector.store.errors import StateError
from detector.store.undo_journal import Journal, Turned, Wanted
from detector.triage.note import Edit, Note, NoteBody, NoteContext
from detector.triage.suppression import Suppression, check_suppression, learn

_STATUS_KINDS: dict[Status, str] = {
    "acknowledged": "acknowledged",
    "closed": "closed",
    "open": "reopened",
}


class HistoryEntry(msgspec.Struct, frozen=True):
    """One line of the history: at ``at`` (epoch seconds), ``author`` did ``kind`` to the
    subject."""

    at: float
    author: str
    kind: str
    detail: str


class Triage(Alerts, Journal):
    """The part of the store that the analyst writes. Every method raises ReadOnly where another
    process holds it."""

    def set_status(self, alert_ids: Sequence[str], status: Status) -> list[Alert]:
        """Give these alerts a status; the alerts as they now are."""
        with self._writing() as db:
            alerts = list(self._named(db, alert_ids))
            names = {alert.alert_id: alert.principal for alert in alerts}
            self._decide(
                db,
                _STATUS_KINDS[status],
                [Wanted("status", name, status, names.get(name, "")) for name in alert_ids],
            )
            return [msgspec.structs.replace(alert, status=status) for alert in alerts]

    @sound
    def notes(self, alert_id: str | None = None) -> list[Note]:
        """The hunt log, newest first, without the notes that were taken back; of one alert, or
        all."""
        where, values = ("WHERE alert_id = ?", [alert_id]) if alert_id is not None else ("", [])
        held = self._rows(
            f"SELECT note_id, alert_id, created, author, context FROM note {where} "
            "ORDER BY created DESC, note_id DESC",
            *values,
        )
        # Asked after the notes, so that the words of each are there, whoever writes meanwhile.
        said: dict[int, list[Edit]] = {}
        for note_id, at, who, words in self._rows(
            f"SELECT note_id, at, w.author, words FROM note_words w JOIN note USING (note_id) {where} "
            "ORDER BY w.rowid",
            *values,
        ):
            said.setdefault(note_id, []).append(Edit(at, who, _words(words)))
        return [note for row in held if (note := _note(said.get(row[0]), *row)) is not None]

    def add_notes(self, alerts: Sequence[Alert], words: NoteBody) -> list[Note]:
        """Write a note on each of these alerts, with what it knows now."""
        now, said = self._clock(), text(words)
        with self._writing() as db:
            ids = [
                db.execute(
                    "INSERT INTO note (alert_id, created, author, context) VALUES (?, ?, ?, ?) "
                    "RETURNING note_id",
                    (alert.alert_id, now, author(), text(NoteContext.of(alert))),
                ).fetchone()[0]
                for alert in alerts
            ]
            self._decide(
                db,
                "note",
                [
                    Wanted("note", str(note_id), said, alert.principal)
                    for note_id, alert in zip(ids, alerts, strict=True)
                ],
            )
        return [self._note(note_id) for note_id in ids]

    def edit_note(self, note_id: int, words: NoteBody) -> Note:
        """Say it otherwise; what it said before stays in its history."""
        held = self._note(note_id)
        with self._writing() as db:
            self._decide(
                db,
                "note-edited",
                [Wanted("note", str(note_id), text(words), held.context.principal)],
            )
        return self._note(note_id)

    def suppressions(self) -> list[Suppression]:
        """All suppressions, also those that are over, newest first, with how many alerts each has
        hidden."""
        hidden = dict(
            self._rows("SELECT suppression_id, count(*) FROM hidden GROUP BY suppression_id")
        )
        return [
            msgspec.structs.replace(suppression, hidden=hidden.get(suppression.suppression_id, 0))
            for suppression in reversed(self._suppressions())
        ]

    def suppress(self, suppressions: Sequence[Suppression]) -> list[Suppression]:
        """Start hiding what matches and looks as it does now; the suppressions with ids, and what
        each has seen.

        Raises ValueError where ``huntlog.check`` does.
        """
        alerts, made = self.alerts(), []
        for suppression in suppressions:
            new = msgspec.structs.replace(
                suppression,
                suppression_id=secrets.token_hex(4),
                author=author(),
                created=self._clock(),
            )
            check_suppression(new)
            made.append(learn(new, alerts))
        self._suppress_so("created", made)
        return [self._suppression(each.suppression_id) for each in made]

    def extend(self, suppression_ids: Sequence[str], expires: float) -> list[Suppression]:
        """Let them end at another time (epoch seconds); one that had expired hides again."""
        held = [self._suppression(name) for name in suppression_ids]
        for suppression in held:
            if suppression.over:
                raise StateError(
                    f"suppression {suppression.suppression_id} was {suppression.over}: make a new one"
                )
        self._suppress_so(
            "extended", [msgspec.structs.replace(each, expires=expires) for each in held]
        )
        return [self._suppression(name) for name in suppression_ids]

    def lift(self, suppression_ids: Sequence[str]) -> list[Suppression]:
        """End them now, for good; one that is over already stays as it is."""
        held = [self._suppression(name) for name in suppression_ids]
        self._suppress_so(
            "lifted",
            [msgspec.structs.replace(each, lifted=self._clock()) for each in held if not each.over],
        )
        return [self._suppression(name) for name in suppression_ids]

    @sound
    def undo(self) -> Turned | None:
        """Take back this author's latest decision; None where there is none."""
        return self._turned(self._take_back)

    @sound
    def redo(self) -> Turned | None:
        """Make again the decision that was taken back last; None where there is none, or another
        was made since."""
        return self._turned(self._make_again)

    def notice_expiry(self) -> None:
        """Record the suppressions that have ended while nothing was written."""
        now = self._clock()
        if any(suppression.state(now) == "expired" for suppression in self._suppressions()):
            with self._writing() as db:
                self._note_expired(db)

    def history(self, subject: str) -> list[HistoryEntry]:
        """What happened to an alert or a suppression, oldest first."""
        return [
            HistoryEntry(*row)
            for row in self._rows(
                "SELECT at, author, kind, detail FROM history WHERE subject = ? ORDER BY entry_id",
                subject,
            )
        ]

    def _note(self, note_id: int) -> Note:
        found = next((note for note in self.notes() if note.note_id == note_id), None)
        if found is None:
            raise StateError(f"no note #{note_id}: trailhound log export lists them")
        return found

    def _suppression(self, suppression_id: str) -> Suppression:
        found = next((s for s in self.suppressions() if s.suppression_id == suppression_id), None)
        if found is None:
            raise StateError(
                f"no suppression {suppression_id}: trailhound suppress list shows them"
            )
        return found

    def _suppress_so(self, kind: str, suppressions: Sequence[Suppression]) -> None:
        with self._writing() as db:
            self._decide(
                db,
                kind,
                [
                    Wanted("suppression", each.suppression_id, _body(each), each.value)
                    for each in suppressions
                ],
            )
        self._note_newly_hidden()

    def _turned(self, turn: Callable[[sqlite3.Connection], Turned | None]) -> Turned | None:
        with self._writing() as db:
            turned = turn(db)
            if turned and "status" in turned.things:
                turned = msgspec.structs.replace(
                    turned, alerts=list(self._named(db, turned.subjects))
                )
        if turned and "suppression" in turned.things:
            self._note_newly_hidden()
        return turned

    def _note_newly_hidden(self) -> None:
        """A suppression that hides again may hide alerts that came while it did not."""
        with self._writing() as db:
            self._note_hidden(db, chain.from_iterable(self.alert_batches()))


def _words(said: str) -> NoteBody | None:
    return msgspec.json.decode(said, type=NoteBody | None)


def _note(
    said: list[Edit] | None, note_id: int, alert_id: str, created: float, who: str, context: str
) -> Note | None:
    """None for one that was taken back. One that lost its words, in a state saved from a damaged
    one, says of what it was."""
    *before, now = said or [Edit(created, who, NoteBody())]
    if now.body is None:
        return None
    return Note(
        note_id,
        alert_id,
        created,
        who,
        now.body,
        msgspec.json.decode(context, type=NoteContext),
        edited=now.at if before else None,
        history=before,
    )


def _body(suppression: Suppression) -> str:
    """As it is kept: how many alerts it has hidden is counted."""
    return text(msgspec.structs.replace(suppression, hidden=0))
