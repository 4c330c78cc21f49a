"""Scans of ordinary logs by trailhound and by scripts: trail files, lines, small files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks.corpus import cached, write_lines, write_trail
from benchmarks.engine import (
    BEFORE,
    NOW,
    ORJSON,
    STDLIB,
    budgets_against,
    compare,
    scan,
    scripts,
    tools_report,
    unpacking,
    versions,
)
from benchmarks.process import Measured, apart
from benchmarks.report import Budget, Report, at_least, at_most
from benchmarks.scale import Scale

_TWO = "trailhound, two processes"


def ordinary(scale: Scale, folder: Path) -> Report:
    """Trail files of an ordinary organization."""
    corpus = apart(cached, write_trail, scale.ordinary)
    ours = {name: scan(corpus.root, version=it) for name, it in versions(scale).items()}
    two = {_TWO: [*scan(corpus.root), "--jobs", "2"]}
    commands = {**ours, **two, **scripts(corpus.root), **unpacking(corpus.root)}
    results = compare(commands, corpus, scale, folder / "home")
    report = tools_report("An ordinary organization", corpus, results)
    return replace(
        report, budgets=[*_against_scripts("trail files", results), *_processes(results)]
    )


def _against_scripts(what: str, results: dict[str, Measured]) -> list[Budget]:
    return [
        *budgets_against(what, STDLIB, results, 1.8, 3.5),
        *budgets_against(what, ORJSON, results, 1.0, 2.0),
    ]


def _processes(results: dict[str, Measured]) -> list[Budget]:
    two = results[_TWO]
    return [
        at_least("two processes: time, to one", 1.8, results[NOW].time_ratio(two)),
        at_most(
            "two processes: the main one's share of the CPU",
            0.1,
            max(run.main / run.cpu for run in two.runs),
            "{:.0%}",
        ),
    ]


def lines(scale: Scale, folder: Path) -> Report:
    """The same organization's records as one file of JSON Lines."""
    corpus = apart(cached, write_lines, scale.ordinary)
    ours = {name: scan(corpus.root, version=it) for name, it in versions(scale).items()}
    results = compare({**ours, **scripts(corpus.root)}, corpus, scale, folder / "home")
    budgets = budgets_against("one file of lines", STDLIB, results, 1.3, 2.5)
    return replace(tools_report("One file of lines", corpus, results), budgets=budgets)


def small(scale: Scale, folder: Path) -> Report:
    """Many small trail files, as of quiet regions."""
    corpus = apart(cached, write_trail, scale.small)
    ours = {name: scan(corpus.root, version=it) for name, it in versions(scale).items()}
    results = compare({**ours, **scripts(corpus.root)}, corpus, scale, folder / "home")
    rates = {name: corpus.files / it.cpu for name, it in results.items()}
    budgets = [
        at_least(
            "small files: files a second of CPU",
            5_000,
            rates[NOW],
            "{:,.0f}",
            before=rates.get(BEFORE),
        )
    ]
    return replace(tools_report("Many small files", corpus, results), budgets=budgets)
