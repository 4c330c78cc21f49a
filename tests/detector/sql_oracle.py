"""The SQL oracle: some rules as plain SQL over the records' JSON, in a database of its own.

SQLite's own JSON and date functions read the records; each rule is a filter, keys and conditions,
and a shape is one statement. The result has the parts of an alert that follow from records alone.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Any, NamedTuple

Raw = dict[str, Any]


class ExpectedAlert(NamedTuple):
    """An alert: its key, its window (of a first sight the second itself), and the events in it.

    ``ids`` are those of the events that have one.
    """

    key: tuple[str | None, ...]
    start: int
    end: int
    events: int
    regions: tuple[str, ...]
    ids: tuple[str, ...]


class SqlRule(NamedTuple):
    """A rule. ``wanted`` is a condition on an event, ``having`` one on a group of them; ``width``
    is in seconds."""

    wanted: str
    keys: tuple[str, ...]
    having: str
    width: int


RECORDS = """
CREATE TABLE event AS
WITH element AS (
    SELECT raw,
        coalesce(raw ->> '$.recipientAccountId', raw ->> '$.userIdentity.accountId', '')
            AS account,
        nullif(raw ->> '$.eventID', '') AS given,
        CAST(strftime('%s', raw ->> '$.eventTime') AS INTEGER) AS at,
        raw ->> '$.eventSource' AS provider, raw ->> '$.eventName' AS action,
        nullif(raw ->> '$.awsRegion', '') AS region, raw ->> '$.errorCode' IS NOT NULL AS failed,
        raw ->> '$.userIdentity.arn' AS arn, raw ->> '$.userIdentity.principalId' AS user
    FROM record)
SELECT DISTINCT account, coalesce(given, json(raw)) AS id, given, at, provider, action,
    region, failed, CASE WHEN arn IN ('', '-', 'none') THEN NULL ELSE arn END AS arn, user
FROM element WHERE at IS NOT NULL"""

TUMBLING = """
SELECT {keys}, at / {width} * {width} AS start, at / {width} * {width} + {width}, count(*),
    json_group_array(DISTINCT region), json_group_array(DISTINCT given)
FROM event WHERE {wanted} GROUP BY {keys}, start HAVING {having}"""

SPANS = """
WITH hit AS (SELECT json_array({keys}) AS key, * FROM event WHERE {wanted}),
    begin AS (SELECT DISTINCT key, at - {back} AS start FROM hit),
    met AS (SELECT begin.key, start FROM begin
            JOIN hit ON hit.key = begin.key AND at >= start AND at < start + {width}
            GROUP BY begin.key, start HAVING {having}),
    edge AS (SELECT *, coalesce(start - lag(start) OVER of_key >= {width}, 1) AS apart
             FROM met WINDOW of_key AS (PARTITION BY key ORDER BY start)),
    island AS (SELECT *, sum(apart) OVER (PARTITION BY key ORDER BY start) AS number FROM edge),
    span AS (SELECT key, min(start) AS start, max(start) + {width} AS until
             FROM island GROUP BY key, number)
SELECT span.key, start, until, count(*), json_group_array(DISTINCT region),
    json_group_array(DISTINCT given)
FROM span JOIN hit ON hit.key = span.key AND at >= start AND at < until GROUP BY span.key, start"""

FIRSTS = """
WITH hit AS (SELECT json_array({keys}) AS key, * FROM event WHERE {wanted}),
    moment AS (SELECT key, at, json_group_array(DISTINCT region) AS regions,
                   json_group_array(DISTINCT given) AS given
               FROM hit GROUP BY key, at),
    known AS (SELECT *, at - lag(at) OVER (PARTITION BY key ORDER BY at) AS since FROM moment)
SELECT key, at, at + 1, 1, regions, given FROM known WHERE since IS NULL OR since >= {width}"""


class Oracle:
    """The records, to be asked."""

    def __init__(self, records: Iterable[Raw]) -> None:
        self._db = sqlite3.connect(":memory:")
        self._db.execute("CREATE TABLE record (raw TEXT)")
        self._db.executemany(
            "INSERT INTO record VALUES (?)", [(json.dumps(record),) for record in records]
        )
        self._db.execute(RECORDS)

    def __enter__(self) -> Oracle:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def tumbling(self, rule: SqlRule) -> list[ExpectedAlert]:
        """Epoch-aligned windows."""
        keys = f"json_array({', '.join(rule.keys)})"
        return self._expected(
            TUMBLING.format(keys=keys, width=rule.width, wanted=rule.wanted, having=rule.having)
        )

    def sliding(self, rule: SqlRule) -> list[ExpectedAlert]:
        """Spans that begin at an event."""
        return self._spans(rule, 0)

    def lookback(self, rule: SqlRule) -> list[ExpectedAlert]:
        """Spans that end just after an event."""
        return self._spans(rule, rule.width - 1)

    def firsts(self, rule: SqlRule) -> list[ExpectedAlert]:
        """Events with none of their keys before them for the rule's width; of those of one second,
        any one."""
        return self._expected(
            FIRSTS.format(keys=", ".join(rule.keys), width=rule.width, wanted=rule.wanted)
        )

    def _spans(self, rule: SqlRule, back: int) -> list[ExpectedAlert]:
        return self._expected(
            SPANS.format(
                keys=", ".join(rule.keys),
                width=rule.width,
                wanted=rule.wanted,
                having=rule.having,
                back=back,
            )
        )

    def _expected(self, statement: str) -> list[ExpectedAlert]:
        return sorted(
            (
                ExpectedAlert(
                    tuple(json.loads(key)), start, end, events, _sorted(regions), _sorted(ids)
                )
                for key, start, end, events, regions, ids in self._db.execute(statement)
            ),
            key=repr,
        )


def _sorted(array: str) -> tuple[str, ...]:
    return tuple(sorted(each for each in json.loads(array) if each is not None))
