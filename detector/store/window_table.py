"""The windows: the hits of each series, by bucket of time.

They grow by set union alone. A series is a rule with the values of its keys; a bucket is a span as
wide as the rule's window.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from detector.cloudtrail.record import json_text
from detector.detection.digest import Partial
from detector.detection.event import Event
from detector.detection.window import Hit, WindowKey
from detector.ecs.values import Value
from detector.rules.rule import Rule
from detector.store.database import Database, raises_damaged
from detector.store.event_table import EVENT_COLUMNS, decode_event

TouchedBuckets = set[tuple[int, int]]
"""Buckets that have changed, as (series id, bucket)."""


class TouchedSeries(msgspec.Struct):
    """A series with buckets that have changed, and the number of hits in each."""

    series_id: int
    rule_id: str
    key: str
    width: int
    has_alerts: bool
    counts: dict[int, int]


_HITS = (
    f"SELECT {EVENT_COLUMNS}, h.inputs, h.bucket FROM hit h JOIN event e USING (identity) "
    "JOIN file f USING (file_id) WHERE h.series_id = ? AND h.bucket BETWEEN ? AND ? "
    "AND e.time >= ? AND e.time < ? ORDER BY e.time, h.identity"
)


class WindowTable:
    """The hits of each rule."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @raises_damaged
    def events(self, series_id: int, width: int, start: int, end: int) -> list[Event]:
        """Return the committed events of a series in ``[start, end)``."""
        buckets = (start // width, (end - 1) // width)
        rows = self._database.rows(_HITS, series_id, *buckets, start, end)
        return [hit.event for hit in _decode_hits(rows, width)]

    def hits(
        self,
        connection: sqlite3.Connection,
        series_id: int,
        width: int,
        start: int,
        end: int,
        minimum: int,
    ) -> list[Hit]:
        """Return the hits of a series, or none below ``minimum``."""
        buckets = (start // width, (end - 1) // width)
        (count,) = connection.execute(
            "SELECT count(*) FROM hit WHERE series_id = ? AND bucket BETWEEN ? AND ?",
            (series_id, *buckets),
        ).fetchone()
        if count < minimum:
            return []
        rows = connection.execute(_HITS, (series_id, *buckets, start, end))
        return list(_decode_hits(rows, width))

    def put(
        self, connection: sqlite3.Connection, partial: Partial, rules: Mapping[str, Rule]
    ) -> TouchedBuckets:
        """Add hits to their windows; return the buckets that may have changed."""
        # A worker process that started while rule files changed knew rules that are not here.
        windows = [(key, hits) for key, hits in partial.hits.items() if key.rule_id in rules]
        series_ids = _series_ids(connection, [key for key, _ in windows], rules)
        touched: TouchedBuckets = set()
        rows = []
        for key, hits in windows:
            series_id = series_ids[key.rule_id, key.key]
            touched.add((series_id, key.bucket))
            for identity, inputs in hits.items():
                row = (series_id, key.bucket, identity, msgspec.msgpack.encode(inputs))
                rows.append(row)
        connection.executemany(
            "INSERT INTO hit (series_id, bucket, identity, inputs) VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET inputs = excluded.inputs WHERE excluded.inputs < inputs",
            sorted(rows),
        )
        return touched

    def mark(self, connection: sqlite3.Connection, touched: TouchedBuckets) -> None:
        """Mark buckets, from which alerts are to be derived."""
        connection.executemany(
            "INSERT OR IGNORE INTO touched (series_id, bucket) VALUES (?, ?)", touched
        )

    def mark_rule(self, connection: sqlite3.Connection, rule_id: str) -> None:
        """Mark every bucket of a rule."""
        connection.execute(
            "INSERT OR IGNORE INTO touched (series_id, bucket) SELECT DISTINCT series_id, bucket "
            "FROM hit JOIN series USING (series_id) WHERE rule_id = ?",
            (rule_id,),
        )

    def any_touched(self) -> bool:
        """Return whether buckets are marked."""
        return bool(self._database.value("SELECT EXISTS (SELECT 1 FROM touched)"))

    def take_touched(self, connection: sqlite3.Connection, count: int) -> list[TouchedSeries]:
        """Return the first ``count`` marked buckets or more, and unmark them.

        A series is taken as a whole.
        """
        (last,) = connection.execute(
            "SELECT max(series_id) FROM "
            "(SELECT series_id FROM touched ORDER BY series_id, bucket LIMIT ?)",
            (count,),
        ).fetchone()
        touched = {
            series_id: TouchedSeries(series_id, rule_id, key, width, bool(has_alerts), {})
            for series_id, rule_id, key, width, has_alerts in connection.execute(
                "SELECT series_id, rule_id, key, width, "
                "EXISTS (SELECT 1 FROM alert a WHERE a.series_id = s.series_id) FROM series s "
                "WHERE series_id IN (SELECT series_id FROM touched WHERE series_id <= ?)",
                (last,),
            )
        }
        for series_id, bucket, hits in connection.execute(
            "SELECT series_id, bucket, count(identity) FROM touched "
            "LEFT JOIN hit USING (series_id, bucket) WHERE series_id <= ? "
            "GROUP BY series_id, bucket",
            (last,),
        ):
            touched[series_id].counts[bucket] = hits
        connection.execute("DELETE FROM touched WHERE series_id <= ?", (last,))
        return list(touched.values())

    def buckets_with(
        self, connection: sqlite3.Connection, identity: bytes
    ) -> list[tuple[int, int, int]]:
        """Return (series id, bucket, width) of an event's whole windows."""
        return connection.execute(
            "SELECT series_id, bucket, width FROM rule JOIN series USING (rule_id) "
            "JOIN hit USING (series_id) WHERE identity = ? "
            "AND bucket NOT BETWEEN coalesce(gone_first, 1) AND coalesce(gone_last, 0)",
            (identity,),
        ).fetchall()

    def drop_rule(self, connection: sqlite3.Connection, rule_id: str) -> None:
        """Delete the windows and alerts of a rule."""
        for table in ("hit", "alert"):
            connection.execute(
                f"DELETE FROM {table} WHERE series_id IN "
                "(SELECT series_id FROM series WHERE rule_id = ?)",
                (rule_id,),
            )
        connection.execute("DELETE FROM series WHERE rule_id = ?", (rule_id,))


def _series_ids(
    connection: sqlite3.Connection, keys: Iterable[WindowKey], rules: Mapping[str, Rule]
) -> dict[tuple[str, tuple[Value, ...]], int]:
    """Return the ids of the windows' series, by rule and key; add those that are new."""
    texts: dict[str, dict[str, tuple[Value, ...]]] = defaultdict(dict)
    for rule_id, key in {(key.rule_id, key.key) for key in keys}:
        texts[rule_id][json_text(list(key))] = key
    series_ids = {}
    for rule_id, keys_by_text in texts.items():
        width = rules[rule_id].query.window or 1
        connection.executemany(
            "INSERT OR IGNORE INTO series (rule_id, key, width) VALUES (?, ?, ?)",
            [(rule_id, text, width) for text in sorted(keys_by_text)],
        )
        for text, series_id in connection.execute(
            "SELECT s.key, series_id FROM json_each(?) wanted "
            "CROSS JOIN series s ON rule_id = ? AND s.key = wanted.value",
            (msgspec.json.encode(list(keys_by_text)).decode(), rule_id),
        ):
            series_ids[rule_id, keys_by_text[text]] = series_id
    return series_ids


def _decode_hits(rows: Iterable[Any], width: int) -> Iterator[Hit]:
    """Decode rows of ``_HITS``, without events in another bucket now."""
    for *row, inputs, bucket in rows:
        event = decode_event(row)
        if event.time // width == bucket:
            yield Hit(event, tuple(msgspec.msgpack.decode(inputs)))
