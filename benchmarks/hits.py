"""Logs in which three quarters of the records are hits of a built-in rule."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.corpus import cached, write_trail
from benchmarks.engine import (
    BEFORE,
    NOW,
    STDLIB,
    budgets_against,
    compare,
    scan,
    scripts,
    tools_report,
    versions,
)
from benchmarks.organization import CommandLine
from benchmarks.process import apart, run
from benchmarks.report import Report, at_most
from benchmarks.scale import Scale

_SHARE = 0.75
_OTHER = "Boto3"
"""A program whose listings are not hits."""


def hits(scale: Scale, folder: Path) -> Report:
    """Measure logs of which three quarters are hits.

    They are listings by the AWS CLI, hits of a built-in rule. What a hit costs is what the same
    records cost more than those of another program.
    """
    plan, home = scale.ordinary, folder / "home"
    corpus = apart(cached, write_trail, replace(plan, people=CommandLine(_SHARE)))
    control = apart(cached, write_trail, replace(plan, people=CommandLine(_SHARE, _OTHER)))
    count = corpus.records * _SHARE
    commands = {name: scan(corpus.root, version=it) for name, it in versions(scale).items()}
    results = compare({**commands, **scripts(corpus.root)}, corpus, scale, home)
    without = {name: scan(control.root, version=it) for name, it in versions(scale).items()}
    others = compare(without, control, scale, home)
    micros = {
        name: (results[name].user - others[name].user) / count * 1e6 for name in versions(scale)
    }
    bytes_ = {
        name: (_state(it, corpus.root, folder) - _state(it, control.root, folder)) / count
        for name, it in versions(scale).items()
    }
    report = tools_report("Three of four records are hits", corpus, results)
    budgets = [
        *budgets_against("hits", STDLIB, results, 1.2, 1.8),
        at_most("hits: user CPU a hit", 10, micros[NOW], "{:.1f} µs", before=micros.get(BEFORE)),
        at_most("hits: state a hit", 60, bytes_[NOW], "{:.0f} bytes", before=bytes_.get(BEFORE)),
    ]
    return replace(report, budgets=budgets)


def _state(version: Sequence[str], root: Path, folder: Path) -> int:
    """Return the size in bytes of a new state after a scan of ``root``."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        path = Path(own) / "hunt.db"
        run(scan(root, "--db", str(path), version=version), folder / "home")
        return path.stat().st_size
