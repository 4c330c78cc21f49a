"""The derivation of alerts from the windows that have changed.

A commit only appends segments, which stay marked as fresh until alerts are derived from them. All
fresh segments are processed together before anything is shown, so a window that grows with each of
many files is derived once.
"""

from __future__ import annotations

import math
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from detector.detection.derive import derive
from detector.detection.event import KeptEvent, Series
from detector.detection.window import Hit
from detector.rules.rule import Rule
from detector.store.alert_table import AlertChanges, AlertTable
from detector.store.database import Database
from detector.store.derivation.alert_reconciliation import (
    AlertReconciliation,
    StoredAlert,
    stored_alerts,
)
from detector.store.derivation.candidate_hits import CandidateHits, batches
from detector.store.derivation.term_runs import Run, TermRuns, join_runs
from detector.store.derivation.touched_windows import Candidate, HitKey, TouchedWindows
from detector.store.history_table import HistoryTable
from detector.store.packing.segment import inputs_of
from detector.store.packing.state_query import query_of
from detector.store.retention import Retention
from detector.store.rule_table import RuleTable
from detector.store.segments.segment_spans import SegmentSpan
from detector.store.segments.segment_table import SegmentTable
from detector.store.suppression_table import SuppressionTable
from detector.store.window_table import WindowTable, key_text, stored_series

_NEVER = (1 << 62, -1 << 62)


class AlertDerivation:
    """Derives alerts from windows, and is the only writer of the content of these alerts."""

    def __init__(
        self,
        database: Database,
        history: HistoryTable,
        rules: RuleTable,
        segments: SegmentTable,
        windows: WindowTable,
        retention: Retention,
        alerts: AlertTable,
        suppressions: SuppressionTable,
    ) -> None:
        self._database = database
        self._history = history
        self._rules = rules
        self._segments = segments
        self._windows = windows
        self._retention = retention
        self._alerts = alerts
        self._suppressions = suppressions
        self._runs = TermRuns(database)
        self._with_alerts: set[Series] | None = None

    def derive(self, tell_part: Callable[[AlertChanges], object] | None = None) -> AlertChanges:
        """Derive the alerts of all windows that were touched since the last call.

        If there are thousands of windows, they are derived in parts: ``tell_part`` is called with
        the changes of each part once they are committed, and those of the last part are returned.
        Without ``tell_part``, all changes are returned."""
        changed: list[str] = []
        withdrawn: list[str] = []
        if self._database.value("SELECT EXISTS (SELECT 1 FROM segment WHERE fresh = 1)"):
            # Merge first, because merged segments are in order of time.
            with self._database.transaction() as connection:
                self._segments.merge_small(connection)
        while fresh := self._segments.fresh():
            for changes, is_last in self._derive_touched(fresh):
                if tell_part is not None and not is_last:
                    tell_part(changes)
                    continue
                changed += changes.changed
                withdrawn += changes.withdrawn
        return AlertChanges(tuple(changed), tuple(withdrawn))

    def forget_rule(self, connection: sqlite3.Connection, rule: Rule) -> None:
        """Delete the alerts of a rule, and mark its windows to be derived again."""
        connection.execute(
            "DELETE FROM alert WHERE series_id IN (SELECT series_id FROM series WHERE rule_id = ?)",
            (rule.rule_id,),
        )
        self._windows.mark_rule(connection, rule.rule_id)

    def mark_revised(
        self, connection: sqlite3.Connection, revised: Mapping[bytes, KeptEvent]
    ) -> None:
        """Mark the alerts with revised events, so that all their signals are searched again.

        Different records that claim the same identity are rare enough to afford this.
        """
        widths = self._rules.widths()
        for row in revised.values():
            for time, matches in ((row.time, row.matches), *row.stale):
                for series, _ in matches:
                    width = widths.get(series.rule_id, 1)
                    bucket = time // width
                    connection.execute(
                        "UPDATE alert SET searched = -1, stale = 1 WHERE series_id = "
                        "(SELECT series_id FROM series WHERE rule_id = ? AND key = ? "
                        "AND ? NOT BETWEEN coalesce(gone_first, 1) AND coalesce(gone_last, 0)) "
                        "AND start < ? AND until > ?",
                        (
                            series.rule_id,
                            key_text(series),
                            bucket,
                            (bucket + 1) * width,
                            bucket * width,
                        ),
                    )

    def _derive_touched(self, fresh: Sequence[SegmentSpan]) -> Iterator[tuple[AlertChanges, bool]]:
        """Derive the alerts of the windows that the first fresh segments touch.

        Yields the changes of each part, and whether it is the last. Each part is a transaction of
        its own, so that others can write in between. The segments stay fresh until the last part is
        committed, so that everything is derived again if a part fails."""
        query = self._segments.committed
        touched = TouchedWindows(query, self._segments, self._rules.in_use, self._rules.mode)
        taken = touched.add(fresh)
        parts = deque(batches(touched.candidates(self._series_with_alerts())))
        is_done = False
        while not is_done:
            with self._database.transaction() as connection:
                is_part = len(taken) < len(fresh)
                reconciliation = AlertReconciliation(connection, self._history, is_part)
                evicted = self._retention.evicted(connection)
                if parts:
                    candidates = parts.popleft()
                    hits = CandidateHits(
                        query, self._segments, self._windows, touched.near, candidates
                    )
                    self._derive_candidates(connection, candidates, hits, evicted, reconciliation)
                is_done = not parts
                if is_done:
                    self._derive_terms(connection, touched, evicted, reconciliation)
                changes = reconciliation.finish()
                if self._suppressions.any():
                    self._suppressions.record_hidden(
                        connection, self._alerts.read(connection, changes.changed)
                    )
                if is_done:
                    self._segments.mark_derived(connection, taken)
                    self._segments.merge_small(connection)
            yield changes, is_done

    def _derive_candidates(
        self,
        connection: sqlite3.Connection,
        candidates: Iterable[Candidate],
        hits: CandidateHits,
        evicted: Mapping[Series, tuple[int, int]],
        reconciliation: AlertReconciliation,
    ) -> None:
        """Derive the alerts of candidate series."""
        with_alerts = self._series_with_alerts()
        for candidate in candidates:
            # A window that has lost hits to eviction is not derived again.
            first, last = evicted.get(candidate.series, _NEVER)
            buckets = [bucket for bucket in candidate.buckets if not first <= bucket <= last]
            if self._derive_series(connection, candidate, buckets, hits, reconciliation):
                with_alerts.add(candidate.series)
            hits.drop(candidate)

    def _series_with_alerts(self) -> set[Series]:
        """Return the series that have alerts; some that only had alerts may be included."""
        if self._with_alerts is None:
            self._with_alerts = {
                stored_series(*row)
                for row in self._database.rows(
                    "SELECT rule_id, key FROM series "
                    "WHERE series_id IN (SELECT series_id FROM alert)"
                )
            }
        return self._with_alerts

    def _derive_series(
        self,
        connection: sqlite3.Connection,
        candidate: Candidate,
        buckets: Iterable[int],
        hits: CandidateHits,
        reconciliation: AlertReconciliation,
    ) -> bool:
        """Derive the alerts of buckets of one series; return whether the series may have alerts."""
        series, rule = candidate.series, candidate.span.rule
        width, gap = candidate.span.width, candidate.span.gap
        series_id = None
        if series in self._series_with_alerts():
            series_id = _series_id(connection, series)
        has_alerts = series_id is not None
        for first, last in _runs(buckets, 1 + (2 * gap + width - 1) // width):
            start, end = first * width, (last + 1) * width
            if gap:
                start, end = start - gap + 1, end + gap - 1
                if series_id is not None:
                    start, end = _widen_span(connection, series_id, start, end, rule.gap)
            stored: Mapping[str, StoredAlert] = {}
            if series_id is not None:
                stored = stored_alerts(connection, series_id, start, end)
            near = hits.between(candidate, start - gap, end + gap, has_alerts=bool(stored))
            if not stored and not near:
                continue
            found = derive(rule, self._rules.mode, series.key or (), near, start, end)
            derived = {finding.alert_id: finding for finding in found}
            reconciliation.add(series, width, rule, derived, stored)
            if gap and derived:
                # Write now: an alert may reach into the next run, which must then include it.
                reconciliation.write()
                series_id = _series_id(connection, series)
            has_alerts = has_alerts or bool(derived)
        return has_alerts

    def _derive_terms(
        self,
        connection: sqlite3.Connection,
        touched: TouchedWindows,
        evicted: Mapping[Series, tuple[int, int]],
        reconciliation: AlertReconciliation,
    ) -> None:
        """Derive the alerts of the new-terms series whose runs have new or changed first hits."""
        series_touched = touched.terms.keys() | touched.moved
        stored = self._runs.read(connection, series_touched)
        written: dict[Series, Sequence[Run]] = {}
        for series in series_touched:
            rule = self._rules.in_use[series.rule_id]
            history = rule.query.window or 1
            before = stored.get(series, ())
            hits = touched.terms.get(series, [])
            gone = evicted.get(series, _NEVER)
            if series in touched.moved:
                hits = [
                    hit[:2]
                    for hit in self._windows.hits(
                        query_of(connection), series, history, -math.inf, math.inf
                    )
                ]
                before = tuple(run for run in before if _is_gone(run[0], history, gone))
            runs = join_runs([*before, *[(*hit, hit[0]) for hit in hits]], history)
            if runs != stored.get(series):
                written[series] = runs
            starts = [run[:2] for run in runs]
            if [run[:2] for run in stored.get(series, ())] != starts or not set(starts).isdisjoint(
                hits
            ):
                self._derive_starts(connection, series, rule, starts, gone, reconciliation)
        self._runs.write(connection, written)

    def _derive_starts(
        self,
        connection: sqlite3.Connection,
        series: Series,
        rule: Rule,
        starts: Iterable[HitKey],
        gone: tuple[int, int],
        reconciliation: AlertReconciliation,
    ) -> None:
        """Derive the alerts of a new-terms series from the first hits of its runs.

        Alerts in evicted buckets, ``gone``, are left unchanged."""
        history = rule.query.window or 1
        hits = []
        for time, identity in starts:
            if not _is_gone(time, history, gone):
                hits.append(self._hit_at(connection, series, history, time, identity))
        series_id = _series_id(connection, series)
        stored: dict[str, StoredAlert] = {}
        if series_id is not None:
            stored = stored_alerts(connection, series_id, -1 << 62, 1 << 62)
        stored = {
            alert_id: alert
            for alert_id, alert in stored.items()
            if not _is_gone(alert.start, history, gone)
        }
        found = derive(rule, self._rules.mode, series.key or (), hits)
        reconciliation.add(
            series, history, rule, {finding.alert_id: finding for finding in found}, stored
        )

    def _hit_at(
        self,
        connection: sqlite3.Connection,
        series: Series,
        width: int,
        time: int,
        identity: bytes,
    ) -> Hit:
        """Return the hit with this identity and time. Raises LookupError if it is not stored."""
        for segment in self._segments.between(query_of(connection), time, time + 1):
            number = segment.find(identity, time)
            if number is not None:
                row = segment.row(number)
                return Hit(time, identity, inputs_of(row, series, width) or (), row)
        raise LookupError(f"no event {identity.hex()} at {time}")


def _is_gone(time: int, width: int, gone: tuple[int, int]) -> bool:
    first, last = gone
    return first <= time // width <= last


def _series_id(connection: sqlite3.Connection, series: Series) -> int | None:
    """Return the id of a series; None if it has no row, and therefore no alerts."""
    row = connection.execute(
        "SELECT series_id FROM series WHERE rule_id = ? AND key = ?",
        (series.rule_id, key_text(series)),
    ).fetchone()
    return row[0] if row else None


def _widen_span(
    connection: sqlite3.Connection, series_id: int, start: int, end: int, near: int
) -> tuple[int, int]:
    """Widen a span until it contains all alerts that overlap it or are within ``near`` seconds.

    If windows start at their first event, an earlier event can move all following alerts."""
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
    """Yield (first, last) of each run of buckets that are at most ``margin`` apart."""
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
