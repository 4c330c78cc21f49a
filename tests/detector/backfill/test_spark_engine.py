"""Spark itself, in local mode: the state of a scan, also where a worker is killed.

One session starts in some 25 seconds, so all is in few tests. They need the extra ``spark`` and
Java, and say where one is missing.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from detector.backfill.spans import Span
from detector.backfill.spark.engine_protocol import EngineError, FolderSize
from detector.backfill.spark.rule_bundle import bundle_rules
from detector.backfill.spark.trail_days import plan_by_inventory, plan_by_pattern
from detector.backfill.trail_location import locate_folder
from detector.rules.ruleset import RuleSet, load
from detector.text.time import DAY, HOUR
from tests.commandline.cli import Cli
from tests.detector.backfill import dying_worker
from tests.detector.backfill.loaded_state import backfill, deliver, picture, plan_days, scan
from tests.detector.trail import ACCOUNT, REGIONS, START, call, sweep

ROOT = Path(__file__).parents[3]
MISSING = [
    name
    for name, is_there in (
        ("pyspark", importlib.util.find_spec("pyspark") is not None),
        ("pandas", importlib.util.find_spec("pandas") is not None),
        ("a JRE (java)", shutil.which("java") is not None),
    )
    if not is_there
]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(MISSING), reason=f"Spark is not tested without {', '.join(MISSING)}: CONTRIBUTING.md"
    ),
]
DAYS = ("2026/03/01", "2026/03/02")
WHOLE = Span(START - 10 * HOUR, START + 14 * HOUR)


@pytest.fixture(scope="module")
def rules() -> RuleSet:
    return load()


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A session on two cores, in which a task is tried again, as on a cluster."""
    from pyspark.sql import SparkSession

    folder = tmp_path_factory.mktemp("spark")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYSPARK_PYTHON", sys.executable)
        environment.setenv("PYTHONPATH", str(ROOT))
        environment.setenv(dying_worker.MARK, str(folder / "died"))
        builder: Any = SparkSession.builder
        for name, value in {
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.log.level": "OFF",
            "spark.sql.shuffle.partitions": "2",
            "spark.driver.memory": "1g",
            "spark.local.dir": str(folder),
            "spark.sql.warehouse.dir": str(folder / "warehouse"),
        }.items():
            builder = builder.config(name, value)
        session = builder.master("local[2, 4]").getOrCreate()
        yield session
        session.stop()


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days with alerts, copies, signals and files that cannot be read."""
    root = tmp_path_factory.mktemp("trail")
    for day in range(2):
        for number, region in enumerate(REGIONS[:4]):
            at = day * DAY + number * HOUR
            records = [call(at + step, region, f"{day}-{number}-{step}") for step in range(5)]
            deliver(root, region, at + 300, f"f{number}", [*records, *sweep(11, day * DAY)[:6]])
    deliver(root, "us-east-1", 300, "rest", [*sweep(11)[6:], call(40, eventName="StopLogging")])
    deliver(root, "us-east-1", DAY + 300, "rest", sweep(11, DAY)[6:])
    deliver(root, "us-east-1", 300, "bad", [], b"\x1f\x8bno gzip")
    deliver(root, "us-east-1", 600, "none", [], gzip.compress(b'{"Records": []}'))
    return root


def test_state_is_that_of_a_scan(
    session: Any, trail: Path, rules: RuleSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker is killed in the middle, days are run twice, and loaded twice."""
    from detector.backfill.spark import spark_engine

    monkeypatch.setattr(spark_engine, "digest_batches", dying_worker.die_once)
    engine = spark_engine.SparkEngine(session, str(tmp_path))
    days = plan_days(trail, DAYS)
    engine.digest(days[0].patterns, "2026-03-01-before", bundle_rules(rules))
    assert Path(os.environ[dying_worker.MARK]).exists()
    monkeypatch.undo()
    scanned = picture(scan(trail, rules))
    loaded = backfill(engine, days, rules)
    assert picture(loaded) == scanned
    assert len(engine.finished()) == 2
    # What was read by the worker that died is as what was read once.
    rows = [sorted(engine.rows([name], "hit")) for name in ("2026-03-01-before",)]
    [first] = [name for name in engine.finished() if name.startswith("2026-03-01")]
    assert rows == [sorted(engine.rows([first], "hit"))]
    engine.digest(days[1].patterns, days[1].name("again"), bundle_rules(rules))
    backfill(engine, days, rules, loaded)
    assert picture(loaded) == scanned


def test_file_that_is_not_brought_is_accounted(
    session: Any, rules: RuleSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where names of folders read as patterns."""
    from detector.backfill.spark import spark_engine

    trail = tmp_path / "case [1] {a,b}"
    large = deliver(trail, "us-east-1", 300, "large", sweep(11))
    small = deliver(trail, "us-east-1", 300, "small", [call()])
    limit = (large.stat().st_size + small.stat().st_size) // 2
    monkeypatch.setattr(spark_engine, "LARGEST_FILE", limit)
    engine = spark_engine.SparkEngine(session, str(tmp_path / "work [2]"))
    loaded = backfill(engine, plan_by_pattern(locate_folder(trail), WHOLE), rules)
    accounting = loaded.files.accounting()
    assert accounting.files_read == 1
    assert accounting.files_quarantined == {"too-large": 1}
    assert [row.path for row in loaded.quarantine.files()] == [str(large)]


@pytest.mark.parametrize("form", ["CSV", "Parquet"])
def test_inventory_tells_the_folders(session: Any, trail: Path, tmp_path: Path, form: str) -> None:
    from detector.backfill.spark.spark_engine import SparkEngine

    folder = f"AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/2026/03/01/"
    other = "AWSLogs/999988887777/CloudTrail/us-east-1/2026/03/01/a b+c.json.gz"
    objects = [(f"{folder}a.json.gz", 10), (f"{folder}b.json.gz", 5), (other, 7)]
    name = "inventory/data/list.csv.gz" if form == "CSV" else "inventory/data/list.parquet"
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    if form == "CSV":
        rows = [f'"logs","{quote(key)}","{size}"\n' for key, size in objects]
        path.write_bytes(gzip.compress("".join(rows).encode()))
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        keys, sizes = zip(*objects, strict=True)
        table = pa.table({"bucket": ["logs"] * 3, "key": keys, "size": sizes})
        pq.write_table(table, path)
    manifest = tmp_path / "inventory" / "logs" / "manifest.json"
    manifest.parent.mkdir()
    manifest.write_text(
        json.dumps(
            {
                "sourceBucket": "logs",
                "destinationBucket": "arn:aws:s3:::lists",
                "version": "2016-11-30",
                "fileFormat": form,
                "fileSchema": "Bucket, Key, Size",
                "files": [{"key": name, "size": path.stat().st_size, "MD5checksum": ""}],
            }
        )
    )
    engine = SparkEngine(session, str(tmp_path / "work"))
    folders = engine.inventory_folders(str(manifest))
    assert FolderSize(folder, 2, 15) in folders and len(folders) == 2
    location = locate_folder(trail)
    days = plan_by_inventory(location, WHOLE, folders)
    named = {day.day: day.patterns for day in days}
    assert named["2026/03/01"] == [f"{trail}/{folder}", f"{trail}/{other.rpartition('/')[0]}/"]
    assert named["2026/03/02"] == []


def test_jobs_that_fail_say_why(session: Any, rules: RuleSet, tmp_path: Path) -> None:
    from detector.backfill.spark.spark_engine import SparkEngine

    engine = SparkEngine(session, str(tmp_path))
    with pytest.raises(EngineError, match=r"Spark: .*missing\.json"):
        engine.inventory_folders(str(tmp_path / "missing.json"))
    with pytest.raises(EngineError, match=r"Spark: .*S3AFileSystem.*: give Spark its reader of S3"):
        engine.digest(["s3a://bucket/AWSLogs"], "a", bundle_rules(rules))


def test_command_loads_a_database(
    session: Any, trail: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(session), "stop", lambda self: None)
    times = ["--since", "2026-03-01", "--until", "2026-03-02"]
    ran = cli(
        "backfill", "spark", trail, *times, "--work", tmp_path / "w", "--db", tmp_path / "a.db"
    )
    assert ran.status == 0, ran.err
    assert "of 4 days: 2026/03/01" in ran.err and "quarantined: " in ran.err
    scanned = cli("scan", trail, "--db", tmp_path / "b.db", "--format", "jsonl")
    listed = cli("alerts", "--db", tmp_path / "a.db", "--format", "jsonl")
    assert listed.objects and len(listed.objects) == len(scanned.objects)
