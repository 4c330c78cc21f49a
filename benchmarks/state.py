"""Size of the state, by part, and after a vacuum."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from benchmarks.corpus import Corpus, Plan, write_trail
from benchmarks.process import TRAILHOUND, apart, run
from benchmarks.report import Report
from benchmarks.scale import Scale
from detector.store import Store

_PARTS = {
    "baseline": ("sight",),
    "windows": ("hit", "event", "series"),
    "alerts": ("alert", "alert_who", "signal"),
    "files": ("file", "file_count", "chunk"),
}
"""Tables, with their indexes, by what they are for."""


def state(scale: Scale, folder: Path) -> Report:
    """Measure bytes of the state per million records."""
    rows = [
        (
            "MB per million records",
            "records",
            "files",
            "state",
            *_PARTS,
            "without old windows",
            "compact",
        )
    ]
    for name, plan in (("large files", scale.large), ("small files", scale.small)):
        rows.append(_row(name, plan, folder / name))
    return Report(
        "State",
        rows,
        [
            "What only the events of a trail decide: one call in a hundred lists instances, as "
            "in the corpus; a trail with few of them takes less.",
            "compact: seconds to let go of all windows but those of alerts, and to shrink it.",
        ],
    )


def _row(name: str, plan: Plan, folder: Path) -> tuple[str, ...]:
    corpus: Corpus = apart(write_trail, folder / "logs", plan)
    path = folder / "hunt.db"
    run(
        (*TRAILHOUND, "scan", str(corpus.root), "--db", str(path), "--format", "jsonl"),
        folder / "home",
    )
    per = corpus.records / 1e6
    parts = _parts(path)
    begun = time.perf_counter()
    with closing(Store.open(path, lambda: time.time() + 86_400)) as store:
        done = store.retention.vacuum(60)
    seconds = time.perf_counter() - begun
    return (
        name,
        f"{corpus.records:,}",
        f"{corpus.files:,}",
        f"{done.before / 1e6 / per:,.1f}",
        *(f"{parts[part] / 1e6 / per:,.1f}" for part in _PARTS),
        f"{done.after / 1e6 / per:,.1f}",
        f"{seconds:.1f} s",
    )


def _parts(path: Path) -> dict[str, int]:
    """Return bytes by part. Needs SQLite's dbstat table."""
    with closing(sqlite3.connect(path)) as db:
        sizes = dict(
            db.execute(
                "SELECT t.tbl_name, sum(pgsize) FROM dbstat d JOIN sqlite_schema t ON t.name = "
                "d.name "
                "GROUP BY t.tbl_name"
            )
        )
    return {part: sum(sizes.get(table, 0) for table in tables) for part, tables in _PARTS.items()}
