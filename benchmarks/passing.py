"""The app on a tree to which another process adds files."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import time
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

from textual.pilot import Pilot

from benchmarks.app import SIZE
from benchmarks.corpus import Plan, compress
from benchmarks.day import PARTS, Part, Passed, day_files, files_of
from benchmarks.process import peak, resident
from benchmarks.rule import REFERENCE
from benchmarks.stopwatch import TimedApp
from benchmarks.tree import Lost
from benchmarks.writers import WRITERS
from detector.ingest.pipeline import Pipeline
from detector.rules.ruleset import load
from detector.sources.directory import Directory
from detector.store import Store

_AHEAD = 1_000
"""Maximum number of files written but not yet read: those of an hour and a half."""
_TICK = 0.02
_PATIENCE = 120.0
"""Seconds without a file being read after which the missing files count as lost."""


async def passing(root: Path, state: Path, plan: Plan) -> Passed:
    """Run the app while a day is written below ``root``, a new folder. Raises Lost."""
    root.mkdir()
    rules, store = load(), Store.open(state)
    app = TimedApp(store, rules, Pipeline(store, rules, Directory([root])))
    context = multiprocessing.get_context("spawn")
    read = context.Value("q", 0)
    writing = context.Process(target=_write, args=(root, plan, read))
    parts: list[Part] = []
    seconds = cpu = 0.0

    async def hand(_: Pilot[object]) -> None:
        nonlocal seconds, cpu
        try:
            await _until(app, 0, read)
            parts.append(_part(app, state))
            begun, cpu_before = time.perf_counter(), time.process_time()
            writing.start()
            for number in range(1, PARTS + 1):
                await _until(app, files_of(plan) * number // PARTS, read)
                parts.append(_part(app, state))
            seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu_before
        finally:
            app.exit()

    try:
        await app.run_async(size=SIZE, auto_pilot=hand)
    finally:
        if writing.is_alive():
            writing.kill()
    store.close()
    if len(parts) <= PARTS:
        raise Lost(
            app.view_model.error
            or f"the app ended when {len(parts) - 1} of {PARTS} parts of the day were read"
        )
    return Passed(parts, peak(os.getpid()), seconds, cpu)


async def _until(app: TimedApp, files: int, read: Synchronized[int]) -> None:
    """Wait until ``files`` files are read and the app is up to date.

    Raises Lost.
    """
    since = time.monotonic()
    while not app.done(
        lambda: (
            app.is_open
            and app.view_model.live
            and app.view_model.accounting is not None
            and app.view_model.accounting.files_read >= files
        )
    ):
        await asyncio.sleep(_TICK)
        sums = app.view_model.accounting if app.is_open else None
        if sums is not None and sums.files_read != read.value:
            read.value, since = sums.files_read, time.monotonic()
        if time.monotonic() - since > _PATIENCE:
            raise Lost(
                f"{read.value:,} files were read, and no further one within {_PATIENCE:.0f} s"
            )


def _part(app: TimedApp, state: Path) -> Part:
    sums, alerts = app.view_model.accounting, app.view_model.alerts.values()
    assert sums is not None
    size = sum(path.stat().st_size for path in state.parent.glob(f"{state.name}*"))
    return Part(
        sums, sum(alert.rule.id == REFERENCE for alert in alerts), len(alerts), resident(), size
    )


def _write(root: Path, plan: Plan, read: Synchronized[int]) -> None:
    """Write the day by renames, waiting when the reader falls behind."""
    for number, (path, document) in enumerate(day_files(plan)):
        while number - read.value >= _AHEAD:
            time.sleep(_TICK)
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        WRITERS["aws s3 sync"](root / path, compress(document))
