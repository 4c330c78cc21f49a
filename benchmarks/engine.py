"""Scans by trailhound, by an earlier version of it, and by scripts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.corpus import Corpus
from benchmarks.process import PYTHON, TRAILHOUND, Measured, Run, measure
from benchmarks.report import Budget, Report, at_least
from benchmarks.rule import REFERENCE
from benchmarks.scale import Scale
from detector.formats.native import cut

NOW, IN_PYTHON, BEFORE = "trailhound", "trailhound, no native cut", "trailhound before"
STDLIB, ORJSON, UNPACK = "Python, gzip + json", "Python, isal + orjson", "isal alone"


class Disagreement(RuntimeError):
    """A tool gave a wrong answer."""


def versions(scale: Scale) -> dict[str, Sequence[str]]:
    """Return trailhound's command by version, and one without the native cut if it is built."""
    commands: dict[str, Sequence[str]] = {NOW: TRAILHOUND}
    if cut.is_available():
        commands[IN_PYTHON] = ["env", "TRAILHOUND_NATIVE=0", *TRAILHOUND]
    if scale.before:
        commands[BEFORE] = scale.before
    return commands


def scan(root: Path, *options: str, version: Sequence[str] = TRAILHOUND) -> list[str]:
    """Return the command of a scan, with one process unless ``options`` override it."""
    return [*version, "scan", str(root), "--format", "jsonl", "--jobs", "1", *options]


def scripts(root: Path) -> dict[str, Sequence[str]]:
    """Return the commands of the scripts that evaluate the reference rule."""
    return {STDLIB: _tool("gzip_json", root), ORJSON: _tool("isal_orjson", root)}


def unpacking(root: Path) -> dict[str, Sequence[str]]:
    """Return the command that only decompresses, the lower bound for every reader."""
    return {UNPACK: _tool("unpack", root)}


def _tool(name: str, root: Path) -> Sequence[str]:
    return [PYTHON, "-m", f"benchmarks.tools.{name}", str(root)]


def compare(
    commands: Mapping[str, Sequence[str]], corpus: Corpus, scale: Scale, home: Path
) -> dict[str, Measured]:
    """Measure commands over a corpus; each of them must find its alerts.

    Raises Disagreement.
    """
    results = measure(commands, scale.rounds, home)
    for name, measured in results.items():
        for run in measured.runs:
            if name != UNPACK and alerts_found(run) != corpus.alerts:
                raise Disagreement(
                    f"{name} found {alerts_found(run):,} alerts where {corpus.alerts:,} were "
                    "planted"
                )
            if commands[name][: len(TRAILHOUND)] == [*TRAILHOUND]:
                check_accounting(run, corpus)
    return results


def alerts_found(run: Run) -> int:
    """Count the reference rule's alerts in a tool's output."""
    return sum(
        not line.startswith("{") or json.loads(line)["rule"]["id"] == REFERENCE
        for line in run.output
    )


def check_accounting(run: Run, corpus: Corpus) -> None:
    """Check that no record was lost. Raises Disagreement."""
    all_read = f"{corpus.records:,} seen = {corpus.records:,} "
    # An earlier version reports records read as "kept".
    if not any(all_read + word in run.narration for word in ("read", "kept")):
        said = next(
            (line for line in run.narration.splitlines() if line.startswith("records ")), "nothing"
        )
        raise Disagreement(f"trailhound was given {corpus.records:,} records and says: {said}")


def ratio(results: Mapping[str, Measured], tool: str, version: str = NOW) -> float | None:
    """Return a tool's CPU time relative to that of a trailhound version."""
    return results[tool].ratio(results[version]) if version in results else None


def budgets_against(
    what: str, tool: str, results: Mapping[str, Measured], limit: float, native_limit: float
) -> list[Budget]:
    """Return the budgets of trailhound's speed to a script, without and with native cut."""
    version = IN_PYTHON if IN_PYTHON in results else NOW
    title = f"{what}: to {tool.removeprefix('Python, ')}"
    speed, before = ratio(results, tool, version), ratio(results, tool, BEFORE)
    assert speed is not None
    budgets = [at_least(title, limit, speed, before=before)]
    native = ratio(results, tool)
    if version == IN_PYTHON and native is not None:
        budgets.append(at_least(f"{title}, with the native cut", native_limit, native))
    return budgets


def tools_report(title: str, corpus: Corpus, results: Mapping[str, Measured]) -> Report:
    """Return the table of each tool's times and memory."""
    rows = [("", "user CPU", "to trailhound", "per record", "user + system", "time", "peak RSS")]
    rows += [
        (
            name,
            f"{it.user:.2f} s",
            f"{it.ratio(results[NOW]):.2f}×",
            f"{it.user / corpus.records * 1e6:.2f} µs",
            f"{it.cpu:.2f} s",
            f"{it.seconds:.2f} s",
            f"{it.rss / 1e6:,.0f} MB",
        )
        for name, it in results.items()
    ]
    return Report(f"{title}: {corpus}", rows, [f"Planted alerts, all found: {corpus.alerts:,}."])
