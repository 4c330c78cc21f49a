"""The derivation of alerts from the windows that have changed.

A commit only marks the buckets that it touched. They are derived together, before anything is
shown: a window that grows with each of many files is derived once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from detector.detection.derive import derive, max_gap
from detector.rules.rule import Rule
from detector.store.alert_table import AlertChanges, AlertTable
from detector.store.database import Database
from detector.store.derivation.alert_reconciliation import (
    AlertReconciliation,
    StoredAlert,
    stored_alerts,
)
from detector.store.history_table import HistoryTable
from detector.store.rule_table import RuleTable
from detector.store.suppression_table import SuppressionTable
from detector.store.window_table import TouchedBuckets, TouchedSeries, WindowTable

_BUCKETS_PER_TRANSACTION = 20_000
"""Touched buckets that are derived in one transaction: others may write in between."""


class AlertDerivation:
    """The only writer of the content of alerts over windows."""

    def __init__(
        self,
        database: Database,
        history: HistoryTable,
        rules: RuleTable,
        windows: WindowTable,
        alerts: AlertTable,
        suppressions: SuppressionTable,
    ) -> None:
        self._database = database
        self._history = history
        self._rules = rules
        self._windows = windows
        self._alerts = alerts
        self._suppressions = suppressions

    def derive(self) -> AlertChanges:
        """Derive the alerts of all buckets that were touched since the last time."""
        changed: list[str] = []
        withdrawn: list[str] = []
        while self._windows.any_touched():
            with self._database.transaction() as connection:
                touched = self._windows.take_touched(connection, _BUCKETS_PER_TRANSACTION)
                changes = self._derive(connection, touched)
                changed += changes.changed
                withdrawn += changes.withdrawn
        return AlertChanges(tuple(changed), tuple(withdrawn))

    def forget_rule(self, connection: sqlite3.Connection, rule: Rule) -> None:
        """Delete the alerts of a rule, and mark its windows: they are derived anew."""
        connection.execute(
            "DELETE FROM alert WHERE series_id IN (SELECT series_id FROM series WHERE rule_id = ?)",
            (rule.rule_id,),
        )
        self._windows.mark_rule(connection, rule.rule_id)

    def mark_revised(
        self, connection: sqlite3.Connection, identities: Iterable[bytes]
    ) -> TouchedBuckets:
        """Return the buckets of events with another content.

        Their signals are searched for again. Two records that claim one identity and differ are
        rare enough to search all windows and signals.
        """
        touched: TouchedBuckets = set()
        for identity in identities:
            flagged = connection.execute(
                "DELETE FROM signal WHERE identity = ? RETURNING alert_id", (identity,)
            ).fetchall()
            connection.executemany(
                "UPDATE alert SET searched = -1, stale = 1 WHERE alert_id = ?", flagged
            )
            for series_id, bucket, width in self._windows.buckets_with(connection, identity):
                touched.add((series_id, bucket))
                connection.execute(
                    "UPDATE alert SET searched = -1, stale = 1 "
                    "WHERE series_id = ? AND start < ? AND until > ?",
                    (series_id, (bucket + 1) * width, bucket * width),
                )
        return touched

    def _derive(
        self, connection: sqlite3.Connection, touched: Sequence[TouchedSeries]
    ) -> AlertChanges:
        """Derive the alerts of the touched buckets of each series."""
        reconciliation = AlertReconciliation(connection, self._history)
        for series in touched:
            rule = self._rules.in_use.get(series.rule_id)
            # The windows of a rule that is no longer used stay as they are.
            if rule is not None:
                self._derive_series(connection, series, rule, reconciliation)
        changes = reconciliation.finish()
        if self._suppressions.any():
            self._suppressions.record_hidden(
                connection, self._alerts.read(connection, changes.changed)
            )
        return changes

    def _derive_series(
        self,
        connection: sqlite3.Connection,
        series: TouchedSeries,
        rule: Rule,
        reconciliation: AlertReconciliation,
    ) -> None:
        """Derive the alerts of one series."""
        width, mode = series.width, self._rules.mode
        gap = max_gap(rule, mode)
        counts = series.counts
        if not gap and not series.has_alerts:
            counts = {
                bucket: count for bucket, count in counts.items() if count >= rule.query.min_hits
            }
        key = tuple(msgspec.json.decode(series.key))
        for first, last in _runs(counts, 1 + (2 * gap + width - 1) // width):
            start, end = first * width, (last + 1) * width
            if gap:
                start, end = start - gap + 1, end + gap - 1
                if series.has_alerts:
                    start, end = _widen_span(connection, series.series_id, start, end, rule.gap)
            hits = self._windows.hits(
                connection, series.series_id, width, start - gap, end + gap, rule.query.min_hits
            )
            stored: Mapping[str, StoredAlert] = {}
            if series.has_alerts:
                stored = stored_alerts(connection, series.series_id, start, end)
            derived = {alert.alert_id: alert for alert in derive(rule, mode, key, hits, start, end)}
            reconciliation.add(series.series_id, rule, derived, stored)
            if gap:
                # An alert may reach into the next run, which is then derived with it.
                reconciliation.write()
                series.has_alerts = series.has_alerts or bool(derived)


def _widen_span(
    connection: sqlite3.Connection, series_id: int, start: int, end: int, near: int
) -> tuple[int, int]:
    """Widen a span by the alerts that overlap it or are ``near`` seconds away, until none is.

    Where an alert's time runs from its first event, an event before it can move all that follow."""
    while True:
        first, last = connection.execute(
            "SELECT min(start), max(until) FROM alert WHERE series_id = ? AND start < ? "
            "AND until > ?",
            (series_id, end + near, start - near),
        ).fetchone()
        if first is None or (start <= first and last <= end):
            return start, end
        start, end = min(start, first), max(end, last)


def _runs(buckets: Iterable[int], margin: int) -> Iterator[tuple[int, int]]:
    """Yield the (first, last) of each run of buckets, at most ``margin`` apart."""
    first: int | None = None
    last = 0
    for bucket in sorted(buckets):
        if first is None:
            first = bucket
        elif bucket > last + margin:
            yield first, last
            first = bucket
        last = bucket
    if first is not None:
        yield first, last
