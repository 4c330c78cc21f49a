"""What the analyst decided and wrote: status, notes, suppressions. Each change leaves a line in the history."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import msgspec

from detector.alert import Alert, Status
from detector.huntlog import Context, Edit, Note, Suppression, Words, check, taught
from detector.record import format_time
from detector.store.alerts import Alerts
from detector.store.faults import StateError
from detector.store.state import author, sound


class HistoryEntry(msgspec.Struct, frozen=True):
    """One line of the history: at ``at`` (epoch seconds), ``author`` did ``kind`` to the subject."""

    at: float
    author: str
    kind: str
    detail: str


class Triage(Alerts):
    """The part of the store that the analyst writes. Every method raises ReadOnly where another process holds it."""

    def set_status(self, alert_ids: Sequence[str], status: Status) -> list[Alert]:
        """Give these alerts a status; the alerts as they now are."""
        with self._writing() as db:
            for name in alert_ids:
                held = db.execute("SELECT status FROM status WHERE alert_id = ?", (name,)).fetchone()
                before = held[0] if held else "open"
                if before != status:
                    db.execute("INSERT OR REPLACE INTO status VALUES (?, ?)", (name, status))
                    self._record(db, name, "status", f"{before} -> {status}")
            return list(self._named(db, alert_ids))

    @sound
    def notes(self, alert_id: str | None = None) -> list[Note]:
        """The hunt log, newest first; of one alert, or all."""
        where, values = ("WHERE alert_id = ?", [alert_id]) if alert_id is not None else ("", [])
        said: dict[int, list[Edit]] = {}
        for note_id, at, who, words in self._rows(
                f"SELECT note_id, at, w.author, words FROM note_words w JOIN note USING (note_id) {where} "
                "ORDER BY w.rowid", *values):
            said.setdefault(note_id, []).append(Edit(at, who, msgspec.json.decode(words, type=Words)))
        return [
            Note(note_id, alert_id, created, who, said[note_id][-1].words,
                 msgspec.json.decode(context, type=Context),
                 edited=said[note_id][-1].at if len(said[note_id]) > 1 else None, history=said[note_id][:-1])
            for note_id, alert_id, created, who, context in self._rows(
                f"SELECT note_id, alert_id, created, author, context FROM note {where} "
                "ORDER BY created DESC, note_id DESC", *values)
        ]

    def add_note(self, alert: Alert, words: Words) -> Note:
        """Write a note on an alert, with what the alert knows now."""
        now = self._clock()
        with self._writing() as db:
            (note_id,) = db.execute(
                "INSERT INTO note (alert_id, created, author, context) VALUES (?, ?, ?, ?) RETURNING note_id",
                (alert.alert_id, now, author(), _text(Context.of(alert)))).fetchone()
            db.execute("INSERT INTO note_words VALUES (?, ?, ?, ?)", (note_id, now, author(), _text(words)))
            self._record(db, alert.alert_id, "note", f"#{note_id} {words.verdict}")
        return self._note(note_id)

    def edit_note(self, note_id: int, words: Words) -> Note:
        """Say it otherwise; what it said before stays in its history."""
        alert_id = self._note(note_id).alert_id
        with self._writing() as db:
            db.execute("INSERT INTO note_words VALUES (?, ?, ?, ?)", (note_id, self._clock(), author(), _text(words)))
            self._record(db, alert_id, "note-edited", f"#{note_id} {words.verdict}")
        return self._note(note_id)

    def suppressions(self) -> list[Suppression]:
        """All suppressions, also expired and lifted ones, newest first, with how many alerts each has hidden."""
        hidden = dict(self._rows("SELECT suppression_id, count(*) FROM hidden GROUP BY suppression_id"))
        return [msgspec.structs.replace(suppression, hidden=hidden.get(suppression.suppression_id, 0))
                for suppression in reversed(self._suppressions())]

    def suppress(self, suppression: Suppression) -> Suppression:
        """Start hiding what matches and looks as it does now; the suppression with its id, and what it has seen.

        Raises ValueError where ``huntlog.check`` does.
        """
        made = msgspec.structs.replace(suppression, suppression_id=secrets.token_hex(4), author=author(),
                                       created=self._clock())
        check(made)
        made = taught(made, self.alerts())
        with self._writing() as db:
            db.execute("INSERT INTO suppression VALUES (?, ?, ?)", (made.suppression_id, made.created, _text(made)))
            self._record(db, made.suppression_id, "created",
                         f"{made.scope} {made.value} until {format_time(made.expires)}")
        self._note_newly_hidden()
        return self._suppression(made.suppression_id)

    def extend(self, suppression_id: str, expires: float) -> Suppression:
        """Let it end at another time; one that had expired hides again."""
        held = self._suppression(suppression_id)
        if held.lifted is not None:
            raise StateError(f"suppression {suppression_id} was lifted: make a new one")
        return self._change(msgspec.structs.replace(held, expires=expires), "extended",
                            f"until {format_time(expires)}, was {format_time(held.expires)}")

    def lift(self, suppression_id: str) -> Suppression:
        """End it now, for good."""
        held = self._suppression(suppression_id)
        if held.lifted is not None:
            return held
        return self._change(msgspec.structs.replace(held, lifted=self._clock()), "lifted", "")

    def notice_expiry(self) -> None:
        """Record the suppressions that have ended while nothing was written."""
        now = self._clock()
        if any(suppression.state(now) == "expired" for suppression in self._suppressions()):
            with self._writing() as db:
                self._note_expired(db)

    def history(self, subject: str) -> list[HistoryEntry]:
        """What happened to an alert or a suppression, oldest first."""
        return [HistoryEntry(*row) for row in self._rows(
            "SELECT at, author, kind, detail FROM history WHERE subject = ? ORDER BY entry_id", subject)]

    def _note(self, note_id: int) -> Note:
        found = next((note for note in self.notes() if note.note_id == note_id), None)
        if found is None:
            raise StateError(f"no note #{note_id}: trailhound log export lists them")
        return found

    def _suppression(self, suppression_id: str) -> Suppression:
        found = next((s for s in self.suppressions() if s.suppression_id == suppression_id), None)
        if found is None:
            raise StateError(f"no suppression {suppression_id}: trailhound suppress list shows them")
        return found

    def _change(self, suppression: Suppression, kind: str, detail: str) -> Suppression:
        name = suppression.suppression_id
        with self._writing() as db:
            db.execute("UPDATE suppression SET body = ? WHERE suppression_id = ?", (_text(suppression), name))
            self._record(db, name, kind, detail)
        self._note_newly_hidden()
        return self._suppression(name)

    def _note_newly_hidden(self) -> None:
        """A suppression that hides again may hide alerts that came while it did not."""
        with self._writing() as db:
            self._note_hidden(db, self.alerts())


def _text(value: msgspec.Struct) -> str:
    return msgspec.json.encode(value).decode()
