"""The stored alerts, joined with their context and their triage."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence, Set
from operator import attrgetter
from typing import Any

import msgspec

from detector.cloudtrail.record import json_text
from detector.detection.alert import Alert, AlertContext, Handling, Lifecycle, Triage
from detector.detection.baseline import principal_of
from detector.detection.correlate import OwnEvent
from detector.detection.event import Event
from detector.detection.principal import PrincipalNames, RelatedPrincipals
from detector.store.database import Database, pages, raises_damaged
from detector.store.files.file_packs import Paths
from detector.store.packing.content_id import name_number
from detector.store.packing.finding_rows import RuleSummaries
from detector.store.packing.lineage_rows import Lineages
from detector.store.packing.segment import Segment
from detector.store.packing.state_query import StateQuery, query_of
from detector.store.suppression_table import SuppressionTable
from detector.store.window_table import WindowTable
from detector.triage.note import UNDECIDED, NoteBody
from detector.triage.suppression import Suppression, matches
from detector.triage.suppression_index import SuppressionIndex

LATENESS = 20 * 60
"""Seconds from the end of a window until its alert is settled. CloudTrail delivers within minutes;
delays of ten minutes were seen."""


_BATCH = 1_000


class AlertChanges(msgspec.Struct, frozen=True):
    """The ids of the alerts that are new or changed, and of those that were withdrawn."""

    changed: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()


_NOTES = (
    "(SELECT json_group_array(json(words)) FROM (SELECT words FROM note "
    "JOIN note_words w ON w.rowid = "
    "(SELECT max(rowid) FROM note_words WHERE note_id = note.note_id) "
    "WHERE note.alert_id = a.alert_id AND words != 'null' ORDER BY created, note.note_id))"
)
"""Selects the current bodies of an alert's notes as a JSON array, oldest note first."""

_COLUMNS = (
    "a.alert_id, f.summary_id, f.content, revision, settled, coalesce(status, 'open'), supersedes, "
    f"c.content, coalesce(assignee.name, ''), {_NOTES}, start, a.number"
)
_PARTS = (
    "CROSS JOIN alert_finding f ON f.number = a.number "
    "LEFT JOIN alert_context c ON c.number = a.number "
    "LEFT JOIN status USING (alert_id) LEFT JOIN assignee USING (alert_id)"
)
_SELECT = f"SELECT {_COLUMNS} FROM alert a {_PARTS}"
_SELECT_BY_IDS = (
    f"SELECT {_COLUMNS} FROM json_each(?) wanted CROSS JOIN alert a ON a.alert_id = wanted.value "
    f"{_PARTS} ORDER BY wanted.key"
)
_SELECT_FINDING = (
    "SELECT alert_id, summary_id, content FROM alert JOIN alert_finding USING (number) "
    "WHERE alert_id = ?"
)
_context_decoder = msgspec.msgpack.Decoder(AlertContext)
_notes_decoder = msgspec.json.Decoder(list[NoteBody])
_NO_CONTEXT = AlertContext()
_NOT_HANDLED = Handling()


class AlertTable:
    """All current alerts, including suppressed and closed ones."""

    def __init__(
        self, database: Database, windows: WindowTable, suppressions: SuppressionTable
    ) -> None:
        self._database = database
        self._windows = windows
        self._suppressions = suppressions
        self.summaries = RuleSummaries()

    def all(self) -> list[Alert]:
        """Return all alerts, the newest window first."""
        query = self._database.rows
        # Order by an indexed column and sort the rest here; SQLite would sort whole rows.
        alerts = self._assemble(query, query(f"{_SELECT} ORDER BY start DESC"))
        alerts.sort(key=attrgetter("alert_id"))
        alerts.sort(key=attrgetter("start"), reverse=True)
        return alerts

    def batches(self, size: int = _BATCH) -> Iterator[list[Alert]]:
        """Yield all alerts in batches of ``size``, the newest window first.

        Each batch shows the state at the time the batch is read.
        """
        last = (1 << 62, 0)
        while True:
            rows = self._database.rows(
                f"{_SELECT} WHERE (start, a.number) < (?, ?) "
                "ORDER BY start DESC, a.number DESC LIMIT ?",
                *last,
                size,
            )
            if not rows:
                return
            last = rows[-1][-2:]
            yield self._assemble(self._database.rows, rows)

    def in_scope(self, suppressions: Iterable[Suppression]) -> Iterator[list[Alert]]:
        """Yield the alerts that suppressions may match, in batches.

        Candidates are looked up by index if the scope allows it, and otherwise by testing the
        finding of every alert. The other parts of an alert are read for candidates only.
        """
        names = set()
        others = []
        for suppression in suppressions:
            if suppression.scope == "principal":
                names.add(principal_of(suppression.value))
            elif suppression.scope == "access-key":
                names.add(suppression.value)
            else:
                others.append(suppression)
        rows = self._database.rows(
            "SELECT DISTINCT alert_id FROM alert_who JOIN alert USING (number) "
            f"WHERE who IN ({', '.join('?' * len(names))})",
            *map(name_number, names),
        )
        ids = {alert_id for (alert_id,) in rows}
        if others:
            ids.update(self._matching(others))
        for page in pages(sorted(ids), _BATCH):
            yield list(self.get_all(page))

    @raises_damaged
    def _matching(self, suppressions: Sequence[Suppression]) -> list[str]:
        """Return the ids of the alerts whose finding any of ``suppressions`` matches."""
        ids: list[str] = []
        last = 0
        while True:
            rows = self._database.rows(
                "SELECT alert_id, summary_id, content, number FROM alert "
                "JOIN alert_finding USING (number) WHERE number > ? ORDER BY number LIMIT ?",
                last,
                _BATCH,
            )
            if not rows:
                return ids
            last = rows[-1][-1]
            for alert_id, *packed, _ in rows:
                finding = self.summaries.unpack(self._database.rows, alert_id, *packed)
                if any(matches(suppression, finding) for suppression in suppressions):
                    ids.append(alert_id)

    def get(self, alert_id: str) -> Alert | None:
        """Return the alert with this id; None if there is none."""
        query = self._database.rows
        alerts = self._assemble(query, query(f"{_SELECT} WHERE a.alert_id = ?", alert_id))
        return alerts[0] if alerts else None

    def read(self, connection: sqlite3.Connection, alert_ids: Iterable[str]) -> tuple[Alert, ...]:
        """Return alerts as the transaction of ``connection`` sees them."""
        return self._of_ids(query_of(connection), alert_ids)

    def get_all(self, alert_ids: Iterable[str]) -> tuple[Alert, ...]:
        """Return the alerts with these ids; ids that no longer exist are left out."""
        return self._of_ids(self._database.rows, alert_ids)

    def related(self, alert_id: str) -> list[Alert]:
        """Return the other alerts of an alert's principals and access keys, oldest first."""
        ids = self._database.rows(
            "SELECT DISTINCT other.alert_id FROM alert a JOIN alert_who own USING (number) "
            "JOIN alert_who also USING (who) JOIN alert other ON other.number = also.number "
            "WHERE a.alert_id = ? AND other.number != a.number AND who >= 0",
            alert_id,
        )
        alerts = self.get_all(other for (other,) in ids)
        return sorted(alerts, key=lambda alert: (alert.first_event, alert.alert_id))

    def current_id(self, connection: sqlite3.Connection, alert_id: str) -> str:
        """Return the id of the alert that finally superseded this one; else ``alert_id``."""
        passed: set[str] = set()
        successor: str | None = alert_id
        while successor is not None and successor not in passed:
            passed.add(successor)
            alert_id = successor
            successor = _successor(connection, alert_id)
        return alert_id

    def events(self, alert_id: str) -> list[Event]:
        """Return the events of an alert, in order of time and region."""
        for window in self._windows.of_alerts(self._database.rows, [alert_id]):
            events = self._windows.events(window)
            for packed in self._database.rows(_SELECT_FINDING, alert_id):
                finding = self.summaries.unpack(self._database.rows, *packed)
                if finding.window is None:
                    # The same second may hold other events, with alerts of their own or none.
                    events = [event for event in events if event.event_id in finding.event_ids]
            return sorted(events, key=lambda event: (event.time, event.region, event.event_id))
        return []

    def own_events(self, alert_ids: Iterable[str]) -> dict[str, Set[OwnEvent]]:
        """Return the places of each alert's own events, which must not become its signals.

        Events that opened a session are left out: the search needs them to find related principals,
        even among the alert's own events."""
        query = self._database.rows
        paths = Paths(query)

        def places(segment: Segment, numbers: Sequence[int]) -> Iterator[OwnEvent]:
            for number in numbers:
                if not segment.opens_session(number):
                    file_id, offset, index = segment.place(number)
                    yield paths[file_id], offset, index

        found = self._windows.rows(query, self._windows.of_alerts(query, alert_ids), places)
        return {alert_id: set(events) for alert_id, events in found.items()}

    @raises_damaged
    def lineage(self, alert_id: str) -> RelatedPrincipals:
        """Return the related principals that count as the principal of an alert.

        They are empty if there is no such alert.
        """
        query = self._database.rows
        rows = query("SELECT lineage_id FROM alert WHERE alert_id = ?", alert_id)
        return Lineages(query)[rows[0][0]] if rows else RelatedPrincipals(PrincipalNames())

    def settle(self, watermark: float) -> AlertChanges:
        """Settle alerts whose windows ended ``LATENESS`` before the watermark (epoch seconds)."""
        with self._database.transaction() as connection:
            settled = connection.execute(
                "UPDATE alert SET settled = 1 WHERE settled = 0 AND until <= ? RETURNING alert_id",
                (watermark - LATENESS,),
            ).fetchall()
            return AlertChanges(tuple(alert_id for (alert_id,) in settled))

    def _of_ids(self, query: StateQuery, alert_ids: Iterable[str]) -> tuple[Alert, ...]:
        rows = query(_SELECT_BY_IDS, json_text(list(alert_ids)))
        return tuple(self._assemble(query, rows))

    @raises_damaged
    def _assemble(self, query: StateQuery, rows: Sequence[Any]) -> list[Alert]:
        """Decode rows of ``_SELECT``, and apply the active suppressions."""
        suppressions = SuppressionIndex(self._suppressions.active())
        alerts = []
        for row in rows:
            alert_id, summary_id, content, revision, settled, status, supersedes, *rest = row
            stored_context, name, notes, *_ = rest
            context = _NO_CONTEXT
            if stored_context:
                context = _context_decoder.decode(stored_context)
            alert = Alert(
                self.summaries.unpack(query, alert_id, summary_id, content),
                context,
                Lifecycle(revision, bool(settled), msgspec.json.decode(supersedes)),
                Triage(status, handling=_handling(name, notes)),
            )
            alerts.append(suppressions.judge(alert))
        return alerts


def _handling(assignee: str, notes: str) -> Handling:
    """Return the assignee of an alert, and what its notes (a JSON array) add up to."""
    if not assignee and notes == "[]":
        return _NOT_HANDLED
    bodies = _notes_decoder.decode(notes)
    verdict = UNDECIDED if bodies else ""
    for body in bodies:
        if body.verdict != UNDECIDED:
            verdict = body.verdict
    tickets = list(dict.fromkeys(body.ticket for body in bodies if body.ticket))
    return Handling(assignee, len(bodies), verdict, tickets)


def _successor(connection: sqlite3.Connection, alert_id: str) -> str | None:
    """Return the id of the alert that superseded a deleted one; None if none did."""
    row = connection.execute(
        "SELECT substr(detail, length('by ') + 1) FROM history WHERE subject = ? AND "
        "kind = 'superseded' AND NOT EXISTS (SELECT 1 FROM alert WHERE alert_id = subject) "
        "ORDER BY entry_id DESC LIMIT 1",
        (alert_id,),
    ).fetchone()
    return row[0] if row else None
