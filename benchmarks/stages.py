"""CPU time of a scan by stage.

Each stage is measured by a process that runs all stages up to it. A stage's time is the difference
from the previous stage's process.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.corpus import cached, write_trail
from benchmarks.engine import scan
from benchmarks.process import apart, run
from benchmarks.report import Report
from benchmarks.scale import Scale

if TYPE_CHECKING:
    from detector.formats import Chunk
    from detector.rules.dispatch import Dispatch
    from detector.rules.ruleset import RuleSet

_STAGES = (
    "start-up: a scan of nothing",
    "unpacking",
    "cut, heads numbered",
    "counted, baseline",
    "rules asked, hits",
    "committed, alerts derived, signals searched, output",
)


def stages(scale: Scale, folder: Path) -> Report:
    """The stages of a scan by one process over large files."""
    corpus = apart(cached, write_trail, scale.ordinary)
    home, nothing = folder / "home", folder / "nothing"
    nothing.mkdir(exist_ok=True)
    rounds = [_steps(corpus.root, nothing, home) for _ in range(scale.rounds)]
    taken = [median(times) for times in zip(*rounds, strict=True)]
    whole = sum(taken)
    rows = [
        ("", "CPU", "share", "per record", "to unpacking"),
        *(
            (
                name,
                f"{seconds:.2f} s",
                f"{seconds / whole:.0%}",
                f"{seconds / corpus.records * 1e6:.2f} µs",
                f"{seconds / taken[1]:.2f}×",
            )
            for name, seconds in zip((*_STAGES, "whole scan"), (*taken, whole), strict=True)
        ),
    ]
    return Report(f"Stages of one process: {corpus}", rows)


def _steps(root: Path, nothing: Path, home: Path) -> list[float]:
    """Return the CPU seconds of each stage, as the difference from the stages before it.

    Each measurement runs in its own process, after everything is imported and loaded."""
    begun = run(scan(nothing), home).cpu
    ways = [apart(_reached, root, stage) for stage in (_unpack, _cut, _count, _digest)]
    ends = [begun, *(begun + way for way in ways), run(scan(root), home).cpu]
    return [after - before for before, after in pairwise((0.0, *ends))]


def _reached(root: Path, stage: Callable[[list[Path], RuleSet], None]) -> float:
    """Return the CPU seconds of taking all files through a stage."""
    from detector.ingest.garbage import collect_rarely
    from detector.rules.ruleset import load

    rules = load()
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    stage(paths[:1], rules)
    collect_rarely()
    begun = time.process_time()
    stage(paths, rules)
    return time.process_time() - begun


def _chunks(paths: list[Path]) -> Iterator[tuple[Path, Chunk]]:
    from detector.formats import read_chunks

    for path in paths:
        with open(path, "rb") as file:
            for chunk in read_chunks(file):
                yield path, chunk


def _unpack(paths: list[Path], _: RuleSet) -> None:
    for _path, _chunk in _chunks(paths):
        pass


def _cut(paths: list[Path], _: RuleSet) -> None:
    from detector.detection.signature_cache import SignatureCache
    from detector.formats import parse_records

    cache = SignatureCache()
    for _path, chunk in _chunks(paths):
        parse_records(chunk, cache.heads)


def _count(paths: list[Path], _: RuleSet) -> None:
    from detector.rules.dispatch import Dispatch

    _digest_by(paths, Dispatch(()))


def _digest(paths: list[Path], rules: RuleSet) -> None:
    from detector.rules.dispatch import Dispatch

    _digest_by(paths, Dispatch(rule for rule in rules if rule.alerts))


def _digest_by(paths: list[Path], dispatch: Dispatch) -> None:
    from detector.detection.digest import digest
    from detector.detection.signature_cache import SignatureCache

    cache = SignatureCache()
    for path, chunk in _chunks(paths):
        digest(str(path), chunk, dispatch, cache, counts_activity=False)
