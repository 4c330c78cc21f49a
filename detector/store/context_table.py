"""The context of alerts: their signals, flags, baseline and risk."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec

from detector.cloudtrail.record import json_text
from detector.detection.alert import Alert, Flag
from detector.detection.baseline import principal_of
from detector.detection.correlate import (
    SIGNAL_REACH,
    PendingSearch,
    Signals,
    context_of,
    has_event_flags,
)
from detector.detection.event import Event
from detector.detection.principal import RelatedPrincipals
from detector.detection.record_search import SearchRequest
from detector.detection.risk import RiskTable
from detector.store.alert_table import AlertChanges, AlertTable
from detector.store.baseline_table import AlertBaselines, BaselineTable
from detector.store.database import Database, raises_damaged
from detector.store.event_table import EventTable
from detector.store.rule_table import RuleTable
from detector.store.segments.segment_table import StateQuery, query_of
from detector.store.suppression_table import SuppressionTable
from detector.store.window_table import WindowTable

_IS_WANTED = "alert_id IN (SELECT value FROM json_each(?))"
_ALERTS_AT_ONCE = 1_000
_alert_decoder = msgspec.msgpack.Decoder(Alert)


class ContextTable:
    """What is known around each alert."""

    def __init__(
        self,
        database: Database,
        rules: RuleTable,
        baseline: BaselineTable,
        events: EventTable,
        windows: WindowTable,
        alerts: AlertTable,
        suppressions: SuppressionTable,
    ) -> None:
        self._database = database
        self._rules = rules
        self._baseline = baseline
        self._events = events
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
            "SELECT min(first), max(last) FROM file WHERE sequence > ?", after
        )[0]
        rows = self._database.rows(
            "SELECT alert_id, start, until, lineage, searched FROM alert "
            "WHERE searched < ? AND (searched < 0 OR (start <= ? AND until > ?)) ORDER BY start",
            newest,
            (last or 0) + SIGNAL_REACH,
            (first or 0) - SIGNAL_REACH,
        )
        own = self._alerts.own_events(alert_id for alert_id, *_ in rows)
        searches = []
        for alert_id, start, until, stored_lineage, searched in rows:
            lineage = msgspec.json.decode(stored_lineage, type=RelatedPrincipals)
            watch = SearchRequest(alert_id, lineage, start - SIGNAL_REACH, until + SIGNAL_REACH)
            searches.append(PendingSearch(watch, searched, own.get(alert_id, [])))
        return newest, searches

    def add_signals(self, signals: Mapping[str, Signals], searched: Mapping[str, int]) -> None:
        """Write the signals that the searches found, by alert id.

        ``searched`` is the file sequence up to which each alert has been searched for.
        """
        with self._database.transaction() as connection:
            lineages = dict(
                connection.execute(
                    f"SELECT alert_id, lineage FROM alert WHERE {_IS_WANTED}",
                    (json_text(list(searched)),),
                )
            )
            rows = []
            # One that is not there was superseded, by an alert that is searched for itself.
            for alert_id in searched.keys() & lineages.keys():
                sequence, lineage, is_stale = searched[alert_id], lineages[alert_id], False
                if alert_id in signals:
                    lineage = msgspec.json.encode(signals[alert_id].lineage).decode()
                    # With a session that was not known before, all files must be searched again.
                    if lineage != lineages[alert_id]:
                        sequence = -1
                    is_stale = True
                rows.append((lineage, sequence, is_stale, alert_id))
            self._put_signals(
                connection,
                {
                    alert_id: alert_signals.events
                    for alert_id, alert_signals in signals.items()
                    if alert_id in lineages
                },
            )
            connection.executemany(
                "UPDATE alert SET lineage = ?, searched = ?, stale = max(stale, ?) "
                "WHERE alert_id = ?",
                rows,
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
            baselines = AlertBaselines(connection)
            changed: list[str] = []
            for first in range(0, len(stale), _ALERTS_AT_ONCE):
                alerts = self._alerts.read(connection, stale[first : first + _ALERTS_AT_ONCE])
                changed += self._put_contexts(connection, alerts, baselines, table)
            connection.execute("UPDATE alert SET stale = 0 WHERE stale = 1")
            if self._suppressions.any():
                self._suppressions.record_hidden(connection, self._alerts.read(connection, changed))
            return AlertChanges(tuple(changed))

    @raises_damaged
    def signals(self, alert_id: str) -> dict[str, list[Event]]:
        """Return an alert's signals by flag, in order of time."""
        signals = self._signals_of(self._database.rows, [alert_id]).get(alert_id, {})
        times = {identity: time for found in signals.values() for time, identity in found}
        events = self._events.read(times)
        return {
            flag: [events[identity] for _, identity in sorted(found) if identity in events]
            for flag, found in sorted(signals.items())
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

    def _signals_of(
        self, query: StateQuery, alert_ids: Sequence[str]
    ) -> dict[str, dict[str, list[tuple[int, bytes]]]]:
        """Return time and identity of the signals of alerts, by alert and flag.

        Those are left out that have become the alert's own hits since.
        """
        signals: dict[str, dict[str, list[tuple[int, bytes]]]] = {}
        inside: set[str] = set()
        for alert_id, flag, identity, time, is_inside in query(
            "SELECT alert_id, flag, identity, time, time >= start AND time < until FROM signal "
            f"JOIN alert USING (alert_id) WHERE {_IS_WANTED}",
            json_text(list(alert_ids)),
        ):
            signals.setdefault(alert_id, {}).setdefault(flag, []).append((time, identity))
            if is_inside:
                inside.add(alert_id)
        for window in self._windows.of_alerts(query, inside):
            own = {stored.identity for stored in self._windows.stored(query, window)}
            left = {
                flag: [signal for signal in found if signal[1] not in own]
                for flag, found in signals[window.alert_id].items()
            }
            signals[window.alert_id] = {flag: found for flag, found in left.items() if found}
        return signals

    def _put_signals(
        self,
        connection: sqlite3.Connection,
        signals: Mapping[str, Mapping[str, Sequence[Event]]],
    ) -> None:
        """Write the signals of alerts, by alert id and flag."""
        rows: set[tuple[str, str, bytes]] = set()
        union: set[Event] = set()
        for alert_id, events_by_flag in signals.items():
            for flag, events in events_by_flag.items():
                union.update(events)
                rows.update((alert_id, flag, event.identity) for event in events)
        times = self._events.put_signals(connection, union)
        connection.executemany(
            "INSERT OR IGNORE INTO signal (alert_id, flag, identity, time) VALUES (?, ?, ?, ?)",
            [(*row, times[row[2]]) for row in sorted(rows)],
        )

    def _put_contexts(
        self,
        connection: sqlite3.Connection,
        alerts: Sequence[Alert],
        baselines: AlertBaselines,
        table: RiskTable,
    ) -> list[str]:
        """Write the context of alerts; return the ids of those whose context has changed.

        A change of the context together with one of the events is a single revision.
        """
        alert_ids = json_text([alert.alert_id for alert in alerts])
        flags: dict[str, list[Flag]] = defaultdict(list)
        signals = self._signals_of(query_of(connection), [alert.alert_id for alert in alerts])
        for alert_id, by_flag in signals.items():
            for flag, found in sorted(by_flag.items()):
                times = [time for time, _ in found]
                flags[alert_id].append(Flag(flag, len(times), min(times), max(times)))
        self._add_alert_flags(connection, alerts, flags)
        stored = {
            alert_id: rest
            for alert_id, *rest in connection.execute(
                f"SELECT alert_id, context, told FROM alert WHERE {_IS_WANTED}", (alert_ids,)
            )
        }
        rows = []
        changed = []
        for alert in alerts:
            alert_id, revision = alert.alert_id, alert.revision
            events = self._alerts.events(alert_id) if has_event_flags(alert) else []
            baseline = baselines.of_alert(alert)
            content = msgspec.msgpack.encode(
                context_of(alert, events, flags[alert_id], baseline, table)
            )
            before, told_revision = stored[alert_id]
            if before not in (None, content) and told_revision == revision:
                revision += 1
            rows.append((revision, revision, content, alert_id))
            if before != content:
                changed.append(alert_id)
        connection.executemany(
            "UPDATE alert SET revision = ?, told = ?, context = ? WHERE alert_id = ?", rows
        )
        return changed

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
            start, end = _nearby_span(alert)
            names = _baseline_names(self._alerts.lineage(alert.alert_id))
            nearby: dict[str, list[Alert]] = defaultdict(list)
            for rule_id, _, content in connection.execute(
                "SELECT DISTINCT rule_id, alert_id, content FROM alert "
                "JOIN series USING (series_id) JOIN alert_who USING (alert_id) "
                "WHERE alert_id != ? AND start < ? AND until > ? "
                "AND rule_id IN (SELECT value FROM json_each(?)) "
                f"AND who IN ({', '.join('?' * len(names))})",
                (alert.alert_id, end, start, rule_ids, *names),
            ):
                nearby[raising[rule_id]].append(_alert_decoder.decode(content))
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


def _nearby_span(alert: Alert) -> tuple[int, int]:
    """Return the span that another alert must overlap to be near."""
    start, end = alert.extent
    return start - SIGNAL_REACH, end + SIGNAL_REACH
