"""Long lists: 100,000 alerts and 1,000,000 calls."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from benchmarks.app import p95
from benchmarks.process import apart
from benchmarks.report import Report, at_most
from benchmarks.scale import Scale


@dataclass(frozen=True)
class Step:
    """One operation on a list, and its times.

    ``seconds`` is its duration, ``gaps`` the seconds by which the event loop was late, ``keys`` the
    seconds from key press to paint.
    """

    what: str
    seconds: float
    gaps: list[float]
    keys: list[float]


@dataclass(frozen=True)
class LongList:
    """A list of ``rows`` items of the kind ``what``, and the memory in bytes that it took."""

    what: str
    rows: int
    bytes: int
    steps: list[Step]


def lists(scale: Scale, folder: Path) -> Report:
    """Measure work on long lists, and the event loop meanwhile."""
    alerts, calls = (
        apart(_work, folder, "alerts", scale.alerts_held),
        apart(_work, folder, "calls", scale.calls),
    )
    rows: list[tuple[str, ...]] = [("", "takes", "loop late at most", "key to paint p95")]
    for it in (alerts, calls):
        rows += [
            (
                f"{it.rows:,} {it.what}: {step.what}",
                f"{step.seconds:.2f} s",
                f"{max(step.gaps) * 1e3:.0f} ms",
                f"{p95(step.keys) * 1e3:.0f} ms" if step.keys else "",
            )
            for step in it.steps
        ]
    remarks = [
        f"Memory: {it.bytes / it.rows:,.0f} bytes for each of {it.rows:,} {it.what}, all told."
        for it in (alerts, calls)
    ]
    late = max(gap for it in (alerts, calls) for step in it.steps for gap in step.gaps)
    keys = [key for it in (alerts, calls) for step in it.steps for key in step.keys]
    return Report(
        "Long lists",
        rows,
        remarks,
        [
            at_most("long lists: longest gap of the event loop", 100, late * 1e3, "{:.0f} ms"),
            at_most("long lists: key to paint, p95", 50, p95(keys) * 1e3, "{:.0f} ms"),
        ],
    )


def _work(folder: Path, what: str, rows: int) -> LongList:
    from benchmarks.long import try_out

    return asyncio.run(try_out(folder / f"{what}.db", what, rows))
