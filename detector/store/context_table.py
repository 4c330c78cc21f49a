"""The context of alerts: their signals, flags, baseline and risk."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

import msgspec

from detector.detection.alert import Alert, Flag
from detector.detection.baseline import principal_of
from detector.detection.correlate import SIGNAL_REACH, PendingSearch, Signals, context_of
from detector.detection.event import Event
from detector.detection.principal import RelatedPrincipals
from detector.detection.record_search import SearchRequest
from detector.detection.risk import RiskTable
from detector.store.alert_table import AlertChanges, AlertTable
from detector.store.baseline_table import BaselineTable
from detector.store.database import Database, raises_damaged
from detector.store.event_table import EVENT_COLUMNS, FROM_EVENT, decode_event, write_events
from detector.store.rule_table import RuleTable
from detector.store.suppression_table import SuppressionTable

_alert_decoder = msgspec.msgpack.Decoder(Alert)

_FROM_SIGNAL = (
    f"{FROM_EVENT} JOIN signal USING (identity) JOIN alert a USING (alert_id) "
    "JOIN series s USING (series_id) WHERE alert_id = ? "
    "AND NOT (e.time >= a.start AND e.time < a.until AND EXISTS (SELECT 1 FROM hit h "
    "WHERE h.series_id = a.series_id AND h.bucket = e.time / s.width AND h.identity = e.identity))"
)
"""The signals of an alert, without those that have become its own hits since."""


class ContextTable:
    """What is known around each alert."""

    def __init__(
        self,
        database: Database,
        rules: RuleTable,
        baseline: BaselineTable,
        alerts: AlertTable,
        suppressions: SuppressionTable,
    ) -> None:
        self._database = database
        self._rules = rules
        self._baseline = baseline
        self._alerts = alerts
        self._suppressions = suppressions

    @raises_damaged
    def pending_searches(self, after: int) -> tuple[int, list[PendingSearch]]:
        """Return the alerts whose signals may be incomplete, in order of start.

        ``after`` is the file sequence up to which nothing was pending the last time. Returned first
        is that of the newest file now.
        """
        newest = int(self._database.value("SELECT sequence FROM progress"))
        first, last = self._database.rows(
            "SELECT min(first), max(last) FROM file WHERE sequence > ?", after
        )[0]
        rows = self._database.rows(
            "SELECT alert_id, start, until, lineage, searched FROM alert "
            "WHERE searched < ? AND (searched < 0 OR (start <= ? AND until > ?)) ORDER BY start",
            newest,
            (last or 0) + SIGNAL_REACH,
            (first or 0) - SIGNAL_REACH,
        )
        searches = []
        for alert_id, start, until, stored_lineage, searched in rows:
            lineage = msgspec.json.decode(stored_lineage, type=RelatedPrincipals)
            watch = SearchRequest(alert_id, lineage, start - SIGNAL_REACH, until + SIGNAL_REACH)
            searches.append(PendingSearch(watch, searched, self._alerts.events(alert_id)))
        return newest, searches

    def add_signals(self, signals: Mapping[str, Signals], searched: Mapping[str, int]) -> None:
        """Write the signals that the searches found, by alert id.

        ``searched`` is the file sequence up to which each alert has been searched for.
        """
        with self._database.transaction() as connection:
            for alert_id, sequence in searched.items():
                stored = connection.execute(
                    "SELECT lineage FROM alert WHERE alert_id = ?", (alert_id,)
                ).fetchone()
                if stored is None:
                    continue  # superseded meanwhile, by an alert that is searched for itself
                alert_signals = signals.get(alert_id)
                if alert_signals is None:
                    connection.execute(
                        "UPDATE alert SET searched = ? WHERE alert_id = ?", (sequence, alert_id)
                    )
                    continue
                added = _put_signals(connection, alert_id, alert_signals.events)
                lineage = msgspec.json.encode(alert_signals.lineage).decode()
                # With a session that was not known before, all files must be searched once more.
                has_grown = lineage != stored[0]
                if has_grown:
                    sequence = -1
                connection.execute(
                    "UPDATE alert SET lineage = ?, searched = ?, stale = max(stale, ?) "
                    "WHERE alert_id = ?",
                    (lineage, sequence, int(added > 0 or has_grown), alert_id),
                )

    def clear_signals(self, connection: sqlite3.Connection) -> None:
        """Delete all signals, so that they are searched for anew."""
        connection.execute("DELETE FROM signal")
        connection.execute("UPDATE alert SET searched = -1, stale = 1")

    def refresh(self, table: RiskTable) -> AlertChanges:
        """Compute the context of stale alerts, or all where risks changed."""
        with self._database.transaction() as connection:
            table_changed = connection.execute(
                "UPDATE progress SET risk = ?1 WHERE risk != ?1", (table.fingerprint,)
            ).rowcount
            if table_changed:
                connection.execute("UPDATE alert SET stale = 1")
            stale = [
                alert_id
                for (alert_id,) in connection.execute("SELECT alert_id FROM alert WHERE stale = 1")
            ]
            changed = [
                alert.alert_id
                for alert in self._alerts.read(connection, stale)
                if self._put_context(connection, alert, table)
            ]
            connection.execute("UPDATE alert SET stale = 0 WHERE stale = 1")
            if self._suppressions.any():
                self._suppressions.record_hidden(connection, self._alerts.read(connection, changed))
            return AlertChanges(tuple(changed))

    @raises_damaged
    def signals(self, alert_id: str) -> dict[str, list[Event]]:
        """Return an alert's signals by flag, in order of time."""
        events: dict[str, list[Event]] = {}
        for *row, flag in self._database.rows(
            f"SELECT {EVENT_COLUMNS}, flag {_FROM_SIGNAL} ORDER BY flag, e.time, identity",
            alert_id,
        ):
            events.setdefault(flag, []).append(decode_event(row))
        return events

    @raises_damaged
    def nearby_events(self, alert_id: str, seconds: int) -> list[Event]:
        """Return the events of an alert's principal near it, by time.

        These are its signals, and the events of the principal's other alerts within ``seconds``.
        """
        spans = self._database.rows("SELECT start, until FROM alert WHERE alert_id = ?", alert_id)
        if not spans:
            return []
        start, end = spans[0]
        names = _baseline_names(self._alerts.lineage(alert_id))
        rows = self._database.rows(
            f"SELECT DISTINCT identity, {EVENT_COLUMNS} "
            "FROM alert a JOIN series s USING (series_id) "
            "JOIN hit h ON h.series_id = s.series_id "
            "AND h.bucket BETWEEN a.start / width AND (a.until - 1) / width "
            "JOIN event e USING (identity) JOIN file f USING (file_id) WHERE alert_id IN "
            f"(SELECT alert_id FROM alert_who WHERE who IN ({', '.join('?' * len(names))})) "
            "AND a.start < ? AND a.until > ? AND e.time >= a.start AND e.time < a.until",
            *names,
            end + seconds,
            start - seconds,
        )
        events = {decode_event(row) for _, *row in rows}
        for signals in self.signals(alert_id).values():
            events.update(signals)
        return sorted(events, key=lambda event: (event.time, event.event_id))

    def _put_context(self, connection: sqlite3.Connection, alert: Alert, table: RiskTable) -> bool:
        """Write the context of an alert; return whether it has changed.

        A change of the context together with one of the events is a single revision.
        """
        alert_id = alert.alert_id
        flags = [
            Flag(*row)
            for row in connection.execute(
                f"SELECT flag, count(*), min(e.time), max(e.time) {_FROM_SIGNAL} GROUP BY flag",
                (alert_id,),
            )
        ]
        flags += self._alert_flags(connection, alert)
        baseline = self._baseline.of_alert(connection, alert)
        content = msgspec.msgpack.encode(
            context_of(alert, self._alerts.events(alert_id), flags, baseline, table)
        )
        stored, told_revision = connection.execute(
            "SELECT context, told FROM alert WHERE alert_id = ?", (alert_id,)
        ).fetchone()
        revision = alert.revision
        if stored not in (None, content) and told_revision == revision:
            revision += 1
        connection.execute(
            "UPDATE alert SET revision = ?1, told = ?1, context = ?2 WHERE alert_id = ?3",
            (revision, content, alert_id),
        )
        return bool(stored != content)

    def _alert_flags(self, connection: sqlite3.Connection, alert: Alert) -> list[Flag]:
        """Return flags for the principal's other alerts nearby, of flag rules.

        Only of those over windows: the others flag single events.
        """
        names = _baseline_names(self._alerts.lineage(alert.alert_id))
        start, end = _nearby_span(alert)
        alerts: dict[str, list[Alert]] = {}
        for rule in self._rules.in_use.values():
            if rule.flag and rule.query.shape != "filter":
                rows = connection.execute(
                    "SELECT DISTINCT alert_id, content FROM alert JOIN series USING (series_id) "
                    "JOIN alert_who USING (alert_id) "
                    "WHERE rule_id = ? AND alert_id != ? AND start < ? AND until > ? "
                    f"AND who IN ({', '.join('?' * len(names))})",
                    (rule.rule_id, alert.alert_id, end, start, *names),
                )
                alerts.setdefault(rule.flag, []).extend(
                    _alert_decoder.decode(content) for _, content in rows
                )
        return [
            Flag(
                flag,
                len(nearby),
                min(other.first_event for other in nearby),
                max(other.last_event for other in nearby),
            )
            for flag, nearby in alerts.items()
            if nearby
        ]


def _put_signals(
    connection: sqlite3.Connection, alert_id: str, events_by_flag: Mapping[str, Sequence[Event]]
) -> int:
    """Write the signals of an alert; return how many are new.

    Most events have several flags.
    """
    pending: dict[bytes, Event] = {}
    for event in {event for events in events_by_flag.values() for event in events}:
        if event.identity in pending:  # two that claim one identity: of these the smaller stays
            write_events(connection, pending)
            pending = {}
        pending[event.identity] = event
    write_events(connection, pending)
    before = connection.total_changes
    for flag, events in events_by_flag.items():
        connection.executemany(
            "INSERT OR IGNORE INTO signal (alert_id, flag, identity) VALUES (?, ?, ?)",
            [(alert_id, flag, event.identity) for event in events],
        )
    return connection.total_changes - before


def _baseline_names(lineage: RelatedPrincipals) -> set[str]:
    """Return the names in ``alert_who`` that count as one principal."""
    return {
        *map(principal_of, (*lineage.own.arns, *lineage.hop.arns)),
        *lineage.own.keys,
        *lineage.hop.keys,
    }


def _nearby_span(alert: Alert) -> tuple[int, int]:
    """Return the span that another alert must overlap to be near."""
    start, end = alert.extent
    return start - SIGNAL_REACH, end + SIGNAL_REACH
