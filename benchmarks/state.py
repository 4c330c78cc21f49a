"""Size of the state, by file, record and table."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from benchmarks.corpus import Plan, cached, write_trail
from benchmarks.engine import BEFORE, NOW, scan, versions
from benchmarks.process import apart, run
from benchmarks.report import Report, at_most
from benchmarks.scale import Scale

_TABLES = 6
"""Number of tables reported, the largest ones."""


def state(scale: Scale, folder: Path) -> Report:
    """Measure bytes of the state by file, record and table."""
    rows: list[tuple[str, ...]] = [
        ("", "files", "records", "state", "a record", "a file", "largest tables")
    ]
    per_thousand: dict[str, float] = {}
    for what, plan in (("trail files", scale.ordinary), ("small files", scale.small)):
        for version, program in versions(scale).items():
            row, size = _measure(folder, f"{what}, {version}", plan, program)
            rows.append(row)
            per_thousand[version] = size / plan.files / 1e3  # small files come last
    budget = at_most(
        "small files: state for 1,000 files",
        0.25,
        per_thousand[NOW],
        "{:.2f} MB",
        before=per_thousand.get(BEFORE),
    )
    return Report("State", rows, budgets=[budget])


def _measure(
    folder: Path, name: str, plan: Plan, program: Sequence[str]
) -> tuple[tuple[str, ...], int]:
    corpus = apart(cached, write_trail, plan)
    path = folder / f"{name}.db"
    run(scan(corpus.root, "--db", str(path), version=program), folder / "home")
    size = path.stat().st_size
    row = (
        name,
        f"{corpus.files:,}",
        f"{corpus.records:,}",
        f"{size / 1e6:,.2f} MB",
        f"{size / corpus.records:,.0f} bytes",
        f"{size / corpus.files:,.0f} bytes",
        ", ".join(f"{table} {share:.0%}" for table, share in _shares(path)),
    )
    return row, size


def _shares(path: Path) -> list[tuple[str, float]]:
    """Return the largest tables' shares, with their indexes. Needs SQLite's dbstat table."""
    with closing(sqlite3.connect(path)) as db:
        sizes = db.execute(
            "SELECT t.tbl_name, sum(d.pgsize) AS size FROM dbstat AS d "
            "JOIN sqlite_schema AS t ON t.name = d.name GROUP BY t.tbl_name ORDER BY size DESC"
        ).fetchall()
    whole = sum(size for _, size in sizes)
    return [(table, size / whole) for table, size in sizes[:_TABLES]]
