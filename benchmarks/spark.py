"""A trail read with Spark on this machine's cores, compared with a scan by two processes."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

from benchmarks.corpus import Plan, cached, write_trail
from benchmarks.engine import scan
from benchmarks.process import PYTHON, apart, run
from benchmarks.report import Report
from benchmarks.scale import Scale
from detector.cloudtrail.object_key import trail_file

_FACTORS = (1, 5, 20)
_PLAN = Plan(1, 1, 500)


def spark(scale: Scale, folder: Path) -> Report:  # noqa: ARG001 - the sizes are its own
    """Measure CPU, shuffled bytes and the state at 1, 5 and 20 times."""
    missing = [name for name in ("pyspark", "pandas", "pyarrow") if find_spec(name) is None]
    if shutil.which("java") is None:
        missing.append("Java")
    if missing:
        return Report("Spark", [("not measured", f"without {', '.join(missing)}")])
    rows = [
        ("", "records", "scan", "CPU a record", "ratio", "shuffled a record", "state", "a folder")
    ]
    for factor in _FACTORS:
        corpus = apart(cached, write_trail, _PLAN.times(factor))
        paths = list(corpus.root.rglob("*.json.gz"))
        labels = [file.delivered for file in map(trail_file, map(str, paths)) if file]
        folders = len({path.parent for path in paths})
        state = folder / f"scan-{factor}.db"
        scanned = run(scan(corpus.root, "--jobs", "2", "--db", str(state)), folder / "home")
        command = [PYTHON, "-m", "benchmarks.tools.spark_run", str(corpus.root)]
        ran = run([*command, str(min(labels)), str(max(labels) + 1)], folder / "home")
        took = json.loads(ran.output[-1])
        assert took["records"] == corpus.records, took
        rows.append(
            (
                f"{factor}×",
                f"{corpus.records:,}",
                f"{scanned.user / corpus.records * 1e6:.0f} µs",
                f"{took['cpu'] / corpus.records * 1e6:.0f} µs",
                f"{took['cpu'] / scanned.user:.1f}×",
                f"{took['shuffled'] / corpus.records:.0f} B",
                f"{took['state'] / 1e6:.1f} MB",
                f"{took['state'] / folders / 1e3:.0f} kB",
            )
        )
    remarks = [
        "CPU of Java and Python together without the start of Spark; a scan's with it, which is "
        "most of it at 1×.",
    ]
    return Report("Spark", rows, remarks)
