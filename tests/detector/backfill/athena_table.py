"""Athena's SQL run in DuckDB over a table of raw records: parsed as Hive's and Trino's."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp

from detector.backfill.athena.table import TrailTable

Record = dict[str, Any]


def read_records(folder: Path) -> Iterator[tuple[Path, Record]]:
    """Yield the records of a folder of trail files, each with its file."""
    for path in sorted(folder.rglob("*.json.gz")):
        document = json.loads(gzip.decompress(path.read_bytes()))
        if "/CloudTrail/" in str(path):
            for record in document["Records"]:
                yield path, record


def distinct_records(files: Sequence[tuple[Path, Record]]) -> list[tuple[Path, Record]]:
    """Keep one record of each call, caller, client, place and outcome.

    What is left out differs in its time and its ids alone, which no condition but those of a span
    and of one event asks for.
    """
    kept: dict[tuple[Any, ...], tuple[Path, Record]] = {}
    for path, record in files:
        caller = (record["userIdentity"].get(name) for name in ("type", "arn", "invokedBy"))
        place = path.parts[-7:-4]
        kept.setdefault((place, *caller, *map(record.get, _TOLD_APART)), (path, record))
    return list(kept.values())


_TOLD_APART = ("eventSource", "eventName", "sourceIPAddress", "userAgent", "errorCode", "readOnly")
"""Elements that conditions ask for, beside identity, account and region."""


def write_records(files: Sequence[tuple[Path, Record]], root: Path, folder: Path) -> None:
    """Write records as trail files, each in ``folder`` where it was below ``root``."""
    documents: dict[Path, list[Record]] = {}
    for path, record in files:
        documents.setdefault(folder / path.relative_to(root), []).append(record)
    for path, records in documents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(json.dumps({"Records": records}).encode(), 1))


_TABLES: dict[tuple[str, int], tuple[Sequence[tuple[Path, Record]], duckdb.DuckDBPyConnection]] = {}
"""By columns and records, which are held, so that no others have their id."""


class AthenaTable:
    """The table of a backfill, filled with records as the input format of Athena would."""

    def __init__(self, table: TrailTable, files: Sequence[tuple[Path, Record]], work: Path) -> None:
        ddl = sqlglot.parse_one(table.create(), read="athena")
        assert isinstance(ddl, exp.Create)
        self._columns = {
            column.name: column.args["kind"]
            for column in ddl.find_all(exp.ColumnDef)
            if column.parent is ddl.this
        }
        # Asked once: it parses the names of the types.
        self._texts = {
            name for name, kind in self._columns.items() if kind.is_type("text", "varchar")
        }
        types = {
            **{name: kind.sql("duckdb") for name, kind in self._columns.items()},
            "account": "TEXT",
            "region": "TEXT",
            "day": "TEXT",
        }
        # Tables of the same columns and records are one, which nothing changes.
        name = (str(types), id(files))
        if name not in _TABLES:
            _TABLES[name] = files, self._load(files, types, work / "rows.jsonl")
        _, self._connection = _TABLES[name]
        self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {table.database}")
        self._connection.execute(
            f"CREATE VIEW IF NOT EXISTS {table.database}.{table.name} AS SELECT * FROM records"
        )

    def _load(
        self, files: Sequence[tuple[Path, Record]], types: dict[str, str], rows: Path
    ) -> duckdb.DuckDBPyConnection:
        rows.write_text("".join(json.dumps(self._row(*each)) + "\n" for each in files))
        connection = duckdb.connect(config={"threads": 1})
        connection.execute(
            "CREATE TABLE records AS "
            f"SELECT * FROM read_json('{rows}', format='newline_delimited', columns={types})"
        )
        return connection

    def _row(self, path: Path, record: Record) -> Record:
        account, _, region, *day = path.parts[-7:-1]
        row: Record = {"account": account, "region": region, "day": "/".join(day)}
        for key, value in record.items():
            name = key.lower()
            if name not in self._columns:
                continue
            is_text = name in self._texts
            if is_text and value is not None and not isinstance(value, str):
                value = json.dumps(value)
            row[name] = value if is_text else _lower_keys(value)
        return row

    def unload(self, statement: str, path: Path) -> list[Record]:
        """Run an UNLOAD's query; write its rows as UNLOAD does, and return them."""
        query = statement[statement.index("SELECT") : statement.index("\n)\nTO ")]
        tree = sqlglot.parse_one(query, read="trino")
        assert isinstance(tree, exp.Select)
        result = self._connection.execute(tree.sql("duckdb"))
        names = [column[0] for column in result.description]
        rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
        lines = (json.dumps(_without_nulls(row)) + "\n" for row in rows)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress("".join(lines).encode()))
        return rows


def _lower_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {name.lower(): _lower_keys(each) for name, each in value.items()}
    if isinstance(value, list):
        return list(map(_lower_keys, value))
    return value


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return list(map(_without_nulls, value))
    return value
