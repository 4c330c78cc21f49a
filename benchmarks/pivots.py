"""Time of pivots to their first and last row."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.corpus import write_trail
from benchmarks.process import HOME, TRAILHOUND, apart, environment, own_cpu, run
from benchmarks.report import Report, at_most
from benchmarks.scale import Scale


class PivotRun(NamedTuple):
    """Times of a command that prints rows as it finds them."""

    first: float
    """Seconds until the first row."""
    first_cpu: float
    """CPU seconds until the first row, which are independent of other programs' load."""
    all: float
    rows: int
    said: str
    """The last line on standard error: how much was read."""


def pivots(scale: Scale, folder: Path) -> Report:
    """Measure a pivot of half an hour to its first row."""
    corpus = apart(write_trail, folder / "trail", scale.pivot)
    home, state = folder / "home", folder / "hunt.db"
    alerts = run(
        [*TRAILHOUND, "scan", str(corpus.root), "--db", str(state), "--format", "jsonl"], home
    ).output
    principals = {
        "one that swept and did nothing else": _alert(alerts, fewest=True),
        "the busiest that an alert is about": _alert(alerts, fewest=False),
    }
    rows = [("", "first row", "all", "rows", "read")]
    budgets = []
    for who, (arn, around) in principals.items():
        for where, files in {
            "with a state": ["--db", str(state)],
            "raw logs": [str(corpus.root)],
        }.items():
            command = [
                *TRAILHOUND,
                "pivot",
                "--principal",
                arn,
                "--around",
                around,
                "--format",
                "jsonl",
                *files,
            ]
            pivots_run = [ask(command, home) for _ in range(scale.rounds)]
            first = median(each.first for each in pivots_run)
            rows.append(
                (
                    f"{who}, {where}",
                    f"{first:.2f} s",
                    f"{median(each.all for each in pivots_run):.2f} s",
                    f"{pivots_run[0].rows:,}",
                    pivots_run[0].said.partition(" in ")[2],
                )
            )
            budgets.append(at_most(f"pivot, {where}: first row of {who}", 2, first, "{:.2f} s"))
    hours = scale.pivot.periods * 5 / 60
    return Report(f"Pivots over {hours:.1f} hours, {corpus}", rows, budgets=budgets)


def _alert(alerts: Sequence[str], fewest: bool) -> tuple[str, str]:
    """Choose an alert by its amount of other activity; return its principal and time."""
    ordered = sorted(
        (json.loads(line) for line in alerts),
        key=lambda alert: (sum(flag["count"] for flag in alert["flags"]), alert["alert_id"]),
    )
    ordered = [alert for alert in ordered if alert["key"].get("aws.cloudtrail.user_identity.arn")]
    alert = ordered[0] if fewest else ordered[-1]
    return alert["key"]["aws.cloudtrail.user_identity.arn"], alert["first_event"]


def ask(command: Sequence[str], home: Path) -> PivotRun:
    """Time a command that prints rows as it finds them."""
    begun = time.perf_counter()
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=HOME,
        env=environment(home),
        text=True,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        line = process.stdout.readline()
        first = time.perf_counter() - begun
        first_cpu = own_cpu(process.pid)
        rest = process.stdout.readlines()
        said = process.stderr.read().strip().rpartition("\n")[2]
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: {said}")
    return PivotRun(first, first_cpu, time.perf_counter() - begun, bool(line) + len(rest), said)
