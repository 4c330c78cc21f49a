"""A time is read in any form in which it is plain, and never taken from the arrival."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.formats.time_forms import time_text
from detector.text.time import parse_time
from tests.detector.formats.sweeps import RECORDS, Json, expected, lines, read

MOMENT = datetime(2026, 4, 2, 9, 15, 7, tzinfo=UTC)
SECONDS = int(MOMENT.timestamp())
PLAIN: list[Any] = [
    SECONDS,
    SECONDS * 1000,
    SECONDS * 1000 + 999,
    SECONDS * 10**6,
    SECONDS * 10**9,
    SECONDS + 0.123,
    str(SECONDS),
    str(SECONDS * 1000),
    f"{SECONDS}.123",
    "1.775121307E9",
    "2026-04-02T09:15:07Z",
    "2026-04-02T09:15:07.123456789Z",
    "2026-04-02T09:15:07,123Z",
    "2026-04-02 09:15:07",
    "2026-04-02 09:15:07.000",
    "2026-04-02 09:15:07 UTC",
    "2026-04-02 09:15:07.000 UTC",
    "2026-04-02T09:15:07 GMT",
    "2026-04-02T09:15:07Z[UTC]",
    "2026-04-02T11:15:07+02:00",
    "2026-04-02T11:15:07+0200",
    "2026-04-02T11:15:07+02",
    "2026-04-02 11:15:07 +0200",
    "2026-04-02 04:15:07-05:00",
    "20260402T091507Z",
    "2026/04/02 09:15:07",
    "02/Apr/2026:09:15:07 +0000",
    "Thu, 02 Apr 2026 09:15:07 GMT",
    "Thu, 02 Apr 2026 11:15:07 +0200",
    "Thu Apr  2 09:15:07 2026",
    "Apr 2, 2026 9:15:07 AM",
    "April 02, 2026, 09:15:07 (UTC+00:00)",
    "Thu Apr 02 09:15:07 UTC 2026",
    "Thu Apr 02 2026 09:15:07 GMT+0000 (Coordinated Universal Time)",
    "2026-04-02 09:15:07 +0000 UTC",
    "2026-04-02 11:15:07.123 +0200 UTC m=+0.012",
    "2026-04-02T11:15:07+02:00[Europe/Berlin]",
    "2026-04-02T04:15:07\u221205:00",
    '"2026-04-02T09:15:07Z"',
    'ISODate("2026-04-02T09:15:07Z")',
    "Timestamp('2026-04-02 09:15:07+0000')",
    [2026, 4, 2, 9, 15, 7],
    [2026, 4, 2, 9, 15, 7, 123000000],
    "Apr 2, 2026 @ 09:15:07.123",
    f"/Date({SECONDS * 1000})/",
    {"$date": "2026-04-02T09:15:07Z"},
    {"$date": SECONDS * 1000},
    {"$date": {"$numberLong": str(SECONDS * 1000)}},
    {"seconds": SECONDS, "nanos": 5},
    {"value": "2026-04-02T09:15:07Z", "type": "timestamp"},
    {"S": "2026-04-02T09:15:07Z"},
    ["2026-04-02T09:15:07Z"],
    [[SECONDS]],
]
NO_TIME: list[Any] = [
    None,
    True,
    0,
    1,
    1772,
    -SECONDS,
    1e300,
    float("inf"),
    float("nan"),
    "",
    "yesterday",
    "2026-04-02",
    "09:15:07",
    "03/04/2026 09:15:07",
    "2026-04-02 09:15:07 CET",
    "2026-13-02T09:15:07Z",
    "2026-02-30T09:15:07Z",
    "2026-04-02T25:15:07Z",
    "1.77512E+9",
    "9999-12-31T23:59:59Z",
    "x" * 10_000,
    {},
    [],
    ["2026-04-02T09:15:07Z", "2026-04-02T09:15:08Z"],
    {"a": 1, "b": 2},
    [2026, 4, 2],
    [2026, 13, 2, 9, 15, 7],
    "datetime.datetime(2026, 4, 2, 9, 15, 7)",
    "Thu Apr 02 09:15:07 PDT 2026",
]


@pytest.mark.parametrize("value", PLAIN, ids=str)
def test_plain_time_is_read(value: Any) -> None:
    assert parse_time(time_text(value)) == SECONDS


@pytest.mark.parametrize("value", NO_TIME, ids=lambda value: str(value)[:40])
def test_other_value_is_no_time(value: Any) -> None:
    assert time_text(value) is None


@given(
    st.datetimes(datetime(2002, 1, 1), datetime(2100, 1, 1)),
    st.integers(-14 * 4, 14 * 4),
    st.sampled_from(
        [
            lambda moment: moment.isoformat(),
            lambda moment: moment.isoformat(" "),
            lambda moment: moment.isoformat(timespec="milliseconds"),
            lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%S%z"),
            lambda moment: moment.strftime("%Y-%m-%d %H:%M:%S %z"),
            lambda moment: moment.strftime("%d/%b/%Y:%H:%M:%S %z"),
            format_datetime,
            lambda moment: int(moment.timestamp()),
            lambda moment: int(moment.timestamp()) * 1000,
            lambda moment: str(int(moment.timestamp()) * 10**6),
            lambda moment: {"$date": moment.isoformat()},
        ]
    ),
)
def test_time_of_any_zone_is_the_same_instant(day: datetime, quarter: int, write: Any) -> None:
    moment = day.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=15 * quarter)))
    assert parse_time(time_text(write(moment))) == int(moment.timestamp())


@given(
    st.recursive(
        st.none() | st.text() | st.integers() | st.floats(),
        lambda inner: (
            st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
        ),
    )
)
def test_any_value_is_a_time_or_none(value: Any) -> None:
    found = time_text(value)
    assert found is None or parse_time(found) is not None


def retimed(**changed: Any) -> list[Json]:
    return [
        {name: value for name, value in {**record, **changed}.items() if value is not None}
        for record in RECORDS
    ]


def moved(name: str) -> list[Json]:
    return [
        {name: record["eventTime"]}
        | {key: value for key, value in record.items() if key != "eventTime"}
        for record in RECORDS
    ]


@pytest.mark.parametrize(
    "name", ["@timestamp", "timestamp", "eventTimestamp", "_time", "EventTime"]
)
def test_time_under_another_name_is_found(name: str) -> None:
    assert read(lines(moved(name))) == expected()
    assert read(json.dumps(moved(name)).encode()) == expected()


@pytest.mark.parametrize(
    "name",
    ["ingestionTime", "date", "received_at", "indexed", "_indextime", "arrival", "eventLastSeen"],
)
def test_time_of_arrival_is_not_taken(name: str) -> None:
    stamped = [{"time": "2026-01-01T00:00:00Z", "data": record} for record in moved(name)]
    for values in (moved(name), stamped):
        assert read(lines(values)) == ([], {"no-event-time": 12})


def test_stamp_before_a_line_is_not_its_time() -> None:
    rows = [json.dumps(record) for record in retimed(eventTime=None)]
    data = "".join(f"2026-04-02T09:15:07Z host: {row}\n" for row in rows)
    assert read(data.encode()) == ([], {"no-event-time": 12})
