"""Records and queries for the tests of the query languages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import orjson
import pytest

from detector.cloudtrail.record import Record, decode
from detector.ecs.fields import field_table
from detector.esql import ast
from detector.esql.expressions.compiler import Compiler
from detector.esql.expressions.scope import RECORD, TIME, ColumnScope, RowLayout
from detector.esql.plan.planner import plan
from detector.text.time import parse_time

START = 1_767_225_600  # 2026-01-01T00:00:00Z

CALL: dict[str, Any] = {
    "eventVersion": "1.11",
    "eventTime": "2026-01-01T00:00:00Z",
    "eventSource": "ec2.amazonaws.com",
    "eventName": "DescribeInstances",
    "awsRegion": "us-east-1",
    "sourceIPAddress": "203.0.113.7",
    "userAgent": "aws-cli/2.17.0",
    "eventID": "e-1",
    "eventType": "AwsApiCall",
    "recipientAccountId": "111122223333",
    "userIdentity": {
        "type": "IAMUser",
        "principalId": "AIDA1",
        "arn": "arn:aws:iam::111122223333:user/ana",
        "accountId": "111122223333",
        "accessKeyId": "AKIA1",
        "userName": "ana",
    },
}


def record(**changed: Any) -> Record:
    """Make the usual record with elements changed; None leaves one out."""
    elements = {**CALL, **changed}
    present = {name: value for name, value in elements.items() if value is not None}
    return decode(orjson.dumps(present))


def condition_holds(condition: ast.Expression, event: Record) -> bool:
    """Return what a two-valued condition says of a record at START."""
    scope = ColumnScope(RowLayout(), field_table())
    test = Compiler(scope).condition(condition)
    row = scope.layout.new_row()
    row[RECORD], row[TIME] = event, START * 1000
    result = test.read(row)
    assert isinstance(result, bool)
    return result


def region_sweep(regions: Iterable[str], **changed: Any) -> list[Record]:
    """Make the usual record in each region, a second apart."""
    return [
        record(
            awsRegion=region,
            eventID=f"e-{second}",
            eventTime=f"2026-01-01T00:00:{second:02d}Z",
            **changed,
        )
        for second, region in enumerate(regions)
    ]


RunQuery = Callable[[str, list[Record]], list[dict[str, Any]]]


@pytest.fixture
def run_query() -> RunQuery:
    """Run a query over records, and return its results by group."""

    def run(text: str, records: list[Record]) -> list[dict[str, Any]]:
        query = plan(text, field_table())
        groups: dict[Any, list[Any]] = defaultdict(list)
        for each in records:
            time = parse_time(each.event_time) or 0
            start = time // query.window * query.window if query.window else time
            for key, inputs in query.rows(each, time):
                groups[start if query.window else 0, key if query.grouping else len(groups)].append(
                    (start, inputs)
                )
        results = (
            query.result(hits[0][0], key if query.grouping else (), [inputs for _, inputs in hits])
            for (_, key), hits in groups.items()
        )
        return [result for result in results if result is not None]

    return run
