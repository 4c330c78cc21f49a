"""Read a trail with Spark on two cores of this machine; print its costs as JSON."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.process import family_cpu
from detector.backfill.spans import Span
from detector.backfill.spark.run import Backfill
from detector.backfill.spark.spark_engine import SparkEngine
from detector.backfill.spark.trail_days import plan_by_pattern
from detector.backfill.trail_location import locate_folder
from detector.detection.risk import load_risk_table
from detector.rules.ruleset import load
from detector.store import Store


def main(root: str, first: int, last: int) -> None:
    """Measure the backfill of the trail at ``root``, without the start of Spark."""
    from pyspark.sql import SparkSession

    with tempfile.TemporaryDirectory(prefix="trailhound-spark-") as name:
        folder = Path(name)
        (folder / "events").mkdir()
        os.environ["PYSPARK_PYTHON"] = sys.executable
        builder = SparkSession.builder.master("local[2]")
        for option, value in {
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.log.level": "OFF",
            "spark.sql.shuffle.partitions": "2",
            "spark.local.dir": name,
            "spark.eventLog.enabled": "true",
            "spark.eventLog.compress": "false",
            "spark.eventLog.rolling.enabled": "false",
            "spark.eventLog.dir": f"file://{folder}/events",
        }.items():
            builder = builder.config(option, value)
        session = builder.getOrCreate()
        session.range(10).count()  # loading for the first job is start-up too
        engine = SparkEngine(session, str(folder / "work"))
        state = folder / "state.db"
        store = Store.open(state)
        days = plan_by_pattern(locate_folder(Path(root)), Span(first, last))
        before, begun = family_cpu(os.getpid()), time.perf_counter()
        Backfill(engine, days, store, load(), load_risk_table(), lambda _: None).run()
        seconds, cpu = time.perf_counter() - begun, family_cpu(os.getpid()) - before
        accounting = store.files.accounting()
        rows = len(store.files.all())
        alerts = len(store.alerts.all())
        store.close()
        engine.close()
        print(
            json.dumps(
                {
                    "cpu": cpu,
                    "seconds": seconds,
                    "records": accounting.records_seen,
                    "hits": accounting.records_counted,
                    "alerts": alerts,
                    "rows": rows,
                    "state": state.stat().st_size,
                    "shuffled": sum(map(_shuffled, (folder / "events").iterdir())),
                }
            )
        )


def _shuffled(path: Path) -> int:
    """Return the bytes that tasks wrote for shuffles, according to Spark's event log."""
    total = 0
    for line in path.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        metrics = event.get("Task Metrics") or {}
        total += metrics.get("Shuffle Write Metrics", {}).get("Shuffle Bytes Written", 0)
    return total


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
