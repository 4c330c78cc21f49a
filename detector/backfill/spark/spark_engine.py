"""Apache Spark as a backfill engine. No other module imports pyspark.

Uses only DataFrames, which Spark Connect and serverless offerings also support, and the cluster's
own file readers. Output is Parquet files below one folder.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence, Set
from functools import partial, reduce
from itertools import islice
from typing import Any

from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

# isort: split
# Imported after pyspark, which it comes with: if both are missing, the error names pyspark.
from py4j.protocol import Py4JError

from detector.backfill.spans import Span
from detector.backfill.spark.arrow_steps import (
    RESULT_SCHEMA,
    ROW_SCHEMA,
    digest_batches,
    prune_table,
    search_batches,
    select_batches,
    unite_table,
)
from detector.backfill.spark.digest_files import unread_row
from detector.backfill.spark.engine_protocol import EngineError, FolderSize
from detector.backfill.spark.find_signals import SearchResult, decode_result
from detector.backfill.spark.inventory import parse_manifest
from detector.backfill.spark.rows import RowKind, StepRow
from detector.backfill.spark.rule_bundle import RuleBundle
from detector.backfill.spark.urls import (
    FILE_START,
    S3_START,
    engine_url,
    escape_pattern,
    recorded_path,
)
from detector.detection.correlate import PendingSearch
from detector.detection.signals.related_records import ChunkRequests

_SETTINGS = {
    # Trail files are small: one task reads several, up to some megabytes.
    "spark.sql.files.openCostInBytes": str(64 << 10),
    "spark.sql.files.maxPartitionBytes": str(64 << 20),
    # A batch of file contents must fit in a worker's memory.
    "spark.sql.execution.arrow.maxRecordsPerBatch": "256",
    # A file that cannot be read must not fail the job: it is then missing from the rows.
    "spark.sql.files.ignoreCorruptFiles": "true",
    "spark.sql.files.ignoreMissingFiles": "true",
    "spark.sql.session.timeZone": "UTC",
}
LARGEST_FILE = 1 << 30
"""Maximum bytes of a file read on the cluster, as its content is one value of a row."""
_CAUSE = re.compile(r"[A-Za-z]+(Error|Exception): ")
_HITS_A_GROUP = 100_000
_FILES_A_SEARCH = 5_000


class SparkEngine:
    """A Spark session whose rows are stored below the folder ``work``.

    ``scheme`` is the URL scheme by which the cluster reads S3: ``s3``, or ``s3a`` for Hadoop's own
    reader."""

    def __init__(self, session: SparkSession, work: str, scheme: str = "s3") -> None:
        self._spark = session
        self._scheme = scheme
        self._work = engine_url(work, scheme).rstrip("/")
        with _translated():
            for name, value in _SETTINGS.items():
                session.conf.set(name, value)

    @classmethod
    def connect(
        cls, work: str, scheme: str, master: str | None = None, remote: str | None = None
    ) -> SparkEngine:
        """Open a session: on a master, by Spark Connect, or the one that spark-submit provides.

        Raises EngineError."""
        builder: Any = SparkSession.builder
        builder = builder.appName("trailhound backfill")
        builder = builder.config("spark.log.level", "ERROR")
        builder = builder.config("spark.ui.showConsoleProgress", "false")
        if remote is not None:
            builder = builder.remote(remote)
        else:  # The output contains names and addresses from the log: keep it private.
            builder = builder.config("spark.hadoop.fs.permissions.umask-mode", "077")
        if master is not None:
            builder = builder.master(master)
            if master.startswith("local"):
                os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        with _translated():
            return cls(builder.getOrCreate(), work, scheme)

    def close(self) -> None:
        """End the session."""
        self._spark.stop()

    def finished(self) -> set[str]:
        with _translated():
            try:
                path = escape_pattern(self._finished)
                marks = self._spark.read.schema("name string").parquet(path)
                return {mark["name"] for mark in marks.distinct().collect()}
            except AnalysisException:  # nothing was finished yet
                return set()

    def finish(self, name: str) -> None:
        with _translated():
            mark = self._spark.createDataFrame([(name,)], "name string")
            mark.coalesce(1).write.mode("append").parquet(self._finished)

    def digest(self, patterns: Sequence[str], name: str, rules: RuleBundle) -> None:
        with _translated():
            files = self._files([engine_url(pattern, self._scheme) for pattern in patterns])
            readable = files.where(F.col("length") <= LARGEST_FILE)
            rows = readable.select("path", "modified", "content").mapInArrow(
                partial(digest_batches, rules), ROW_SCHEMA
            )
            self._write(rows, name, "overwrite")
            unread = [
                unread_row(recorded_path(path), modified, length, LARGEST_FILE)
                for path, modified, length in self._unread(files, name)
            ]
            if unread:
                frame = self._spark.createDataFrame(unread, ROW_SCHEMA)
                self._write(frame, name, "append")

    def unite(
        self, names: Sequence[str], name: str, rules: RuleBundle, prunable: Span | None, hits: int
    ) -> None:
        with _translated():
            groups = F.pmod(F.xxhash64("key"), F.lit(1 + hits // _HITS_A_GROUP))
            rows = self._read(names, "hit").withColumn("bucket", groups)
            # A lambda, not partial(): Spark resolves argument types in this module's names.
            united = rows.groupBy("bucket").applyInArrow(
                lambda table: unite_table(rules, prunable, table), ROW_SCHEMA
            )
            if prunable is None:
                self._write(united, name, "overwrite")
                return
            self._write(united, f"{name}-series", "overwrite")
            whole = self._read([f"{name}-series"])
            pruned = (
                whole.where(F.col("kind") == "series")
                .groupBy("key")
                .applyInArrow(lambda table: prune_table(rules, prunable, table), ROW_SCHEMA)
            )
            kept = whole.where(F.col("kind") != "series").select(*StepRow._fields)
            self._write(kept.unionByName(pruned), name, "overwrite")

    def rows(self, names: Sequence[str], kind: RowKind) -> Iterator[StepRow]:
        with _translated():
            frame = self._read(names, kind)
            if kind == "observation":
                frame = frame.groupBy("kind", "folder", "key", "body").agg(
                    F.min("first").alias("first"), F.max("last").alias("last")
                )
            yield from _rows(frame)

    def hits(self, names: Sequence[str], identities: Set[bytes]) -> Iterator[StepRow]:
        with _translated():
            wanted = self._spark.createDataFrame([(each,) for each in identities], "key binary")
            yield from _rows(self._read(names, "hit").join(F.broadcast(wanted), "key", "semi"))

    def chunks(self, names: Sequence[str], searches: Sequence[PendingSearch]) -> Iterator[StepRow]:
        start = min(search.request.start for search in searches)
        end = max(search.request.end for search in searches)
        with _translated():
            near = self._read(names, "chunk").where(
                (F.col("first") < end) & (F.col("last") >= start)
            )
            yield from _rows(near.mapInArrow(partial(select_batches, searches), ROW_SCHEMA))

    def signals(
        self, requests: Mapping[str, ChunkRequests], rules: RuleBundle
    ) -> Iterator[SearchResult]:
        paths = iter(requests)
        while part := list(islice(paths, _FILES_A_SEARCH)):
            wanted = {path: requests[path] for path in part}
            urls = [escape_pattern(engine_url(path, self._scheme)) for path in part]
            with _translated():
                found = (
                    self._load(urls)
                    .select("path", "modified", "content")
                    .mapInArrow(partial(search_batches, rules, wanted), RESULT_SCHEMA)
                )
                for row in found.collect():
                    yield decode_result(bytes(row["body"]))

    def inventory_folders(self, manifest: str) -> list[FolderSize]:
        with _translated():
            path = escape_pattern(engine_url(manifest, self._scheme))
            text = self._spark.read.text(path, wholetext=True)
            inventory = parse_manifest(manifest, text.collect()[0]["value"])
            urls = [escape_pattern(engine_url(url, self._scheme)) for url in inventory.files]
            if inventory.format == "CSV":
                schema = ", ".join(f"{column} string" for column in inventory.columns)
                objects = self._spark.read.schema(schema).csv(urls, escape='"')
                objects = objects.withColumn("key", F.url_decode("key"))
            else:
                objects = self._spark.read.parquet(*urls)
            folder = F.regexp_extract("key", "^(.*/)", 1).alias("folder")
            size = F.col("size").cast("long").alias("size")
            sums = objects.select(folder, size).groupBy("folder").agg(F.count("*"), F.sum("size"))
            return [FolderSize(*row) for row in sums.collect()]

    def _files(self, patterns: Sequence[str]) -> DataFrame:
        """Return the files directly in folders that match patterns; patterns may match nothing."""
        frames = []
        for pattern in patterns:
            with contextlib.suppress(AnalysisException):
                frame = self._load([pattern])
                frame.schema  # noqa: B018 - only this makes Spark Connect check the paths
                frames.append(frame)
        if not frames:
            schema = "path string, modified long, length long, content binary"
            return self._spark.createDataFrame([], schema)
        return reduce(DataFrame.unionAll, frames)

    def _load(self, urls: list[str]) -> DataFrame:
        files = self._spark.read.format("binaryFile").load(urls)
        modified = F.unix_millis("modificationTime").alias("modified")
        return files.select("path", modified, "length", "content")

    def _unread(self, files: DataFrame, name: str) -> list[tuple[str, int, int]]:
        """Return the path, modification time (ms) and size of each file without rows."""
        url = F.regexp_replace(F.regexp_replace("path", S3_START, "s3://"), FILE_START, "/")
        read = self._read([name]).where(F.col("kind").isin("chunk", "file"))
        paths = read.select(F.decode("key", "UTF-8").alias("name")).distinct()
        listed = files.select("path", "modified", "length").withColumn("name", url)
        missing = listed.join(paths, "name", "left_anti").select("path", "modified", "length")
        return [tuple(row) for row in missing.collect()]

    def _read(self, names: Sequence[str], kind: RowKind | None = None) -> DataFrame:
        paths = [escape_pattern(self._path(name)) for name in names]
        read = self._spark.read.schema(ROW_SCHEMA).option("basePath", f"{self._work}/rows")
        rows = read.parquet(*paths).select(*StepRow._fields)
        if kind is None:
            return rows
        return rows.where(F.col("kind") == kind)

    def _write(self, rows: DataFrame, name: str, mode: str) -> None:
        rows.write.mode(mode).partitionBy("kind").parquet(self._path(name))

    @property
    def _finished(self) -> str:
        return f"{self._work}/finished"

    def _path(self, name: str) -> str:
        return f"{self._work}/rows/name={name}"


def _rows(frame: DataFrame) -> Iterator[StepRow]:
    for row in frame.select(*StepRow._fields).toLocalIterator(prefetchPartitions=True):
        kind, folder, key, first, last, body = row
        yield StepRow(kind, folder, bytes(key), first, last, bytes(body))


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Translate Spark's own errors into EngineError."""
    try:
        yield
    except (PySparkException, Py4JError, OSError) as error:
        raise EngineError(f"Spark: {_cause(str(error)) or type(error).__name__}") from error


def _cause(text: str) -> str:
    """Return the line of an error that gives its cause: Python's, else Java's, else the first."""
    lines = text.strip().splitlines()
    causes = [line for line in lines if _CAUSE.match(line)]
    of_java = [line.removeprefix(": ") for line in lines if line.startswith(": ")]
    line = (causes or of_java or lines[:1] or [""])[-1]
    if "No module named" in line:
        return f"{line}: install trailhound on the machines too (docs/backfill.md)"
    if "S3AFileSystem" in line or "No FileSystem for scheme" in line:
        return f"{line}: give Spark its reader of S3 (docs/backfill.md)"
    if "JAVA_GATEWAY" in line:
        return "Java is missing or does not start: install a JRE of version 17 or later"
    return line
