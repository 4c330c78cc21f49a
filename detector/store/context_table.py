"""The context of alerts: their signals, flags, baseline and risk."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import msgspec

from detector.cloudtrail.record import json_text
from detector.detection.alert import Flag
from detector.detection.baseline import principal_of
from detector.detection.correlate import (
    SIGNAL_REACH,
    OwnCall,
    PendingSearch,
    context_of,
    has_event_flags,
)
from detector.detection.event import Event
from detector.detection.finding import Finding
from detector.detection.principal import RelatedPrincipals
from detector.detection.record_search import SearchRequest
from detector.detection.risk import RiskTable
from detector.detection.signals.found_signals import Signals
from detector.detection.signals.signal_index import SignalIndex
from detector.store.alert_table import AlertChanges, AlertTable
from detector.store.baseline_table import AlertBaselines
from detector.store.database import Database, pages, raises_damaged
from detector.store.derivation.stale_alerts import (
    StaleAlert,
    alert_batches,
    flagging_calls,
    own_calls,
    own_identities,
    read_stale_alerts,
)
from detector.store.event_table import EventTable
from detector.store.files.file_packs import packs_where
from detector.store.packing.content_id import name_number
from detector.store.packing.lineage_rows import Lineage, Lineages, insert_lineages
from detector.store.packing.state_query import StateQuery, query_of
from detector.store.rule_table import RuleTable
from detector.store.signals.signal_table import SignalTable, signal_span
from detector.store.suppression_table import SuppressionTable
from detector.store.window_table import WindowTable

_IS_WANTED = "alert_id IN (SELECT value FROM json_each(?))"
_INDEXED_AT_ONCE = 32_000
"""How many alerts' signals are read together, since alerts close in time mostly share signals."""


class ContextTable:
    """Computes and stores the context of each alert."""

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
        """Return the newest file sequence, and the alerts whose signals may be incomplete.

        ``after`` is the file sequence up to which nothing was pending at the last call. The
        searches are in order of the alerts' start.
        """
        newest = int(self._database.value("SELECT sequence FROM progress"))
        brought = [
            (row.first, row.last)
            for pack in packs_where(self._database.rows, "sequence > ?", after)
            for row in pack.rows()
            if row.sequence > after and row.first is not None and row.last is not None
        ]
        rows = self._database.rows(
            "SELECT alert_id, start, until, lineage_id, searched FROM alert "
            "WHERE searched < ? AND (searched < 0 OR (start <= ? AND until > ?)) ORDER BY start",
            newest,
            max((last for _, last in brought), default=0) + SIGNAL_REACH,
            min((first for first, _ in brought), default=0) - SIGNAL_REACH,
        )
        own = self._alerts.own_events(alert_id for alert_id, *_ in rows)
        lineages = Lineages(self._database.rows)
        lineages.read(lineage_id for *_, lineage_id, _ in rows)
        searches = []
        for alert_id, start, until, lineage_id, searched in rows:
            watch = SearchRequest(
                alert_id, lineages[lineage_id], start - SIGNAL_REACH, until + SIGNAL_REACH
            )
            searches.append(PendingSearch(watch, searched, own.get(alert_id, frozenset())))
        return newest, searches

    def add_signals(
        self,
        signals: Signals,
        hops: Mapping[str, RelatedPrincipals],
        searched: Mapping[str, int],
    ) -> None:
        """Write the signals that searches found.

        ``hops`` has the related principals of the alerts for which a search found more of them, by
        alert id. ``searched`` has the file sequence up to which each alert was searched, by alert
        id.
        """
        names = signals.names()
        with self._database.transaction() as connection:
            lineages = Lineages(query_of(connection))
            named: dict[int, bool] = {}
            rows = []
            # An alert that is missing was superseded by another one, which has its own search.
            found = connection.execute(
                f"SELECT number, alert_id, lineage_id FROM alert WHERE {_IS_WANTED}",
                (json_text(list(searched)),),
            ).fetchall()
            lineages.read(lineage_id for *_, lineage_id in found)
            for number, alert_id, lineage_id in found:
                if alert_id in hops:
                    # A newly found session requires searching all files again.
                    related = hops[alert_id]
                    _put_lineage(connection, number, related)
                    is_named, sequence = not names.isdisjoint(related.names()), -1
                else:
                    if lineage_id not in named:
                        named[lineage_id] = not names.isdisjoint(lineages[lineage_id].names())
                    is_named, sequence = named[lineage_id], searched[alert_id]
                rows.append((sequence, is_named, number))
            self._signals.put(connection, signals)
            connection.executemany(
                "UPDATE alert SET searched = ?, stale = max(stale, ?) WHERE number = ?", rows
            )

    def refresh(self, table: RiskTable) -> AlertChanges:
        """Compute the context of stale alerts, or of all alerts if the risk table has changed."""
        with self._database.transaction() as connection:
            table_changed = connection.execute(
                "UPDATE progress SET risk = ?1 WHERE risk != ?1", (table.fingerprint,)
            ).rowcount
            if table_changed:
                connection.execute("UPDATE alert SET stale = 1")
            stale = [
                number
                for (number,) in connection.execute(
                    # In order of time, so that the alerts of one batch share segments.
                    "SELECT number FROM alert WHERE stale = 1 ORDER BY start, alert_id"
                )
            ]
            baselines = AlertBaselines(connection)
            lineages = Lineages(query_of(connection))
            changed: list[str] = []
            for indexed in pages(stale, _INDEXED_AT_ONCE):
                signals = self._signals_of(connection, indexed, lineages)
                stored = read_stale_alerts(
                    query_of(connection), indexed, lineages, self._alerts.summaries
                )
                for alerts in alert_batches(stored):
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
        start, end = signal_span(alert.finding)
        own = {call.identity for call in self._own_calls(query, [alert_id])[alert_id]}
        signals = self._signals.near(query, [related], start, end).events(related, start, end, own)
        times = {identity: time for found in signals.values() for time, identity in found}
        events = self._events.read(times)
        return {
            flag: [events[identity] for _, identity in found if identity in events]
            for flag, found in signals.items()
        }

    @raises_damaged
    def nearby_events(self, alert_id: str, seconds: int) -> list[Event]:
        """Return the events of an alert's principal around the alert, in order of time.

        These are the alert's own events, its signals, and the events of the principal's other
        alerts within ``seconds``.
        """
        spans = self._database.rows("SELECT start, until FROM alert WHERE alert_id = ?", alert_id)
        if not spans:
            return []
        start, end = spans[0]
        names = _baseline_names(self._alerts.lineage(alert_id))
        near = self._database.rows(
            "SELECT DISTINCT alert_id FROM alert_who JOIN alert USING (number) "
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

    def _signals_of(
        self, connection: sqlite3.Connection, numbers: Sequence[int], lineages: Lineages
    ) -> SignalIndex:
        """Return an index of all signals that these alerts may have."""
        rows = connection.execute(
            "SELECT lineage_id, min(start), max(until) FROM alert "
            "WHERE number IN (SELECT value FROM json_each(?)) GROUP BY lineage_id",
            (json_text(numbers),),
        ).fetchall()
        lineages.read(lineage_id for lineage_id, *_ in rows)
        related = [lineages[lineage_id] for lineage_id, *_ in rows]
        start, end = min(first for _, first, _ in rows), max(last for *_, last in rows)
        return self._signals.near(
            query_of(connection), related, start - SIGNAL_REACH, end + SIGNAL_REACH
        )

    def _put_contexts(
        self,
        connection: sqlite3.Connection,
        alerts: Sequence[StaleAlert],
        signals: SignalIndex,
        baselines: AlertBaselines,
        table: RiskTable,
    ) -> list[str]:
        """Write the context of alerts; return the ids of those whose context has changed.

        If an alert's events and its context both change, this counts as a single revision.
        """
        own = self._own_calls(
            query_of(connection),
            [alert.finding.alert_id for alert in alerts if alert.own_identity is None],
        )
        flags = {
            alert.finding.alert_id: signals.flags(
                alert.related, *signal_span(alert.finding), partial(own_identities, alert, own)
            )
            for alert in alerts
        }
        self._add_alert_flags(connection, [alert.finding for alert in alerts], flags)
        revisions = []
        contexts = []
        changed = []
        for alert in alerts:
            finding, revision = alert.finding, alert.revision
            alert_id = finding.alert_id
            events: Sequence[OwnCall] = ()
            if has_event_flags(finding):
                events = flagging_calls(finding, own.get(alert_id))
            baseline = baselines.of_finding(finding)
            content = msgspec.msgpack.encode(
                context_of(finding, events, flags[alert_id], baseline, table)
            )
            if alert.context not in (None, content) and alert.told == revision:
                revision += 1
            revisions.append((revision, revision, alert.number))
            if alert.context != content:
                contexts.append((alert.number, content))
                changed.append(alert_id)
        connection.executemany(
            "UPDATE alert SET revision = ?, told = ? WHERE number = ?", revisions
        )
        connection.executemany(
            "INSERT INTO alert_context (number, content) VALUES (?, ?) "
            "ON CONFLICT DO UPDATE SET content = excluded.content",
            contexts,
        )
        return changed

    def _own_calls(self, query: StateQuery, alert_ids: Iterable[str]) -> dict[str, list[OwnCall]]:
        """Return the events in the windows of alerts, by alert id."""
        ids = list(alert_ids)
        found = self._windows.rows(query, self._windows.of_alerts(query, ids), own_calls)
        return {alert_id: found.get(alert_id, []) for alert_id in ids}

    def _add_alert_flags(
        self,
        connection: sqlite3.Connection,
        findings: Sequence[Finding],
        flags: dict[str, list[Flag]],
    ) -> None:
        """Add flags for alerts of flag rules that the same principal has nearby.

        Only flag rules over windows count here; the other flag rules flag single events.
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
        for finding in findings:
            start, end = signal_span(finding)
            names = _baseline_names(self._alerts.lineage(finding.alert_id))
            nearby: dict[str, list[Finding]] = defaultdict(list)
            for rule_id, *packed in connection.execute(
                "SELECT DISTINCT rule_id, alert_id, summary_id, content FROM alert "
                "JOIN series USING (series_id) JOIN alert_who USING (number) "
                "JOIN alert_finding USING (number) "
                "WHERE alert_id != ? AND start < ? AND until > ? "
                "AND rule_id IN (SELECT value FROM json_each(?)) "
                f"AND who IN ({', '.join('?' * len(names))})",
                (finding.alert_id, end, start, rule_ids, *names),
            ).fetchall():
                other = self._alerts.summaries.unpack(query_of(connection), *packed)
                nearby[raising[rule_id]].append(other)
            for flag, others in nearby.items():
                first = min(other.first_event for other in others)
                last = max(other.last_event for other in others)
                flags[finding.alert_id].append(Flag(flag, len(others), first, last))


def _put_lineage(connection: sqlite3.Connection, number: int, related: RelatedPrincipals) -> None:
    lineage = Lineage.of(related)
    insert_lineages(connection, [lineage])
    connection.execute(
        "UPDATE alert SET lineage_id = ?, has_hop = ? WHERE number = ?",
        (lineage.lineage_id, lineage.has_hop, number),
    )


def _baseline_names(lineage: RelatedPrincipals) -> set[int]:
    """Return the numbers by which ``alert_who`` stores the names of a related principal."""
    arns = (*lineage.own.arns, *lineage.hop.arns)
    names = (*map(principal_of, arns), *lineage.own.keys, *lineage.hop.keys)
    return set(map(name_number, names))
