"""Whole scans: trailhound, other tools, and the floor."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.corpus import Corpus, write_lines, write_trail
from benchmarks.process import HOME, PYTHON, TRAILHOUND, Measured, Run, apart, measure
from benchmarks.report import Budget, Report, at_least, at_most, unmeasured
from benchmarks.rule import REFERENCE
from benchmarks.scale import Scale

_ONE, _TWO = "trailhound scan --jobs 1", "trailhound scan --jobs 2"
_STDLIB, _ORJSON = "Python, gzip + json", "Python, isal + orjson"
_DUCKDB, _OBJECTS = "DuckDB read_json, typed", "DuckDB read_json_objects"
_JQ = "jq"
_ISAL, _ZLIB, _READ = "isal alone", "zlib alone", "reading alone"
_FLOORS = {_ISAL, _ZLIB, _READ}
"""What finds nothing, and only says what cannot be undercut."""


class Disagreement(RuntimeError):
    """A tool that gave another answer than it should."""


def large(scale: Scale, folder: Path) -> Report:
    """Few large trail files, as of a busy region."""
    corpus = apart(write_trail, folder / "large", scale.large)
    measured = _compare(corpus, scale, folder)
    one, rate = measured[_ONE], corpus.records / measured[_ONE].seconds
    return _report(
        "Large files",
        corpus,
        measured,
        [
            at_least("large files: records/s, one process", 300_000, rate, "{:,.0f}"),
            at_least("large files: against Python, gzip + json", 3.5, measured[_STDLIB].ratio(one)),
            _against_duckdb("large files", 10, measured),
            at_most("large files: time over isal alone", 2.5, one.ratio(measured[_ISAL])),
            at_least("large files: two processes against one", 1.8, one.ratio(measured[_TWO])),
        ],
    )


def small(scale: Scale, folder: Path) -> Report:
    """Many small trail files, as of quiet regions."""
    corpus = apart(write_trail, folder / "small", scale.small)
    measured = _compare(corpus, scale, folder)
    rate = corpus.files / measured[_ONE].seconds
    return _report(
        "Many small files",
        corpus,
        measured,
        [
            at_least("small files: files/s, one process", 4_000, rate, "{:,.0f}"),
        ],
    )


def lines(scale: Scale, folder: Path) -> Report:
    """One large file of JSON Lines, as of an export."""
    corpus = apart(write_lines, folder / "lines", scale.lines)
    measured = _compare(corpus, scale, folder)
    return _report("One file of JSON Lines", corpus, measured, [])


def scan(root: Path, jobs: int = 1) -> list[str]:
    return [*TRAILHOUND, "scan", str(root), "--format", "jsonl", "--jobs", str(jobs)]


def _compare(corpus: Corpus, scale: Scale, folder: Path) -> dict[str, Measured]:
    """Measure all installed tools, trailhound with all rules.

    Raises Disagreement.
    """
    results = measure(_commands(corpus), scale.rounds, folder / "home")
    for name, measured in results.items():
        for run in measured.runs:
            if name not in _FLOORS and alerts_found(run) != corpus.alerts:
                raise Disagreement(
                    f"{name} found {alerts_found(run):,} alerts where {corpus.alerts:,} were "
                    "planted"
                )
            if name in (_ONE, _TWO):
                check_accounting(run, corpus)
    return results


def alerts_found(run: Run) -> int:
    """Count alerts of the reference rule in a tool's output."""
    return sum(
        not line.startswith("{") or json.loads(line)["rule"]["id"] == REFERENCE
        for line in run.output
    )


def check_accounting(run: Run, corpus: Corpus) -> None:
    """Nothing that was written may have been lost. Raises Disagreement."""
    if f"{corpus.records:,} seen = {corpus.records:,} kept" not in run.narration:
        said = next(
            (line for line in run.narration.splitlines() if line.startswith("records ")), "nothing"
        )
        raise Disagreement(f"trailhound was given {corpus.records:,} records and says: {said}")


def _commands(corpus: Corpus) -> dict[str, Sequence[str]]:
    root = str(corpus.root)
    commands: dict[str, Sequence[str]] = {
        _ONE: scan(corpus.root),
        _TWO: scan(corpus.root, jobs=2),
        _STDLIB: _tool("gzip_json", root),
        _ORJSON: _tool("isal_orjson", root),
    }
    if has_duckdb():
        commands[_DUCKDB] = _tool("duckdb_sql", "typed", root)
        if not corpus.lines:
            commands[_OBJECTS] = _tool("duckdb_sql", "objects", root)
    if shutil.which("jq"):
        rule = HOME / "benchmarks/tools/alerts.jq"
        commands[_JQ] = [
            "sh",
            "-c",
            'find "$1" -type f -print0 | xargs -0 gzip -dcf | jq -nr -f "$2"',
            "sh",
            root,
            str(rule),
        ]
    if corpus.lines:
        return commands | {_READ: _tool("unpack", "plain", root)}
    return commands | {_ISAL: _tool("unpack", "isal", root), _ZLIB: _tool("unpack", "zlib", root)}


def _tool(name: str, *args: str) -> Sequence[str]:
    return [PYTHON, "-m", f"benchmarks.tools.{name}", *args]


def has_duckdb() -> bool:
    return importlib.util.find_spec("duckdb") is not None


def _against_duckdb(corpus: str, limit: float, measured: Mapping[str, Measured]) -> Budget:
    what = f"{corpus}: against DuckDB read_json"
    if _DUCKDB not in measured:
        return unmeasured(what, "duckdb is not installed")
    return at_least(what, limit, measured[_DUCKDB].ratio(measured[_ONE]))


def _report(
    title: str, corpus: Corpus, measured: Mapping[str, Measured], budgets: Sequence[Budget]
) -> Report:
    columns: dict[str, Callable[[Measured], str]] = {
        "time": lambda it: f"{it.seconds:.2f} s",
        "to trailhound": lambda it: f"{it.ratio(measured[_ONE]):.2f}×",
        "records/s": lambda it: f"{corpus.records / it.seconds / 1e3:,.0f} k",
        "files/s": lambda it: f"{corpus.files / it.seconds:,.0f}",
        "JSON": lambda it: f"{corpus.json / it.seconds / 1e6:,.0f} MB/s",
        "CPU": lambda it: f"{it.cpu:.2f} s",
        "peak RSS": lambda it: f"{it.rss / 1e6:,.0f} MB",
    }
    rows = [
        ("", *columns),
        *((name, *(cell(it) for cell in columns.values())) for name, it in measured.items()),
    ]
    floors = ", ".join(name for name in measured if name in _FLOORS)
    remarks = [
        f"Planted alerts, found by every tool: {corpus.alerts:,}. The floor, which finds "
        f"nothing: {floors}."
    ]
    if not has_duckdb():
        remarks.append("DuckDB is not installed: pip install -e '.[bench]'")
    if _JQ not in measured:
        remarks.append("jq is not on the path.")
    return Report(f"{title}: {corpus}", rows, remarks, budgets)
