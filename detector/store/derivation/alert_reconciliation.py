"""The reconciliation of derived alerts with the stored ones.

An alert that supersedes another takes over the analyst's decisions on it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any, NamedTuple

import msgspec

from detector.detection.alert import STATUSES
from detector.detection.baseline import principal_of
from detector.detection.correlate import SIGNAL_REACH
from detector.detection.derive import supersede_window
from detector.detection.event import Series
from detector.detection.finding import Finding
from detector.detection.principal import RelatedPrincipals
from detector.rules.rule import Rule
from detector.store.alert_table import AlertChanges
from detector.store.history_table import HistoryTable
from detector.store.packing.content_id import name_number
from detector.store.packing.finding_rows import (
    PackedFinding,
    SummaryRow,
    pack_finding,
    put_findings,
)
from detector.store.packing.lineage_rows import Lineage, Lineages, insert_lineages
from detector.store.packing.state_query import query_of
from detector.store.window_table import key_text

_MARK_BY_NAME = (
    "UPDATE alert SET stale = 1 WHERE stale = 0 AND start < ? AND until > ? "
    "AND number IN (SELECT number FROM alert_who WHERE who = ?)"
)
_MARK_BY_HOP = (
    "UPDATE alert SET stale = 1 WHERE stale = 0 AND start < ? AND until > ? AND has_hop = 1"
)
"""Marks all alerts whose principal is known by further names, whichever these are; few are."""


class StoredAlert(msgspec.Struct):
    """An alert as it is stored from an earlier derivation."""

    number: int
    start: int
    until: int
    summary: bytes
    content: bytes
    revision: int
    supersedes: list[str]
    lineage: RelatedPrincipals

    def has_content(self, packed: PackedFinding) -> bool:
        """Tell whether a packed finding equals the stored one."""
        # Compare the summaries' bodies, since their ids differ between processes.
        return self.content == packed.content and self.summary == packed.summary.body

    def is_near(self, start: int, until: int, seconds: int) -> bool:
        """Tell whether the alert overlaps ``[start, until)``, or is within ``seconds`` of it."""
        return self.start < until + seconds and start < self.until + seconds


class _NewAlert(NamedTuple):
    """An alert that is written for the first time; ``series`` is its rule's id and key."""

    finding: Finding
    packed: PackedFinding
    series: tuple[str, str]
    revision: int
    supersedes: Set[str]
    lineage: Lineage

    def row(self) -> tuple[Any, ...]:
        """Return the values of the alert's row, without its number."""
        start, until = self.finding.extent
        return (
            self.finding.alert_id,
            *self.series,
            start,
            until,
            self.revision,
            _json(sorted(self.supersedes)),
            self.lineage.lineage_id,
            self.lineage.has_hop,
        )


class AlertReconciliation:
    """The derived alerts of one transaction, written in bulk.

    ``is_part``: an alert may still be stored for another window, because the time of an event has
    changed and the window that it left is derived with a later part."""

    def __init__(
        self, connection: sqlite3.Connection, history: HistoryTable, is_part: bool
    ) -> None:
        self._is_part = is_part
        self._connection = connection
        self._history = history
        self._changed: list[str] = []
        self._withdrawn: list[str] = []
        self._summaries: dict[str, SummaryRow] = {}
        """By rule id."""
        self._new_series: dict[tuple[str, str], int] = {}
        self._new_alerts: list[_NewAlert] = []
        self._related: list[tuple[int, int, int]] = []
        self._spans: list[tuple[int, int]] = []

    def add(
        self,
        series: Series,
        width: int,
        rule: Rule,
        derived: Mapping[str, Finding],
        stored: Mapping[str, StoredAlert],
    ) -> None:
        """Replace the stored alerts of a series in a span by the derived ones of the same span.

        ``width`` is the bucket width of the series, in seconds. A new or changed alert supersedes
        the stored alerts that were not derived again and that it overlaps or is near to.
        """
        raises_flag = rule.flag and rule.query.shape != "filter"
        if self._is_part:
            moved = _alerts_with_ids(self._connection, derived.keys() - stored.keys())
            stored = {**stored, **moved}
        gone = {alert_id: alert for alert_id, alert in stored.items() if alert_id not in derived}
        for alert_id, finding in derived.items():
            packed = pack_finding(finding, self._summary_of(rule))
            before = stored.get(alert_id)
            if before is not None and before.has_content(packed):
                continue
            start, until = finding.extent
            superseded = [
                old_id
                for old_id, old in gone.items()
                if old.is_near(start, until, supersede_window(rule))
            ]
            predecessors = {old_id: gone.pop(old_id) for old_id in superseded}
            self._put(series, width, finding, packed, before, predecessors)
            if superseded:
                self._supersede(superseded, alert_id, is_joined=before is not None)
            self._withdrawn += superseded
            self._changed.append(alert_id)
            if raises_flag:
                self._mark_related(start, until, RelatedPrincipals.of(finding.facets))
                for old in predecessors.values():
                    self._mark_related(old.start, old.until, old.lineage)
        for alert_id, old in gone.items():
            self._withdraw(alert_id)
            if raises_flag:
                self._mark_related(old.start, old.until, old.lineage)

    def _summary_of(self, rule: Rule) -> SummaryRow:
        """Return the stored summary of a rule, which all its findings share."""
        summary = self._summaries.get(rule.rule_id)
        if summary is None:
            summary = SummaryRow.stored(self._connection, rule.summary)
            self._summaries[rule.rule_id] = summary
        return summary

    def write(self) -> None:
        """Write the new alerts that were added so far."""
        connection = self._connection
        connection.executemany(
            "INSERT OR IGNORE INTO series (rule_id, key, width) VALUES (?, ?, ?)",
            [(*name, width) for name, width in self._new_series.items()],
        )
        self._new_series.clear()
        insert_lineages(connection, {alert.lineage for alert in self._new_alerts})
        ((last,),) = connection.execute("SELECT coalesce(max(number), 0) FROM alert").fetchall()
        numbered = list(enumerate(self._new_alerts, last + 1))
        connection.executemany(
            "INSERT INTO alert (number, alert_id, series_id, start, until, revision, settled, "
            "supersedes, lineage_id, has_hop, searched, stale, told) "
            "VALUES (?, ?, (SELECT series_id FROM series WHERE rule_id = ? AND key = ?), "
            "?, ?, ?, 0, ?, ?, ?, -1, 1, 0)",
            [(number, *alert.row()) for number, alert in numbered],
        )
        put_findings(connection, [(number, alert.packed) for number, alert in numbered])
        put_names(connection, [(number, alert.finding) for number, alert in numbered])
        self._new_alerts.clear()

    def finish(self) -> AlertChanges:
        """Write everything, and return the ids of changed and withdrawn alerts."""
        self.write()
        self._connection.executemany(_MARK_BY_NAME, self._related)
        self._connection.executemany(_MARK_BY_HOP, self._spans)
        return AlertChanges(tuple(self._changed), tuple(self._withdrawn))

    def _put(
        self,
        series: Series,
        width: int,
        finding: Finding,
        packed: PackedFinding,
        before: StoredAlert | None,
        superseded: Mapping[str, StoredAlert],
    ) -> None:
        """Queue a new alert for writing, or update the stored one."""
        supersedes = set(superseded)
        for old in superseded.values():
            supersedes.update(old.supersedes)
        lineage = RelatedPrincipals.of(finding.facets)
        if before is None:
            name = (series.rule_id, key_text(series))
            self._new_series[name] = width
            revision = 1 + max((old.revision for old in superseded.values()), default=0)
            self._new_alerts.append(
                _NewAlert(finding, packed, name, revision, supersedes, Lineage.of(lineage))
            )
            return
        supersedes.update(before.supersedes)
        start, until = finding.extent
        self._connection.execute(
            "UPDATE alert SET start = ?, until = ?, revision = revision + 1, "
            "stale = 1, supersedes = ? WHERE number = ?",
            (start, until, _json(sorted(supersedes)), before.number),
        )
        put_findings(self._connection, [(before.number, packed)])
        if lineage.own != before.lineage.own or (start, until) != (before.start, before.until):
            self._search_anew(before.number, finding, Lineage.of(lineage))

    def _search_anew(self, number: int, finding: Finding, lineage: Lineage) -> None:
        """Write the related principals of an alert, and mark its signals to be searched again."""
        insert_lineages(self._connection, [lineage])
        self._connection.execute(
            "UPDATE alert SET lineage_id = ?, has_hop = ?, searched = -1 WHERE number = ?",
            (lineage.lineage_id, lineage.has_hop, number),
        )
        put_names(self._connection, [(number, finding)])

    def _withdraw(self, alert_id: str) -> None:
        """Delete an alert that can no longer be derived from its window."""
        self._connection.execute("DELETE FROM alert WHERE alert_id = ?", (alert_id,))
        self._history.add(
            self._connection,
            alert_id,
            "withdrawn",
            "late records changed the result of this window",
        )
        self._withdrawn.append(alert_id)

    def _mark_related(self, start: int, until: int, lineage: RelatedPrincipals) -> None:
        """Mark the related alerts near a span as stale, since this alert is a flag of theirs."""
        span = (until + SIGNAL_REACH, start - SIGNAL_REACH)
        self._spans.append(span)
        self._related += [
            (*span, name_number(name))
            for name in {*map(principal_of, lineage.own.arns), *lineage.own.keys}
        ]

    def _supersede(self, old_ids: Sequence[str], new_id: str, is_joined: bool) -> None:
        """Move status, notes and suppressions to the alert that supersedes others.

        ``is_joined``: the alert existed before, and others are merged into it.
        """
        connection = self._connection
        for old_id in old_ids:
            connection.execute("DELETE FROM alert WHERE alert_id = ?", (old_id,))
            connection.execute("UPDATE note SET alert_id = ? WHERE alert_id = ?", (new_id, old_id))
            connection.execute(
                "UPDATE OR REPLACE hidden SET alert_id = ? WHERE alert_id = ?", (new_id, old_id)
            )
            connection.execute(
                "UPDATE OR REPLACE decided SET subject = ? "
                "WHERE thing IN ('status', 'assignee') AND subject = ?",
                (new_id, old_id),
            )
            self._history.add(connection, old_id, "superseded", f"by {new_id}")
            self._history.add(connection, new_id, "supersedes", old_id)
        move_assignee(connection, old_ids, new_id)
        _move_status(connection, old_ids, new_id, is_joined)


def _move_status(
    connection: sqlite3.Connection, old_ids: Sequence[str], new_id: str, is_joined: bool
) -> None:
    """Give an alert the least hiding status of the alerts it supersedes and of its own.

    Its own status counts only if it ``is_joined``.
    """
    decided = [
        connection.execute(
            "DELETE FROM status WHERE alert_id = ? RETURNING status, at, author", (old_id,)
        ).fetchone()
        for old_id in old_ids
    ]
    if is_joined:
        own = "SELECT status, at, author FROM status WHERE alert_id = ?"
        decided.insert(0, connection.execute(own, (new_id,)).fetchone())
    # An alert without a row is open.
    statuses = {
        status: authorship
        for status, *authorship in (row or ("open", None, None) for row in decided)
    }
    for status in STATUSES:
        if status in statuses:
            connection.execute(
                "INSERT OR REPLACE INTO status (alert_id, status, at, author) VALUES (?, ?, ?, ?)",
                (new_id, status, *statuses[status]),
            )
            return


def move_assignee(connection: sqlite3.Connection, old_ids: Sequence[str], new_id: str) -> None:
    """Give an alert the latest assignee among its own and those of the alerts it supersedes."""
    ids = msgspec.json.encode([new_id, *old_ids]).decode()
    among = "alert_id IN (SELECT value FROM json_each(?))"
    latest = connection.execute(
        f"SELECT name, at, author FROM assignee WHERE {among} ORDER BY at DESC, name LIMIT 1",
        (ids,),
    ).fetchone()
    if latest is None:
        return
    connection.execute(f"DELETE FROM assignee WHERE {among}", (ids,))
    connection.execute(
        "INSERT INTO assignee (alert_id, name, at, author) VALUES (?, ?, ?, ?)", (new_id, *latest)
    )


def stored_alerts(
    connection: sqlite3.Connection, series_id: int, start: int, end: int
) -> dict[str, StoredAlert]:
    """Return the alerts of a series that overlap ``[start, end)``, by id."""
    return _read_alerts(
        connection, "series_id = ? AND start < ? AND until > ?", series_id, end, start
    )


def _alerts_with_ids(connection: sqlite3.Connection, ids: Set[str]) -> dict[str, StoredAlert]:
    """Return the stored alerts with these ids, by id."""
    if not ids:
        return {}
    return _read_alerts(
        connection, "alert_id IN (SELECT value FROM json_each(?))", _json(sorted(ids))
    )


def _read_alerts(
    connection: sqlite3.Connection, condition: str, *values: object
) -> dict[str, StoredAlert]:
    lineages = Lineages(query_of(connection))
    rows = connection.execute(
        "SELECT number, alert_id, start, until, body, content, revision, supersedes, lineage_id "
        "FROM alert JOIN alert_finding USING (number) JOIN rule_summary USING (summary_id) "
        f"WHERE {condition}",
        values,
    ).fetchall()
    alerts = {}
    for number, alert_id, *span, summary, content, revision, supersedes, lineage_id in rows:
        first, until = span
        alerts[alert_id] = StoredAlert(
            number,
            first,
            until,
            summary,
            content,
            revision,
            msgspec.json.decode(supersedes),
            lineages[lineage_id],
        )
    return alerts


def put_names(connection: sqlite3.Connection, findings: Iterable[tuple[int, Finding]]) -> None:
    """Write the names by which alerts, given with their numbers, can be looked up."""
    rows: set[tuple[int, int]] = set()
    numbers: dict[str, int] = {}
    for number, finding in findings:
        facets = finding.facets
        names = {*facets.accounts, *facets.access_keys, *map(principal_of, facets.arns)}
        for name in names:
            if name not in numbers:
                numbers[name] = name_number(name)
            rows.add((numbers[name], number))
    # In the order of the primary key, so that pages are written sequentially.
    connection.executemany(
        "INSERT OR IGNORE INTO alert_who (who, number) VALUES (?, ?)", sorted(rows)
    )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
