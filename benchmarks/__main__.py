"""The command ``python -m benchmarks [--quick] [NAME ...]``.

Corpora are made in a temporary folder, measured over, and ratios printed.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks.app import app
from benchmarks.day import day
from benchmarks.hits import hits
from benchmarks.latency import latency
from benchmarks.lists import lists
from benchmarks.loading import loading
from benchmarks.memory import memory
from benchmarks.pivots import pivots
from benchmarks.principals import principals
from benchmarks.report import Budget, Report, budget_table
from benchmarks.rules import rules
from benchmarks.scale import FULL, QUICK, Scale
from benchmarks.spark import spark
from benchmarks.stages import stages
from benchmarks.startup import startup
from benchmarks.state import state
from benchmarks.storm import storm
from benchmarks.throughput import lines, ordinary, small
from benchmarks.tree import tree
from benchmarks.wire import wire
from benchmarks.workbench import workbench

BENCHMARKS: dict[str, Callable[[Scale, Path], Report]] = {
    it.__name__: it
    for it in (
        startup,
        ordinary,
        lines,
        hits,
        storm,
        small,
        rules,
        loading,
        stages,
        memory,
        state,
        pivots,
        principals,
        latency,
        tree,
        day,
        spark,
        app,
        lists,
        wire,
        workbench,
    )
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog="; ".join(f"{name}: {it.__doc__}" for name, it in BENCHMARKS.items()),
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"{', '.join(BENCHMARKS)} (default: all)"
    )
    parser.add_argument(
        "--quick", action="store_true", help="small corpora and few runs: minutes, not hours"
    )
    parser.add_argument(
        "--before",
        metavar="COMMAND",
        default="",
        help="also measure an earlier version: 'DIR/.venv/bin/python -m tui.cli'",
    )
    given = parser.parse_args(arguments)
    unknown = set(given.names) - set(BENCHMARKS)
    if unknown:
        parser.error(
            f"no benchmark {', '.join(sorted(unknown))}: choose from {', '.join(BENCHMARKS)}"
        )
    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # as with Ctrl-C: processes and files are cleaned up
    try:
        before = shlex.split(given.before)
        if before:  # run it elsewhere: in this folder Python would import this version
            before = ["env", "--chdir=/", *before]
        scale = replace(QUICK if given.quick else FULL, before=tuple(before))
        return run(given.names or list(BENCHMARKS), scale)
    except KeyboardInterrupt:
        print("\ninterrupted: what was found until then stands above", file=sys.stderr)
        return 1


def run(names: list[str], scale: Scale) -> int:
    """Run benchmarks and print their reports; return 1 if any failed."""
    print(_machine(), flush=True)
    budgets: list[Budget] = []
    status = 0
    for name in names:
        with tempfile.TemporaryDirectory(prefix="trailhound-benchmarks-") as folder:
            try:
                report = BENCHMARKS[name](scale, Path(folder))
            except Exception as error:  # a failure ends only this benchmark
                print(f"\n{name}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
                status = 1
                continue
        print(report, flush=True)
        budgets += report.budgets
    if budgets:
        print(budget_table(budgets))
    return status


def _machine() -> str:
    load = os.getloadavg()[0]
    busy = f"; busy: load {load:.1f} before anything was measured" if load > 0.5 else ""
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}{busy}"
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
