"""Growth with the size of the corpus: only time should grow."""

from __future__ import annotations

from pathlib import Path

from benchmarks.corpus import cached, write_trail
from benchmarks.engine import BEFORE, NOW, compare, scan, versions
from benchmarks.process import Measured, apart
from benchmarks.report import Report, at_most
from benchmarks.scale import Scale

_FACTORS = (1, 10, 100)


def memory(scale: Scale, folder: Path) -> Report:
    """Measure memory and cost at 1, 10 and 100 times."""
    rows = [("", "records", "user CPU", "per record", "peak RSS", "to 1×")]
    by_version: dict[str, list[Measured]] = {name: [] for name in versions(scale)}
    for factor in _FACTORS:
        corpus = apart(cached, write_trail, scale.memory.times(factor))
        commands = {name: scan(corpus.root, version=it) for name, it in versions(scale).items()}
        results = compare(commands, corpus, scale, folder / "home")
        for name, measured in results.items():
            by_version[name].append(measured)
            rows.append(
                (
                    f"{name}, {factor}×",
                    f"{corpus.records:,}",
                    f"{measured.user:.2f} s",
                    f"{measured.user / corpus.records * 1e6:.2f} µs",
                    f"{measured.rss / 1e6:,.0f} MB",
                    f"{measured.rss / by_version[name][0].rss:.2f}×",
                )
            )
    growth = {name: it[-1].rss / it[0].rss for name, it in by_version.items()}
    budget = at_most(
        "memory: peak RSS at 100×, to 1×", 1.25, growth[NOW], before=growth.get(BEFORE)
    )
    remark = "The cost per record at 1× is mostly start-up: growth shows from 10× to 100×."
    return Report("Growth", rows, [remark], [budget])
