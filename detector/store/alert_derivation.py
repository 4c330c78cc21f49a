"""The derivation of alerts from the windows that have changed.

What is derived is written over what is stored. The analyst's decisions on an alert go on to the
alert that supersedes it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set

import msgspec

from detector.detection.alert import Alert, Status
from detector.detection.baseline import principal_of
from detector.detection.correlate import SIGNAL_REACH
from detector.detection.derive import derive, max_gap, supersede_window
from detector.detection.principal import RelatedPrincipals
from detector.rules.rule import Rule
from detector.store.alert_table import AlertChanges, AlertTable
from detector.store.history_table import HistoryTable
from detector.store.rule_table import RuleTable
from detector.store.suppression_table import SuppressionTable
from detector.store.window_table import WindowTable


class _StoredAlert(msgspec.Struct):
    start: int
    until: int
    content: bytes
    revision: int
    supersedes: list[str]
    lineage: RelatedPrincipals

    def is_near(self, start: int, until: int, seconds: int) -> bool:
        """Tell whether it overlaps ``[start, until)``, or is within ``seconds`` of it."""
        return self.start < until + seconds and start < self.until + seconds


class AlertDerivation:
    """The only writer of the content of alerts over windows."""

    def __init__(
        self,
        history: HistoryTable,
        rules: RuleTable,
        windows: WindowTable,
        alerts: AlertTable,
        suppressions: SuppressionTable,
    ) -> None:
        self._history = history
        self._rules = rules
        self._windows = windows
        self._alerts = alerts
        self._suppressions = suppressions

    def derive(
        self, connection: sqlite3.Connection, touched: Mapping[int, Set[int]]
    ) -> AlertChanges:
        """Derive the alerts of the touched buckets of each series."""
        changed: list[str] = []
        withdrawn: list[str] = []
        for series_id, buckets in touched.items():
            self._derive_series(connection, series_id, buckets, changed, withdrawn)
        alerts = self._alerts.read(connection, changed)
        self._suppressions.record_hidden(connection, alerts)
        return AlertChanges(alerts, tuple(withdrawn))

    def derive_rule(self, connection: sqlite3.Connection, rule: Rule) -> None:
        """Derive all alerts of a rule anew from its windows."""
        connection.execute(
            "DELETE FROM alert WHERE series_id IN (SELECT series_id FROM series WHERE rule_id = ?)",
            (rule.rule_id,),
        )
        self.derive(connection, self._windows.buckets_of_rule(connection, rule.rule_id))

    def mark_revised(
        self,
        connection: sqlite3.Connection,
        identities: Iterable[bytes],
        touched: dict[int, set[int]],
    ) -> None:
        """Add the buckets of events with another content to ``touched``.

        Their signals are searched for again. Two records that claim one identity and differ are
        rare enough to search all windows and signals.
        """
        for identity in identities:
            flagged = connection.execute(
                "DELETE FROM signal WHERE identity = ? RETURNING alert_id", (identity,)
            ).fetchall()
            connection.executemany(
                "UPDATE alert SET searched = -1, stale = 1 WHERE alert_id = ?", flagged
            )
            for series_id, bucket, width in self._windows.buckets_with(connection, identity):
                touched[series_id].add(bucket)
                connection.execute(
                    "UPDATE alert SET searched = -1, stale = 1 "
                    "WHERE series_id = ? AND start < ? AND until > ?",
                    (series_id, (bucket + 1) * width, bucket * width),
                )

    def _derive_series(
        self,
        connection: sqlite3.Connection,
        series_id: int,
        buckets: Set[int],
        changed: list[str],
        withdrawn: list[str],
    ) -> None:
        """Derive the alerts of one series.

        Their ids are added to ``changed`` and ``withdrawn``.
        """
        rule_id, key_text, width = connection.execute(
            "SELECT rule_id, key, width FROM series WHERE series_id = ?", (series_id,)
        ).fetchone()
        rule, mode = self._rules.in_use[rule_id], self._rules.mode
        key = tuple(msgspec.json.decode(key_text))
        gap = max_gap(rule, mode)
        for first, last in _runs(buckets):
            start, end = first * width, (last + 1) * width
            if gap:
                start, end = _widen_span(
                    connection, series_id, start - gap + 1, end + gap - 1, rule.gap
                )
            hits = self._windows.hits(
                connection, series_id, width, start - gap, end + gap, rule.query.min_hits
            )
            stored = _stored_alerts(connection, series_id, start, end)
            derived = {alert.alert_id: alert for alert in derive(rule, mode, key, hits, start, end)}
            changed += self._reconcile(
                connection, series_id, derived, stored, withdrawn, supersede_window(rule)
            )
            if rule.flag and rule.query.shape != "filter":
                connection.execute(
                    "UPDATE alert SET stale = 1 WHERE start < ? AND until > ?",
                    (end + SIGNAL_REACH, start - SIGNAL_REACH),
                )

    def _reconcile(
        self,
        connection: sqlite3.Connection,
        series_id: int,
        derived: Mapping[str, Alert],
        stored: Mapping[str, _StoredAlert],
        withdrawn: list[str],
        supersede_within: int,
    ) -> Iterator[str]:
        """Write derived alerts over stored ones; yield the ids that changed.

        An alert supersedes those that are gone and that it overlaps, or is within
        ``supersede_within`` seconds of.
        """
        gone = {alert_id: alert for alert_id, alert in stored.items() if alert_id not in derived}
        for alert_id, alert in derived.items():
            content = msgspec.msgpack.encode(alert)
            before = stored.get(alert_id)
            if before is not None and before.content == content:
                continue
            start, until = alert.extent
            superseded = [
                old_id
                for old_id, old in gone.items()
                if old.is_near(start, until, supersede_within)
            ]
            predecessors = [gone[old_id] for old_id in superseded]
            if before is not None:
                predecessors.append(before)
            supersedes = set(superseded)
            for predecessor in predecessors:
                supersedes.update(predecessor.supersedes)
            supersedes_json = msgspec.json.encode(sorted(supersedes)).decode()
            if before is None:
                revision = 1 + max((old.revision for old in predecessors), default=0)
                connection.execute(
                    "INSERT INTO alert (alert_id, series_id, start, until, content, revision, "
                    "settled, supersedes, context, lineage, searched, stale, told) "
                    "VALUES (?, ?, ?, ?, ?, ?, 0, ?, NULL, '', -1, 1, 0)",
                    (alert_id, series_id, start, until, content, revision, supersedes_json),
                )
            else:
                connection.execute(
                    "UPDATE alert SET start = ?, until = ?, content = ?, revision = revision + 1, "
                    "stale = 1, supersedes = ? WHERE alert_id = ?",
                    (start, until, content, supersedes_json, alert_id),
                )
            lineage = RelatedPrincipals.of(alert.facets)
            if (
                before is None
                or lineage.own != before.lineage.own
                or (start, until) != (before.start, before.until)
            ):
                _put_lineage(connection, alert, lineage)
            for old_id in superseded:
                del gone[old_id]
            self._supersede(connection, superseded, alert_id, is_joined=before is not None)
            withdrawn += superseded
            yield alert_id
        for alert_id in gone:
            connection.execute("DELETE FROM alert WHERE alert_id = ?", (alert_id,))
            self._history.add(
                connection,
                alert_id,
                "withdrawn",
                "records that came later changed what its rule says of this window",
            )
            withdrawn.append(alert_id)

    def _supersede(
        self, connection: sqlite3.Connection, old_ids: Sequence[str], new_id: str, is_joined: bool
    ) -> None:
        """Move status, notes and suppressions to the alert that supersedes others.

        ``is_joined``: the alert stood before, and others join it.
        """
        statuses: list[Status] = []
        if old_ids and is_joined:
            row = connection.execute(
                "SELECT status FROM status WHERE alert_id = ?", (new_id,)
            ).fetchone()
            statuses.append(row[0] if row else "open")
        for old_id in old_ids:
            connection.execute("DELETE FROM alert WHERE alert_id = ?", (old_id,))
            row = connection.execute(
                "DELETE FROM status WHERE alert_id = ? RETURNING status", (old_id,)
            ).fetchone()
            statuses.append(row[0] if row else "open")
            connection.execute("UPDATE note SET alert_id = ? WHERE alert_id = ?", (new_id, old_id))
            connection.execute(
                "UPDATE OR REPLACE hidden SET alert_id = ? WHERE alert_id = ?", (new_id, old_id)
            )
            connection.execute(
                "UPDATE OR REPLACE decided SET subject = ? WHERE thing = 'status' AND subject = ?",
                (new_id, old_id),
            )
            self._history.add(connection, old_id, "superseded", f"by {new_id}")
            self._history.add(connection, new_id, "supersedes", old_id)
        # The status that hides least wins.
        for status in ("open", "acknowledged", "closed"):
            if status in statuses:
                connection.execute(
                    "INSERT OR REPLACE INTO status (alert_id, status) VALUES (?, ?)",
                    (new_id, status),
                )
                break


def _put_lineage(connection: sqlite3.Connection, alert: Alert, lineage: RelatedPrincipals) -> None:
    """Write whose alert it is: its signals are searched for anew."""
    alert_id = alert.alert_id
    connection.execute("DELETE FROM signal WHERE alert_id = ?", (alert_id,))
    connection.execute(
        "UPDATE alert SET lineage = ?, searched = -1 WHERE alert_id = ?",
        (msgspec.json.encode(lineage).decode(), alert_id),
    )
    facets = alert.facets
    names = {*facets.accounts, *facets.access_keys, *(principal_of(arn) for arn in facets.arns)}
    connection.executemany(
        "INSERT OR IGNORE INTO alert_who (who, alert_id) VALUES (?, ?)",
        [(name, alert_id) for name in names],
    )


def _stored_alerts(
    connection: sqlite3.Connection, series_id: int, start: int, end: int
) -> dict[str, _StoredAlert]:
    """Return the alerts of a series that overlap ``[start, end)``, by id."""
    alerts = {}
    for alert_id, alert_start, until, content, revision, supersedes, lineage in connection.execute(
        "SELECT alert_id, start, until, content, revision, supersedes, lineage FROM alert "
        "WHERE series_id = ? AND start < ? AND until > ?",
        (series_id, end, start),
    ):
        alerts[alert_id] = _StoredAlert(
            alert_start,
            until,
            content,
            revision,
            msgspec.json.decode(supersedes),
            msgspec.json.decode(lineage, type=RelatedPrincipals),
        )
    return alerts


def _widen_span(
    connection: sqlite3.Connection, series_id: int, start: int, end: int, near: int
) -> tuple[int, int]:
    """Widen a span by the alerts that overlap it or are ``near`` seconds away, until none is.

    Where an alert's time runs from its first event, an event before it can move all that follow."""
    while True:
        overlapping = _stored_alerts(connection, series_id, start - near, end + near).values()
        wider = (
            min([start, *(alert.start for alert in overlapping)]),
            max([end, *(alert.until for alert in overlapping)]),
        )
        if wider == (start, end):
            return wider
        start, end = wider


def _runs(buckets: Set[int]) -> Iterator[tuple[int, int]]:
    """Yield the (first, last) of each run of neighbouring buckets."""
    ordered = sorted(buckets)
    first = last = ordered[0]
    for bucket in ordered[1:]:
        if bucket != last + 1:
            yield first, last
            first = bucket
        last = bucket
    yield first, last
