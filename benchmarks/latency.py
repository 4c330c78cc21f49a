"""Latency from a rename in a watched tree to the screen."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.corpus import write_trail
from benchmarks.process import apart
from benchmarks.report import Report, at_most
from benchmarks.scale import Scale


@dataclass(frozen=True)
class Renamed:
    """Seconds from a rename until its alert was published, and until it was painted."""

    published: float
    painted: float


def latency(scale: Scale, folder: Path) -> Report:
    """Measure from rename to screen, with a state on disk."""
    corpus = apart(write_trail, folder / "watched", scale.watched)
    renamed = apart(_rename, corpus.root, folder / "latency.db", scale.renames)
    painted = sorted(each.painted for each in renamed)
    rows = [
        (f"{len(renamed)} renames", "p50", "p90", "p99", "slowest"),
        _row("to published", sorted(each.published for each in renamed)),
        _row("to painted", painted),
    ]
    return Report(
        f"Latency: a tree of {corpus.files:,} files, already read",
        rows,
        budgets=[
            at_most(
                f"rename to alert on screen, {corpus.files:,} files: p99",
                1000,
                _percentile(painted, 0.99) * 1e3,
                "{:.0f} ms",
            )
        ],
    )


def _row(name: str, ordered: Sequence[float]) -> tuple[str, ...]:
    return name, *(f"{_percentile(ordered, share) * 1e3:.0f} ms" for share in (0.5, 0.9, 0.99, 1))


def _percentile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _rename(root: Path, state: Path, count: int) -> list[Renamed]:
    from benchmarks.renames import renames

    return asyncio.run(renames(root, state, count))
