"""Memory of the app while a day of a trail arrives."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.corpus import Plan, sweep, sweeps_before, trail_document, trail_files
from benchmarks.organization import PERIOD
from benchmarks.process import apart
from benchmarks.report import Report
from benchmarks.scale import Scale
from benchmarks.tree import Lost
from detector.simulate.organization import REGIONS, START
from detector.sources.accounting import Accounting

PARTS = 6
_FIRST = 10_000
"""The number of the first sweep planted in addition to the trail's, which have smaller numbers."""


@dataclass(frozen=True)
class Part:
    """The app's state after a part of the day.

    ``rss`` and ``state`` are bytes in memory and on disk; ``alerts`` counts the reference rule's
    alerts, ``all_alerts`` those of all rules.
    """

    sums: Accounting
    alerts: int
    all_alerts: int
    rss: int
    state: int


@dataclass(frozen=True)
class Passed:
    """A whole day: its parts, peak memory, and time.

    At the first part nothing was read yet. ``peak`` is in bytes; ``seconds`` is the time until
    everything was read, ``cpu`` the app's CPU seconds in that time.
    """

    parts: list[Part]
    peak: int
    seconds: float
    cpu: float


def day(scale: Scale, folder: Path) -> Report:
    """Measure memory while a day of a trail arrives."""
    plan = scale.day
    result = apart(_pass, folder / "trail", folder / "day.db", plan)
    _check(result.parts[-1], plan)
    hours = plan.periods * PERIOD / 3600 / PARTS
    rows = [("read of the day", "files", "records", "alerts", "memory", "grown by", "state")]
    before = result.parts[0]
    for number, part in enumerate(result.parts):
        rows.append(
            (
                f"{hours * number:.0f} h",
                f"{part.sums.files_read:,}",
                f"{part.sums.records_seen:,}",
                f"{part.all_alerts:,}",
                _megabytes(part.rss),
                _megabytes(part.rss - before.rss),
                _megabytes(part.state),
            )
        )
        before = part
    first, last = result.parts[1], result.parts[-1]
    grown, files = last.rss - first.rss, last.sums.files_read - first.sums.files_read
    return Report(
        f"A day live: {files_of(plan):,} files, {records_of(plan):,} records",
        rows,
        [
            f"All files and records read, all {last.alerts:,} planted alerts found, in "
            f"{result.seconds:.0f} s "
            f"({result.cpu:.0f} s of CPU). Peak RSS {_megabytes(result.peak)}.",
            f"After the first part of the day memory grew by {grown / files:,.0f} bytes for "
            "each file.",
        ],
    )


def day_files(plan: Plan) -> Iterator[tuple[Path, bytes]]:
    """Yield the day's files in order, followed in each period by one with a sweep."""
    trail = trail_files(plan)
    for period in range(plan.periods):
        for _ in range(plan.files_per_period):
            path, document = next(trail)
            yield path, document
        planted = sweep(_FIRST + period, START + PERIOD * period, REGIONS)
        yield (
            path.with_name(path.name.replace(".json.gz", "sweep.json.gz")),
            trail_document(record for _, record in planted.values()),
        )


def files_of(plan: Plan) -> int:
    return plan.files + plan.periods


def records_of(plan: Plan) -> int:
    return plan.records + plan.periods * len(REGIONS)


def _check(end: Part, plan: Plan) -> None:
    """Raise Lost unless everything written was found, and nothing else."""
    sums, files, records = end.sums, files_of(plan), records_of(plan)
    if (sums.files_read, sums.files_found) != (files, files):
        raise Lost(
            f"{files:,} files were written, {sums.files_read:,} of {sums.files_found:,} found "
            "were read"
        )
    if (sums.records_seen, sums.records_read) != (records, records):
        raise Lost(
            f"{records:,} records were written, {sums.records_read:,} of {sums.records_seen:,} "
            "were kept"
        )
    planted = sweeps_before(plan.records) + plan.periods
    if end.alerts != planted:
        raise Lost(f"{planted:,} alerts were planted, {end.alerts:,} found")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


def _pass(root: Path, state: Path, plan: Plan) -> Passed:
    from benchmarks.passing import passing

    return asyncio.run(passing(root, state, plan))
