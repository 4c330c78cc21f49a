"""The context of alerts: their signals, flags, baseline and risk."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import msgspec

from detector.cloudtrail.record import json_text
from detector.detection.alert import Alert, Flag
from detector.detection.baseline import principal_of
from detector.detection.correlate import (
    SIGNAL_REACH,
    OwnCall,
    PendingSearch,
    Signal,
    context_of,
    has_event_flags,
)
from detector.detection.event import Event
from detector.detection.finding import Finding
from detector.detection.principal import RelatedPrincipals
from detector.detection.record_search import SearchRequest
from detector.detection.risk import RiskTable
from detector.detection.signals.signal_index import SignalIndex
from detector.store.alert_table import AlertChanges, AlertTable
from detector.store.baseline_table import AlertBaselines
from detector.store.database import Database, pages, raises_damaged
from detector.store.event_table import EventTable
from detector.store.rule_table import RuleTable
from detector.store.segments.segment_table import StateQuery, query_of
from detector.store.signals.signal_table import SignalTable, signal_span
from detector.store.suppression_table import SuppressionTable
from detector.store.window_table import SegmentRow, WindowTable

_IS_WANTED = "alert_id IN (SELECT value FROM json_each(?))"
_ALERTS_AT_ONCE = 1_000
_finding_decoder = msgspec.msgpack.Decoder(Finding)
_INDEXED_AT_ONCE = 32 * _ALERTS_AT_ONCE
"""Alerts whose signals are read together: alerts close in time mostly have the same signals."""


class ContextTable:
    """What is known around each alert."""

    def __init__(
        self,
        database: Database,
        rules: RuleTable,
        events: EventTable,
        signals: SignalTable,
        windows: WindowTable,
        alerts: AlertTable,
        suppressions: SuppressionTable,
    ) -> None:
        self._database = database
        self._rules = rules
        self._events = events
        self._signals = signals
        self._windows = windows
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
            "SELECT min(first), max(last) FROM log_file WHERE sequence > ?", after
        )[0]
        rows = self._database.rows(
            "SELECT alert_id, start, until, lineage, searched FROM alert "
            "WHERE searched < ? AND (searched < 0 OR (start <= ? AND until > ?)) ORDER BY start",
            newest,
            (last or 0) + SIGNAL_REACH,
            (first or 0) - SIGNAL_REACH,
        )
        own = self._alerts.own_events(alert_id for alert_id, *_ in rows)
        lineages: dict[str, RelatedPrincipals] = {}
        searches = []
        for alert_id, start, until, stored_lineage, searched in rows:
            lineage = lineages.get(stored_lineage)
            if lineage is None:
                lineage = msgspec.json.decode(stored_lineage, type=RelatedPrincipals)
                lineages[stored_lineage] = lineage
            watch = SearchRequest(alert_id, lineage, start - SIGNAL_REACH, until + SIGNAL_REACH)
            searches.append(PendingSearch(watch, searched, own.get(alert_id, frozenset())))
        return newest, searches

    def add_signals(
        self,
        signals: Sequence[Signal],
        hops: Mapping[str, RelatedPrincipals],
        searched: Mapping[str, int],
    ) -> None:
        """Write the signals that the searches found.

        ``hops`` has the related principals of alerts of which more are known now, by id;
        ``searched`` is the file sequence up to which each alert has been searched for.
        """
        callers = {(signal.row.client, signal.row.issued_key) for signal in signals}
        names = {
            name
            for client, issued_key in callers
            for name in (client.arn, client.access_key, client.role_arn, issued_key)
        }
        with self._database.transaction() as connection:
            rows = []
            # One that is not there was superseded, by an alert that is searched for itself.
            for alert_id, stored_lineage in connection.execute(
                f"SELECT alert_id, lineage FROM alert WHERE {_IS_WANTED}",
                (json_text(list(searched)),),
            ):
                sequence, lineage = searched[alert_id], stored_lineage
                related = hops.get(alert_id)
                if related is None:
                    related = msgspec.json.decode(lineage, type=RelatedPrincipals)
                else:
                    # With a session that was not known before, all files must be searched again.
                    sequence, lineage = -1, msgspec.json.encode(related).decode()
                rows.append((lineage, sequence, not names.isdisjoint(related.names()), alert_id))
            self._signals.put(connection, signals)
            connection.executemany(
                "UPDATE alert SET lineage = ?, searched = ?, stale = max(stale, ?) "
                "WHERE alert_id = ?",
                rows,
            )

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
                for (alert_id,) in connection.execute(
                    # In order of time, so that alerts looked at together share segments.
                    "SELECT alert_id FROM alert WHERE stale = 1 ORDER BY start, alert_id"
                )
            ]
            baselines = AlertBaselines(connection)
            changed: list[str] = []
            for indexed in pages(stale, _INDEXED_AT_ONCE):
                signals = self._signals_of(connection, indexed)
                for wanted in pages(indexed, _ALERTS_AT_ONCE):
                    alerts = self._alerts.read(connection, wanted)
                    changed += self._put_contexts(connection, alerts, signals, baselines, table)
            connection.execute("UPDATE alert SET stale = 0 WHERE stale = 1")
            if self._suppressions.any():
                self._suppressions.record_hidden(connection, self._alerts.read(connection, changed))
            return AlertChanges(tuple(changed))

    @raises_damaged
    def signals(self, alert_id: str) -> dict[str, list[Event]]:
        """Return an alert's signals by flag, in order of time."""
        query = self._database.rows
        alert = self._alerts.get(alert_id)
        if alert is None:
            return {}
        related = self._alerts.lineage(alert_id)
        start, end = signal_span(alert)
        signals = self._signals.near(query, [related], start, end).events(
            related, start, end, _identities(self._own_rows(query, [alert_id])[alert_id])
        )
        times = {event.identity: event.time for found in signals.values() for event in found}
        events = self._events.read(times)
        return {
            flag: [events[event.identity] for event in found if event.identity in events]
            for flag, found in signals.items()
        }

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
        near = self._database.rows(
            "SELECT DISTINCT alert_id FROM alert_who JOIN alert USING (alert_id) "
            f"WHERE who IN ({', '.join('?' * len(names))}) AND start < ? AND until > ?",
            *names,
            end + seconds,
            start - seconds,
        )
        events: set[Event] = set()
        for window in self._windows.of_alerts(self._database.rows, [name for (name,) in near]):
            events.update(self._windows.events(window))
        for signals in self.signals(alert_id).values():
            events.update(signals)
        return sorted(events, key=lambda event: (event.time, event.event_id))

    def _signals_of(self, connection: sqlite3.Connection, alert_ids: Sequence[str]) -> SignalIndex:
        """Return the signals that any of these alerts may have."""
        rows = connection.execute(
            "SELECT lineage, min(start), max(until) FROM alert "
            f"WHERE {_IS_WANTED} GROUP BY lineage",
            (json_text(alert_ids),),
        ).fetchall()
        related = [msgspec.json.decode(lineage, type=RelatedPrincipals) for lineage, *_ in rows]
        start, end = min(first for _, first, _ in rows), max(last for *_, last in rows)
        return self._signals.near(
            query_of(connection), related, start - SIGNAL_REACH, end + SIGNAL_REACH
        )

    def _put_contexts(
        self,
        connection: sqlite3.Connection,
        alerts: Sequence[Alert],
        signals: SignalIndex,
        baselines: AlertBaselines,
        table: RiskTable,
    ) -> list[str]:
        """Write the context of alerts; return the ids of those whose context has changed.

        A change of the context together with one of the events is a single revision.
        """
        query = query_of(connection)
        stored = {
            alert_id: rest
            for alert_id, *rest in connection.execute(
                f"SELECT alert_id, lineage, context, told FROM alert WHERE {_IS_WANTED}",
                (json_text([alert.alert_id for alert in alerts]),),
            )
        }
        related = {
            alert_id: msgspec.json.decode(lineage, type=RelatedPrincipals)
            for alert_id, (lineage, *_) in stored.items()
        }
        spans = {alert.alert_id: signal_span(alert) for alert in alerts}
        own = self._own_rows(query, stored)
        flags = {
            alert_id: signals.flags(related[alert_id], *span, partial(_identities, own[alert_id]))
            for alert_id, span in spans.items()
        }
        self._add_alert_flags(connection, alerts, flags)
        rows = []
        changed = []
        for alert in alerts:
            alert_id, revision = alert.alert_id, alert.revision
            events = _own_calls(alert, own[alert_id]) if has_event_flags(alert) else []
            baseline = baselines.of_alert(alert)
            content = msgspec.msgpack.encode(
                context_of(alert, events, flags[alert_id], baseline, table)
            )
            _, before, told_revision = stored[alert_id]
            if before not in (None, content) and told_revision == revision:
                revision += 1
            rows.append((revision, revision, content, alert_id))
            if before != content:
                changed.append(alert_id)
        connection.executemany(
            "UPDATE alert SET revision = ?, told = ?, context = ? WHERE alert_id = ?", rows
        )
        return changed

    def _own_rows(self, query: StateQuery, alert_ids: Iterable[str]) -> dict[str, list[SegmentRow]]:
        """Return the events of alerts, where they are packed."""
        rows: dict[str, list[SegmentRow]] = {alert_id: [] for alert_id in alert_ids}
        for window, found in self._windows.rows(query, self._windows.of_alerts(query, rows)):
            rows[window.alert_id] = found
        return rows

    def _add_alert_flags(
        self,
        connection: sqlite3.Connection,
        alerts: Sequence[Alert],
        flags: dict[str, list[Flag]],
    ) -> None:
        """Add flags for the principal's other alerts nearby, of flag rules.

        Only of those over windows: the others flag single events.
        """
        raising = {
            rule.rule_id: rule.flag
            for rule in self._rules.in_use.values()
            if rule.flag and rule.query.shape != "filter"
        }
        rule_ids = json_text(list(raising))
        if not connection.execute(
            "SELECT EXISTS (SELECT 1 FROM json_each(?) j JOIN series ON rule_id = j.value "
            "JOIN alert USING (series_id))",
            (rule_ids,),
        ).fetchone()[0]:
            return
        for alert in alerts:
            start, end = signal_span(alert)
            names = _baseline_names(self._alerts.lineage(alert.alert_id))
            nearby: dict[str, list[Finding]] = defaultdict(list)
            for rule_id, _, content in connection.execute(
                "SELECT DISTINCT rule_id, alert_id, content FROM alert "
                "JOIN series USING (series_id) JOIN alert_who USING (alert_id) "
                "WHERE alert_id != ? AND start < ? AND until > ? "
                "AND rule_id IN (SELECT value FROM json_each(?)) "
                f"AND who IN ({', '.join('?' * len(names))})",
                (alert.alert_id, end, start, rule_ids, *names),
            ):
                nearby[raising[rule_id]].append(_finding_decoder.decode(content))
            for flag, others in nearby.items():
                first = min(other.first_event for other in others)
                last = max(other.last_event for other in others)
                flags[alert.alert_id].append(Flag(flag, len(others), first, last))


def _baseline_names(lineage: RelatedPrincipals) -> set[str]:
    """Return the names in ``alert_who`` that count as one principal."""
    return {
        *map(principal_of, (*lineage.own.arns, *lineage.hop.arns)),
        *lineage.own.keys,
        *lineage.hop.keys,
    }


def _identities(rows: Iterable[SegmentRow]) -> set[bytes]:
    return {segment.identity(number) for segment, number in rows}


def _own_calls(alert: Alert, rows: Iterable[SegmentRow]) -> list[OwnCall]:
    """Return the calls from which an alert's own events raise flags."""
    if alert.window is None:
        # Its second may hold other events, each with an alert of its own or none.
        rows = [row for row in rows if row.segment.event_id(row.number) in alert.event_ids]
    return [
        OwnCall(
            segment.times[number],
            segment.call(number).error_code,
            segment.client(number).user_agent,
        )
        for segment, number in rows
    ]
