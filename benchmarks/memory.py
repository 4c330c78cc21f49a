"""What grows with the corpus: nothing but time should."""

from __future__ import annotations

from pathlib import Path

from benchmarks.corpus import write_trail
from benchmarks.process import Measured, apart, measure
from benchmarks.report import Report, at_most
from benchmarks.scale import Scale
from benchmarks.throughput import check_accounting, scan

_TIMES = (1, 10, 100)


def memory(scale: Scale, folder: Path) -> Report:
    """Measure memory and cost at 1, 10 and 100 times."""
    rows = [("", "records", "time", "per record", "to 1×", "peak RSS", "to 1×")]
    peaks: dict[int, dict[int, Measured]] = {1: {}, 2: {}}
    for times in _TIMES:
        corpus = apart(write_trail, folder / f"memory-{times}", scale.memory.times(times))
        measured_jobs = measure(
            {str(jobs): scan(corpus.root, jobs) for jobs in peaks},
            min(scale.rounds, 3),
            folder / "home",
        )
        for run in (run for measured in measured_jobs.values() for run in measured.runs):
            check_accounting(run, corpus)
        for jobs, by_factor in peaks.items():
            now = by_factor[times] = measured_jobs[str(jobs)]
            cost, first = (
                now.seconds / corpus.records,
                by_factor[1].seconds / (corpus.records / times),
            )
            rows.append(
                (
                    f"--jobs {jobs}, {times}×",
                    f"{corpus.records:,}",
                    f"{now.seconds:.2f} s",
                    f"{cost * 1e6:.2f} µs",
                    f"{cost / first:.2f}×",
                    f"{now.rss / 1e6:,.0f} MB",
                    f"{now.rss / by_factor[1].rss:.2f}×",
                )
            )
    return Report(
        "Growth",
        rows,
        [
            "The cost per record at 1× is mostly start-up: growth shows from 10× to 100×.",
            "With two processes, the peaks of all are added up; at 1× there is work for one.",
        ],
        [
            at_most(
                "memory: peak RSS at 100×, one process", 1.25, peaks[1][100].rss / peaks[1][1].rss
            )
        ],
    )
