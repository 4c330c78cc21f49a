"""The reference rule in DuckDB, on all cores.

``typed`` is read_json with a type for each field that the rule needs. ``objects`` takes trail files
apart by JSON functions instead, which is many times as fast on large documents.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb  # type: ignore[import-not-found,unused-ignore]

from benchmarks.rule import NEEDED, WINDOW

_NAMES = ("eventTime", "eventSource", "eventName", "awsRegion")
_RECORD = (
    f"STRUCT({', '.join(f'{name} VARCHAR' for name in _NAMES)}, userIdentity STRUCT(arn VARCHAR))"
)
_LARGEST = 128 << 20
"""Bytes of JSON in one file at the most, which DuckDB wants to know beforehand."""


def main(way: str, root: Path) -> None:
    if any(root.glob("*.jsonl")):
        source = _lines(root)
    else:
        source = _typed(root) if way == "typed" else _objects(root)
    alerts = duckdb.sql(
        f"SELECT epoch(eventTime::TIMESTAMP)::BIGINT // {WINDOW} AS start, arn, count(DISTINCT "
        "awsRegion) AS regions "
        f"FROM ({source}) WHERE eventName = 'DescribeInstances' AND eventSource = "
        "'ec2.amazonaws.com' "
        f"GROUP BY ALL HAVING regions >= {NEEDED}"
    ).fetchall()
    for alert in alerts:
        print(*alert)


def _lines(root: Path) -> str:
    columns = "".join(f"{name}: 'VARCHAR', " for name in _NAMES)
    return (
        f"SELECT {', '.join(_NAMES)}, userIdentity.arn AS arn FROM read_json('{root}/*.jsonl', "
        f"format = 'newline_delimited', columns = {{{columns}userIdentity: 'STRUCT(arn VARCHAR)'}})"
    )


def _typed(root: Path) -> str:
    fields = ", ".join(f"r.{name} AS {name}" for name in _NAMES)
    return (
        f"SELECT {fields}, r.userIdentity.arn AS arn FROM (SELECT unnest(Records) AS r "
        f"FROM read_json('{root}/**/*.json.gz', format = 'unstructured', columns = {{Records: "
        f"'{_RECORD}[]'}}, "
        f"maximum_object_size = {_LARGEST}))"
    )


def _objects(root: Path) -> str:
    fields = ", ".join(f"r->>'{name}' AS {name}" for name in _NAMES)
    return (
        f"SELECT {fields}, r->>'$.userIdentity.arn' AS arn FROM (SELECT "
        "unnest(from_json(json->'Records', "
        f"'[\"JSON\"]')) AS r FROM read_json_objects('{root}/**/*.json.gz', format = "
        "'unstructured', "
        f"maximum_object_size = {_LARGEST}))"
    )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
