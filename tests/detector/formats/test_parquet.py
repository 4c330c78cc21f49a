"""Parquet is read whatever the types of its columns."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.detector.formats.sweeps import (
    RECORDS,
    Json,
    expected,
    flat,
    read,
    renamed,
    struct_text,
    users,
)

pyarrow = pytest.importorskip("pyarrow", reason="pip install 'trailhound[parquet]'")


def parquet(columns: dict[str, Any], **options: Any) -> bytes:
    from pyarrow import parquet as format_

    file = io.BytesIO()
    format_.write_table(pyarrow.table(columns), file, **options)
    return file.getvalue()


def columns(records: list[Json]) -> dict[str, list[Any]]:
    names = ("eventTime", "eventSource", "eventName", "awsRegion", "eventID", "userIdentity")
    return {name: [record[name] for record in records] for name in names}


def moments(records: list[Json], per_second: int) -> list[int]:
    return [
        int(datetime.fromisoformat(record["eventTime"]).timestamp()) * per_second
        for record in records
    ]


def timed(unit: str, per_second: int, zone: str | None = None, part: int = 0) -> Callable:
    return lambda records: {
        **columns(records),
        "eventTime": pyarrow.array(
            [moment + part for moment in moments(records, per_second)],
            pyarrow.timestamp(unit, zone),
        ),
    }


def epochs(records: list[Json], kind: Any, number: Callable[[int], Any]) -> dict[str, Any]:
    seconds = [number(moment) for moment in moments(records, 1)]
    return {**columns(records), "eventTime": pyarrow.array(seconds, kind)}


def texts(records: list[Json], kind: Any) -> dict[str, Any]:
    return {
        name: pyarrow.array(
            [value if isinstance(value, str) else json.dumps(value) for value in values], kind
        )
        for name, values in columns(records).items()
    }


def binary(records: list[Json]) -> dict[str, Any]:
    return {
        name: pyarrow.array(
            [(value if isinstance(value, str) else json.dumps(value)).encode() for value in values],
            pyarrow.binary(),
        )
        for name, values in columns(records).items()
    }


def nested(value: Any) -> Any:
    """The leaves of a caller, as a map of texts."""
    return [(name, str(inner)) for name, inner in flat(value, "_").items()]


def mapped(records: list[Json]) -> dict[str, Any]:
    callers = [nested(record["userIdentity"]) for record in records]
    kind = pyarrow.map_(pyarrow.string(), pyarrow.string())
    return {**columns(records), "useridentity": pyarrow.array(callers, kind), "userIdentity": None}


TABLES: dict[str, Callable[[list[Json]], dict[str, Any]]] = {
    "structs": columns,
    "seconds": timed("s", 1),
    "milliseconds": timed("ms", 10**3),
    "microseconds": timed("us", 10**6, part=17),
    "nanoseconds": timed("ns", 10**9, part=123_456_789),
    "nanoseconds with a zone": timed("ns", 10**9, "Europe/Berlin", 1),
    "milliseconds with an offset": timed("ms", 10**3, "-05:30"),
    "decimal epoch": lambda records: epochs(records, pyarrow.decimal128(20, 3), Decimal),
    "long decimal epoch": lambda records: epochs(records, pyarrow.decimal256(40, 0), Decimal),
    "epoch as a fraction": lambda records: epochs(records, pyarrow.float64(), float),
    "unsigned epoch": lambda records: epochs(records, pyarrow.uint64(), int),
    "dictionary of epochs": lambda records: {
        **columns(records),
        "eventTime": pyarrow.array(moments(records, 1000)).dictionary_encode(),
    },
    "views of texts": lambda records: texts(records, pyarrow.string_view()),
    "list of records": lambda records: {"Records": [[json.dumps(r) for r in records]]},
    "lower-case structs": lambda records: (
        {
            name.lower(): values
            for name, values in columns(records).items()
            if name != "userIdentity"
        }
        | {"useridentity": [renamed(record["userIdentity"], str.lower) for record in records]}
    ),
    "epoch": lambda records: {**columns(records), "eventTime": moments(records, 1000)},
    "binary texts": binary,
    "large texts": lambda records: texts(records, pyarrow.large_string()),
    "dictionaries": lambda records: {
        name: array.dictionary_encode() for name, array in texts(records, pyarrow.string()).items()
    },
    "maps": lambda records: {
        name: value for name, value in mapped(records).items() if value is not None
    },
    "struct texts": lambda records: {
        name.lower(): [struct_text(value) for value in values]
        for name, values in columns(records).items()
    },
    "lists": lambda records: {
        name: [[value] for value in values] for name, values in columns(records).items()
    },
    "flat columns": lambda records: {
        name: [flat(record, "_").get(name) for record in records]
        for name in flat(records[0], "_")
        if name != "requestParameters"
    },
    "records as text": lambda records: {"n": [1] * 12, "raw": [json.dumps(r) for r in records]},
    "records as binary": lambda records: {"raw": [json.dumps(r).encode() for r in records]},
    "wrapped structs": lambda records: {"a": [{"b": {"c": json.dumps(r)}} for r in records]},
    "a date beside": lambda records: {
        **columns(records),
        "day": [datetime(2026, 3, 1, tzinfo=UTC).date()] * 12,
        "odd": [b"\xff\xfe"] * 12,
    },
}


@pytest.mark.parametrize("name", TABLES)
def test_parquet_of_any_types_is_read(name: str) -> None:
    for records in (RECORDS, users()):
        assert read(parquet(TABLES[name](records))) == expected(records)


def test_rows_beyond_a_batch_and_nulls_are_read() -> None:
    many = [
        {**record, "eventID": f"{number}-{record['eventID']}"}
        for number in range(200)
        for record in RECORDS
    ]
    table = timed("ns", 10**9)(many) | {"note": [None] * len(many)}
    assert read(parquet(table, row_group_size=100)) == expected(many)
