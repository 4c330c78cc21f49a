"""The windows: the hits of each series, by bucket of time.

They grow by set union alone. A series is a rule with the values of its keys; a bucket is a span as
wide as the rule's window. The hits are in the segments; a series has a row of its own only where it
has alerts, or where windows of it were evicted.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter
from typing import NamedTuple

import msgspec

from detector.cloudtrail.record import json_text
from detector.detection.event import Event, Series
from detector.detection.finding import alert_id as name_alert
from detector.detection.window import Hit
from detector.store.database import Database, raises_damaged
from detector.store.event_table import Paths
from detector.store.packing.segment import Segment, StoredRow, without_matches
from detector.store.segments.hit_columns import HitColumns
from detector.store.segments.segment_spans import SpanIndex
from detector.store.segments.segment_table import (
    SegmentGone,
    SegmentTable,
    StateQuery,
    query_of,
)

_order = attrgetter("order")


class AlertWindow(msgspec.Struct, frozen=True):
    """The span of an alert's series in which its events are."""

    alert_id: str
    series: Series
    width: int
    start: int
    until: int


class SegmentRow(NamedTuple):
    """An event where it is packed."""

    segment: Segment
    number: int


class WindowTable:
    """The hits of each rule."""

    def __init__(self, database: Database, segments: SegmentTable) -> None:
        self._database = database
        self._segments = segments

    @raises_damaged
    def events(self, window: AlertWindow) -> list[Event]:
        """Return the committed events of a window, by time."""
        query = self._segments.committed
        paths = Paths(query)
        events = []
        for stored in self.stored(query, window):
            row = stored.row
            position = msgspec.structs.replace(row.position, source=paths[stored.file_id])
            events.append(msgspec.structs.replace(row, position=position).event(stored.identity))
        return events

    def stored(self, query: StateQuery, window: AlertWindow) -> list[StoredRow]:
        """Return the rows of a window's events, by time and identity."""
        ((_, found),) = self.rows(query, [window])
        return sorted((segment.stored(number) for segment, number in found), key=_order)

    def rows(
        self, query: StateQuery, windows: Iterable[AlertWindow]
    ) -> Iterator[tuple[AlertWindow, list[SegmentRow]]]:
        """Yield the rows of the events of each window, in no order, without unpacking them."""
        windows = list(windows)
        start = min((window.start for window in windows), default=0)
        end = max((window.until for window in windows), default=0)
        spans = SpanIndex(self._segments.spans(query, start, end))
        held: Mapping[int, Segment] = {}
        by_alert: dict[AlertWindow, dict[str, list[SegmentRow]]] = {}
        for window in windows:
            # Of a rule that filters, a second may hold many events, each with an alert of its own.
            second = msgspec.structs.replace(window, alert_id="")
            if second in by_alert:
                yield window, by_alert[second].get(window.alert_id, [])
                continue
            try:
                held = self._segments.among(query, spans, window.start, window.until, held)
                segments: Iterable[Segment] = held.values()
            except SegmentGone:
                segments = self._segments.between(query, window.start, window.until)
            found = [
                SegmentRow(segment, number)
                for segment in segments
                if segment.numbers_of(window.series)
                for number in segment.hits_between(
                    window.series, window.start, window.until, window.width
                )
            ]
            if window.series.key is None:
                by_alert[second] = defaultdict(list)
                for row in found:
                    by_alert[second][_alert_of(row, window)].append(row)
                found = by_alert[second].get(window.alert_id, [])
            yield window, found

    def hits(
        self, query: StateQuery, series: Series, width: int, start: float, end: float
    ) -> list[Hit]:
        """Return the hits of a series in ``[start, end)``, by time and identity."""
        found = []
        for segment in self._segments.between(query, start, end):
            for number in segment.hits_between(series, start, end, width):
                hit = segment.hit(number, series, width)
                if hit is not None:
                    found.append(hit)
        return sorted(found, key=lambda hit: hit[:2])

    @raises_damaged
    def of_alerts(self, query: StateQuery, alert_ids: Iterable[str]) -> Iterator[AlertWindow]:
        """Yield the windows of alerts, in order of time."""
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
        """Have alerts derived anew from every window of a rule."""
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


def _alert_of(row: SegmentRow, window: AlertWindow) -> str:
    """Return the id of the alert that a rule without a window gives an event."""
    segment, number = row
    event_id = segment.event_id(number)
    key = segment.client(number).account, event_id
    return name_alert(window.series.rule_id, event_id, key)


def stored_series(rule_id: str, key: str) -> Series:
    """Return the series of a row of ``series``."""
    values = msgspec.json.decode(key)
    return Series(rule_id, None if values is None else tuple(values))


def key_text(series: Series) -> str:
    """Return the key of a series as its row has it."""
    return json_text(None if series.key is None else list(series.key))


def _forget_runs(connection: sqlite3.Connection, rule_id: str) -> None:
    connection.execute(
        "DELETE FROM term_run WHERE rule = (SELECT number FROM rule_number WHERE rule_id = ?)",
        (rule_id,),
    )
