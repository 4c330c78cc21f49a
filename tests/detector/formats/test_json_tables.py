"""JSON tables whose columns are named once are read, whoever wrote them."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.detector.formats.sweeps import RECORDS, Json, expected, lines, read, struct_text, users
from tests.detector.formats.test_places import FIELDS, LEAVES, STRUCTS

NAMES = list(FIELDS)
ROWS = [[value(record) for value in FIELDS.values()] for record in RECORDS]
OBJECT_ROWS = [[record[name] for name in NAMES] for record in RECORDS]
COLUMNS = [list(column) for column in zip(*ROWS, strict=True)]


def athena(columns: dict[str, Any], records: list[Json]) -> Json:
    """Write `aws athena get-query-results`."""
    rows = [list(columns), *([value(record) for value in columns.values()] for record in records)]
    return {
        "UpdateCount": 0,
        "ResultSet": {
            "Rows": [
                {"Data": [{"VarCharValue": cell} if cell else {} for cell in row]} for row in rows
            ],
            "ResultSetMetadata": {
                "ColumnInfo": [
                    {"CatalogName": "hive", "Name": name, "Label": name, "Type": "varchar"}
                    for name in columns
                ]
            },
        },
    }


TABLES: dict[str, Any] = {
    "Athena": athena(STRUCTS, RECORDS),
    "Athena with JSON cells": athena(FIELDS, RECORDS),
    "Athena with leaves and an empty column": athena(
        {**LEAVES, "errorCode": lambda _: ""}, RECORDS
    ),
    "Athena's rows alone": athena(STRUCTS, RECORDS)["ResultSet"]["Rows"],
    "split data frame": {"columns": NAMES, "index": [*range(12)], "data": OBJECT_ROWS},
    "data frame by column": {
        name: {str(index): cell for index, cell in enumerate(column)}
        for name, column in zip(NAMES, COLUMNS, strict=True)
    },
    "data frame of objects by column": {
        name: {str(index): record[name] for index, record in enumerate(RECORDS)} for name in NAMES
    },
    "lists by column": dict(zip(NAMES, COLUMNS, strict=True)),
    "BigQuery": {
        "schema": {"fields": [{"name": name, "type": "STRING"} for name in NAMES]},
        "rows": [{"f": [{"v": cell} for cell in row]} for row in ROWS],
    },
    "ES|QL": {
        "took": 3,
        "columns": [{"name": name, "type": "keyword"} for name in NAMES],
        "values": ROWS,
    },
    "SQL of Elasticsearch": {"columns": [{"name": name} for name in NAMES], "rows": ROWS},
    "Log Analytics": {
        "tables": [
            {"name": "PrimaryResult", "columns": [{"name": name} for name in NAMES], "rows": ROWS}
        ]
    },
    "Splunk's rows": {"preview": False, "fields": NAMES, "rows": ROWS},
    "Splunk's columns": {"fields": NAMES, "columns": COLUMNS},
    "Grafana": {
        "results": {
            "A": {
                "frames": [
                    {
                        "schema": {"fields": [{"name": name, "config": {}} for name in NAMES]},
                        "data": {"values": COLUMNS},
                    }
                ]
            }
        }
    },
    "rows after a header": [NAMES, *ROWS],
    "rows after a header, wrapped": {"result": {"table": [NAMES, *ROWS]}},
    "header apart from rows": {"meta": {"head": NAMES}, "body": {"rows": ROWS}},
    "upper case": {"columns": [name.upper() for name in NAMES], "data": ROWS},
    "prefixed": {"columns": [f"t.{name}" for name in NAMES], "data": ROWS},
    "a text": {"stdout": json.dumps({"columns": NAMES, "data": ROWS})},
}


@pytest.mark.parametrize("name", TABLES)
def test_json_table_is_read(name: str) -> None:
    data = json.dumps(TABLES[name]).encode()
    assert read(data) == expected()
    assert read(gzip.compress(json.dumps(TABLES[name], indent=2).encode())) == expected()
    if isinstance(TABLES[name], dict):
        assert read(lines([TABLES[name]])) == expected()


def test_json_table_of_twelve_users_names_each() -> None:
    assert read(json.dumps(athena(STRUCTS, users())).encode()) == expected(users())


@pytest.mark.parametrize("left_out", ["userIdentity.arn", "awsRegion", "eventSource"])
def test_json_table_without_a_column_counts_for_nobody(left_out: str) -> None:
    columns = {name: value for name, value in LEAVES.items() if name != left_out}
    events, reasons = read(json.dumps(athena(columns, users())).encode())
    assert (events, sum(reasons.values())) == ([], 12)


@given(st.permutations(NAMES), st.integers(2, 12), st.booleans())
def test_table_in_any_order_of_columns(names: list[str], count: int, by_column: bool) -> None:
    rows = [[record[name] for name in names] for record in RECORDS[:count]]
    table: Json = {"columns": names, "data": rows}
    if by_column:
        table["data"] = [list(column) for column in zip(*rows, strict=True)]
    assert read(json.dumps(table).encode()) == expected(RECORDS[:count])


@pytest.mark.parametrize("rows", [[], [["x"]], [[1], [2, 3]], {"a": []}, "text"])
def test_damaged_json_table_is_no_table(rows: Any) -> None:
    events, _ = read(lines([{"columns": NAMES, "data": rows}, *RECORDS]))
    assert [event for event in events if any(event)] == expected()[0]


def test_whole_records_as_structs_are_read() -> None:
    texts = [struct_text(record) for record in RECORDS]
    assert read(lines([{"row": text} for text in texts])) == expected()
    assert read(json.dumps(texts).encode()) == expected()
