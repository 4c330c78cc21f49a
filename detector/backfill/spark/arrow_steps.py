"""The steps of a backfill over Arrow batches, as they run on a cluster's machines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from detector.backfill.spans import Span
from detector.backfill.spark.digest_files import TrailObject, digest_files
from detector.backfill.spark.find_signals import encode_result, search_objects, select_chunks
from detector.backfill.spark.prune_hits import prune_hits, unite_hits
from detector.backfill.spark.rows import StepRow
from detector.backfill.spark.rule_bundle import RuleBundle, unpack_rules
from detector.backfill.spark.urls import recorded_path
from detector.detection.correlate import PendingSearch
from detector.detection.signals.related_records import ChunkRequests

if TYPE_CHECKING:
    import pyarrow as pa

ROW_SCHEMA = "kind string, folder string, key binary, first long, last long, body binary"
RESULT_SCHEMA = "body binary"
_ROWS_A_BATCH = 2_000
_MILLISECOND = 1_000_000


def digest_batches(
    rules: RuleBundle, batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Digest batches of files (path, modified, content)."""
    return _batches(digest_files(_objects(batches), unpack_rules(rules).digester))


def unite_table(rules: RuleBundle, prunable: Span | None, table: pa.Table) -> pa.Table:
    """Merge the copies of events among a group's hits."""
    return _table(unite_hits(_rows(table), unpack_rules(rules).rules, prunable))


def prune_table(rules: RuleBundle, prunable: Span, table: pa.Table) -> pa.Table:
    """Drop the hits of a series that no alert needs."""
    return _table(prune_hits(_rows(table), unpack_rules(rules).rules, prunable))


def select_batches(
    searches: Sequence[PendingSearch], batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Select the chunks that may hold signals."""
    return _batches(select_chunks(chain.from_iterable(map(_rows, batches)), searches))


def search_batches(
    rules: RuleBundle, requests: Mapping[str, ChunkRequests], batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Search batches of files for signals."""
    import pyarrow as pa

    results = search_objects(_objects(batches), requests, unpack_rules(rules).flagging)
    while part := list(islice(results, _ROWS_A_BATCH)):
        yield pa.RecordBatch.from_pydict({"body": [encode_result(result) for result in part]})


def _objects(batches: Iterable[pa.RecordBatch]) -> Iterator[TrailObject]:
    for batch in batches:
        columns = (batch.column(name) for name in ("path", "modified", "content"))
        for path, modified, content in zip(*columns, strict=True):
            yield TrailObject(
                recorded_path(path.as_py()), modified.as_py() * _MILLISECOND, content.as_py()
            )


def _rows(batch: pa.RecordBatch | pa.Table) -> Iterator[StepRow]:
    columns = [batch.column(name).to_pylist() for name in StepRow._fields]
    return map(StepRow, *columns)


def _batches(rows: Iterator[StepRow]) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    while part := list(islice(rows, _ROWS_A_BATCH)):
        yield pa.RecordBatch.from_arrays(_columns(part), schema=_schema())


def _table(rows: Iterable[StepRow]) -> pa.Table:
    import pyarrow as pa

    return pa.Table.from_arrays(_columns(list(rows)), schema=_schema())


def _columns(rows: Sequence[StepRow]) -> list[Any]:
    import pyarrow as pa

    return [
        pa.array([row[number] for row in rows], type=field.type)
        for number, field in enumerate(_schema())
    ]


def _schema() -> pa.Schema:
    import pyarrow as pa

    types = {"string": pa.string(), "binary": pa.binary(), "long": pa.int64()}
    fields = (column.split() for column in ROW_SCHEMA.split(", "))
    return pa.schema([(name, types[type_name]) for name, type_name in fields])
