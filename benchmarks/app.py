"""Time to first paint of the app, and from key press to paint during a backlog."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import pty
import select
import subprocess
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.corpus import write_sweeps
from benchmarks.process import HOME, PYTHON, TRAILHOUND, apart, environment, run
from benchmarks.report import Budget, Report, at_most
from benchmarks.scale import Scale

SIZE = (160, 48)
_TITLE = "› Alerts".encode()
"""Text on the first screen that nothing before it contains."""
_PATIENCE = 30.0


@dataclass(frozen=True)
class Pressed:
    """Seconds from each key press to its paint, and delays of the event loop.

    ``gaps`` are the seconds by which the event loop was late, at each check.
    """

    keys: list[float]
    gaps: list[float]
    seconds: float


def app(scale: Scale, folder: Path) -> Report:
    """Measure first paint, and key to paint while alerts arrive."""
    if importlib.util.find_spec("tui.app.app") is None:
        return Report("App", [("The app is not there yet: nothing was measured.",)])
    arriving = apart(write_sweeps, folder / "arriving", scale.arriving)
    bare, first = _first_paint(scale, folder)
    idle, busy = apart(_press, folder, scale.alerts_held, arriving.records)
    rows = [
        ("", "median", "p95", "slowest", "times"),
        row("first paint, whole process in a terminal", first),
        row("  to python -c pass", [seconds / bare for seconds in first], "{:.1f}×", 1),
        row(f"key to paint, {scale.alerts_held:,} alerts held, nothing arrives", idle.keys),
        row(f"key to paint, {arriving.alerts:,} alerts arrive", busy.keys),
        row("event loop late, nothing arrives", idle.gaps),
        row(f"event loop late, {arriving.alerts:,} alerts arrive", busy.gaps),
    ]
    return Report(
        "App",
        rows,
        [
            f"{arriving.alerts:,} alerts of {arriving.records:,} records arrived within "
            f"{busy.seconds:.1f} s."
        ],
        _budgets(first, busy, scale.alerts_held),
    )


def _budgets(first: Sequence[float], busy: Pressed, count: int) -> list[Budget]:
    return [
        at_most("first paint", 500, median(first) * 1e3, "{:.0f} ms"),
        at_most(
            f"key to paint, backlog, {count:,} alerts held: p95",
            50,
            p95(busy.keys) * 1e3,
            "{:.0f} ms",
        ),
        at_most("longest gap of the event loop meanwhile", 100, max(busy.gaps) * 1e3, "{:.0f} ms"),
    ]


def row(
    name: str, values: Sequence[float], form: str = "{:.0f} ms", factor: float = 1e3
) -> tuple[str, ...]:
    shown = (form.format(value * factor) for value in (median(values), p95(values), max(values)))
    return name, *shown, f"{len(values):,}"


def p95(values: Sequence[float]) -> float:
    """The value that 95 of 100 values do not exceed."""
    return sorted(values)[int(0.95 * (len(values) - 1))]


def _first_paint(scale: Scale, folder: Path) -> tuple[float, list[float]]:
    """Time bare Python, and the first screen with an empty state."""
    home = folder / "home"
    (folder / "empty").mkdir()
    _paint(folder, home)  # warm-up: compiles the byte code
    runs = [
        (run([PYTHON, "-c", "pass"], home).seconds, _paint(folder, home))
        for _ in range(2 * scale.rounds)
    ]
    return median(bare for bare, _ in runs), [first for _, first in runs]


def _paint(folder: Path, home: Path) -> float:
    screen, terminal = pty.openpty()
    termios.tcsetwinsize(screen, SIZE[::-1])
    begun = time.perf_counter()
    process = subprocess.Popen(
        [*TRAILHOUND, str(folder / "empty"), "--db", str(folder / "paint.db")],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        cwd=HOME,
        env=environment(home) | {"TERM": "xterm-256color", "COLORTERM": "truecolor"},
    )
    os.close(terminal)
    try:
        return _wait_for(_TITLE, screen) - begun
    finally:
        process.kill()
        process.wait()
        os.close(screen)


def _wait_for(text: bytes, screen: int) -> float:
    seen = b""
    while text not in seen:
        if not select.select([screen], [], [], _PATIENCE)[0]:
            raise RuntimeError(f"no first screen within {_PATIENCE:.0f} s")
        seen += os.read(screen, 1 << 16)
    return time.perf_counter()


def _press(folder: Path, count: int, records: int) -> tuple[Pressed, Pressed]:
    from benchmarks.keys import press

    return asyncio.run(press(folder, count, records))
