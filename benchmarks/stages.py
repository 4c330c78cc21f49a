"""CPU time of a scan by stage.

Each stage is what the way down to it takes, less the stage before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
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
    "unpacking",
    "heads decoded",
    "counted, baseline, dispatched",
    "hits decoded whole",
    "committed, alerts derived, signals searched",
    "start-up, rules, output",
)


def stages(scale: Scale, folder: Path) -> Report:
    """The stages of a scan by one process over large files."""
    corpus = apart(cached, write_trail, scale.ordinary)
    command, home = scan(corpus.root), folder / "home"
    rounds = [(*apart(_reached, corpus.root), run(command, home).cpu) for _ in range(scale.rounds)]
    whole = median(reached[-1] for reached in rounds)
    taken = [median(times) for times in zip(*(_steps(reached) for reached in rounds), strict=True)]
    rows = [
        ("", "CPU", "share", "per record", "to unpacking"),
        *(
            (
                name,
                f"{seconds:.2f} s",
                f"{seconds / whole:.0%}",
                f"{seconds / corpus.records * 1e6:.2f} µs",
                f"{seconds / taken[0]:.2f}×",
            )
            for name, seconds in zip((*_STAGES, "whole scan"), (*taken, whole), strict=True)
        ),
    ]
    return Report(f"Stages of one process: {corpus}", rows)


def _steps(reached: Sequence[float]) -> list[float]:
    """What each takes more than the one before it."""
    return [after - before for before, after in pairwise((0.0, *reached))]


def _reached(root: Path) -> list[float]:
    """Return CPU seconds until each stage's end, one warm process."""
    from detector.rules.dispatch import Dispatch
    from detector.rules.ruleset import load

    rules = load()
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    _unpack(paths)
    return [
        _cpu(lambda: _unpack(paths)),
        _cpu(lambda: _decode(paths)),
        _cpu(lambda: _digest(paths, Dispatch(()))),
        _cpu(lambda: _digest(paths, Dispatch(rule for rule in rules if rule.alerts))),
        _cpu(lambda: _scan(root, rules)),
    ]


def _cpu(work: Callable[[], None]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def _chunks(paths: list[Path]) -> Iterator[tuple[Path, Chunk]]:
    from detector.formats import read_chunks

    for path in paths:
        with open(path, "rb") as file:
            for chunk in read_chunks(file):
                yield path, chunk


def _unpack(paths: list[Path]) -> None:
    for _ in _chunks(paths):
        pass


def _decode(paths: list[Path]) -> None:
    from detector.formats import parse_records

    for _, chunk in _chunks(paths):
        parse_records(chunk)


def _digest(paths: list[Path], dispatch: Dispatch) -> None:
    from detector.detection.digest import digest
    from detector.detection.signature_cache import SignatureCache

    cache = SignatureCache()
    for path, chunk in _chunks(paths):
        digest(str(path), chunk, dispatch, cache)


def _scan(root: Path, rules: RuleSet) -> None:
    from detector.ingest.pipeline import Pipeline
    from detector.sources.directory import Directory
    from detector.store import Store

    store = Store.open(None)
    Pipeline(store, rules, Directory([root]), jobs=1).scan(lambda _: None)
    store.close()
