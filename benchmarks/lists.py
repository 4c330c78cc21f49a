"""Long lists: 100,000 alerts and 1,000,000 calls, put in order, filtered, searched, moved through."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from benchmarks.app import p95
from benchmarks.process import apart
from benchmarks.report import Report, at_most
from benchmarks.scale import Scale


@dataclass(frozen=True)
class Done:
    """Some work on a list: the seconds that it took, that the event loop was late by meanwhile,
    from key to paint."""

    what: str
    seconds: float
    gaps: list[float]
    keys: list[float]


@dataclass(frozen=True)
class Found:
    """``rows`` of ``what``, which took ``bytes`` of memory with all that shows them."""

    what: str
    rows: int
    bytes: int
    done: list[Done]


def lists(scale: Scale, folder: Path) -> Report:
    """Long lists: how long the work on them takes, and how late the event loop is meanwhile."""
    alerts, calls = (
        apart(_work, folder, "alerts", scale.held),
        apart(_work, folder, "calls", scale.calls),
    )
    rows: list[tuple[str, ...]] = [("", "takes", "loop late at most", "key to paint p95")]
    for found in (alerts, calls):
        rows += [
            (
                f"{found.rows:,} {found.what}: {done.what}",
                f"{done.seconds:.2f} s",
                f"{max(done.gaps) * 1e3:.0f} ms",
                f"{p95(done.keys) * 1e3:.0f} ms" if done.keys else "",
            )
            for done in found.done
        ]
    remarks = [
        f"Memory: {found.bytes / found.rows:,.0f} bytes for each of {found.rows:,} {found.what}, all told."
        for found in (alerts, calls)
    ]
    late = max(gap for found in (alerts, calls) for done in found.done for gap in done.gaps)
    keys = [key for found in (alerts, calls) for done in found.done for key in done.keys]
    return Report(
        "Long lists",
        rows,
        remarks,
        [
            at_most("long lists: longest gap of the event loop", 100, late * 1e3, "{:.0f} ms"),
            at_most("long lists: key to paint, p95", 50, p95(keys) * 1e3, "{:.0f} ms"),
        ],
    )


def _work(folder: Path, what: str, rows: int) -> Found:
    from benchmarks.long import try_out

    return asyncio.run(try_out(folder / f"{what}.db", what, rows))
