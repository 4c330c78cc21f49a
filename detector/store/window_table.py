"""The windows: the hits of each series, by bucket of time.

Windows grow only by set union. A series is a rule together with the values of its keys; a bucket is
a time span of the width of the rule's window. The hits are stored in the segments; a series has a
row in the table ``series`` only if it has alerts, or if some of its windows were evicted.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import TypeVar

import msgspec

from detector.cloudtrail.record import json_text
from detector.detection.event import Event, Series
from detector.detection.window import Hit
from detector.store.database import Database, raises_damaged
from detector.store.files.file_packs import Paths
from detector.store.packing.segment import Segment, StoredRow, without_matches
from detector.store.packing.state_query import StateQuery, query_of
from detector.store.segments.alert_windows import AlertWindow, AlertWindows
from detector.store.segments.hit_columns import HitColumns
from detector.store.segments.segment_table import SegmentGone, SegmentTable

_order = attrgetter("order")
_Row = TypeVar("_Row")


class WindowTable:
    """The hits of all rules."""

    def __init__(self, database: Database, segments: SegmentTable) -> None:
        self._database = database
        self._segments = segments

    @raises_damaged
    def events(self, window: AlertWindow) -> list[Event]:
        """Return the committed events of a window, in order of time."""
        query = self._segments.committed
        paths = Paths(query)
        events = []
        for stored in self.stored(query, window):
            row = stored.row
            position = msgspec.structs.replace(row.position, source=paths[stored.file_id])
            events.append(msgspec.structs.replace(row, position=position).event(stored.identity))
        return events

    def stored(self, query: StateQuery, window: AlertWindow) -> list[StoredRow]:
        """Return the rows of a window's events, in order of time and identity."""
        rows = self.rows(query, [window], lambda segment, numbers: map(segment.stored, numbers))
        return sorted(rows[window.alert_id], key=_order)

    def rows(
        self,
        query: StateQuery,
        windows: Iterable[AlertWindow],
        read: Callable[[Segment, Sequence[int]], Iterable[_Row]],
    ) -> dict[str, list[_Row]]:
        """Return what ``read`` returns for the events of each window, by alert id, unordered.

        ``read`` is called with a segment and the numbers of its rows. Each segment is loaded once
        for all windows and then released, since the segments of a batch of windows may not fit in
        memory together.
        """
        wanted = AlertWindows(windows)
        while True:
            rows: dict[str, list[_Row]] = defaultdict(list)
            try:
                for span in self._segments.spans(query, wanted.start, wanted.end):
                    if wanted.overlap(span):
                        segment = self._segments.load(query, span.segment_id)
                        for alert_id, numbers in wanted.events_in(segment):
                            rows[alert_id] += read(segment, numbers)
                return rows
            except SegmentGone:  # it was merged into another segment in the meantime: start over
                continue

    def hits(
        self, query: StateQuery, series: Series, width: int, start: float, end: float
    ) -> list[Hit]:
        """Return the hits of a series in ``[start, end)``, in order of time and identity."""
        found = []
        for segment in self._segments.between(query, start, end):
            for number in segment.hits_between(series, start, end, width):
                hit = segment.hit(number, series, width)
                if hit is not None:
                    found.append(hit)
        return sorted(found, key=lambda hit: hit[:2])

    @raises_damaged
    def of_alerts(self, query: StateQuery, alert_ids: Iterable[str]) -> Iterator[AlertWindow]:
        """Yield the windows of alerts, in order of their start."""
        for alert_id, rule_id, key, *rest in query(
            "SELECT alert_id, rule_id, s.key, width, start, until FROM json_each(?) wanted "
            "CROSS JOIN alert ON alert_id = wanted.value JOIN series s USING (series_id) "
            "ORDER BY start",
            json_text(list(alert_ids)),
        ):
            yield AlertWindow(alert_id, stored_series(rule_id, key), *rest)

    @raises_damaged
    def hit_columns(self, rule_id: str) -> HitColumns:
        """Return all committed hits of a rule."""
        rows = self._segments.committed(
            "SELECT identities, body FROM segment WHERE EXISTS "
            "(SELECT 1 FROM json_each(hits) WHERE json_each.key = ?) ORDER BY first, segment_id",
            rule_id,
        )
        return HitColumns(rule_id, rows)

    def mark_rule(self, connection: sqlite3.Connection, rule_id: str) -> None:
        """Mark every window of a rule, so that its alerts are derived again."""
        connection.execute(
            "UPDATE segment SET fresh = 1 WHERE EXISTS "
            "(SELECT 1 FROM json_each(hits) WHERE json_each.key = ?)",
            (rule_id,),
        )
        _forget_runs(connection, rule_id)

    def drop_rule(self, connection: sqlite3.Connection, rule_id: str) -> None:
        """Delete the windows and alerts of a rule."""
        query = query_of(connection)
        for (segment_id,) in query(
            "SELECT segment_id FROM segment WHERE EXISTS "
            "(SELECT 1 FROM json_each(hits) WHERE json_each.key = ?)",
            rule_id,
        ):
            rows = [
                stored._replace(
                    row=without_matches(stored.row, lambda _, match: match[0].rule_id == rule_id)
                )
                for stored in self._segments.load(query, segment_id).rows()
            ]
            self._segments.replace(connection, segment_id, rows)
        connection.execute(
            "DELETE FROM alert WHERE series_id IN (SELECT series_id FROM series WHERE rule_id = ?)",
            (rule_id,),
        )
        connection.execute("DELETE FROM series WHERE rule_id = ?", (rule_id,))
        _forget_runs(connection, rule_id)


def stored_series(rule_id: str, key: str) -> Series:
    """Return the series that a row of the table ``series`` describes."""
    values = msgspec.json.decode(key)
    return Series(rule_id, None if values is None else tuple(values))


def key_text(series: Series) -> str:
    """Return the key of a series as the table ``series`` stores it."""
    return json_text(None if series.key is None else list(series.key))


def _forget_runs(connection: sqlite3.Connection, rule_id: str) -> None:
    connection.execute(
        "DELETE FROM term_run WHERE rule = (SELECT number FROM rule_number WHERE rule_id = ?)",
        (rule_id,),
    )
