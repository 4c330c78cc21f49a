"""A tree that grows while it is watched; no file may be lost."""

from __future__ import annotations

import multiprocessing
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

from benchmarks.corpus import Plan, compress, sweeps_before, trail_files
from benchmarks.process import apart
from benchmarks.report import Report
from benchmarks.rule import REFERENCE
from benchmarks.scale import Scale
from benchmarks.writers import WRITERS
from detector.sources.accounting import Accounting

_PATIENCE = 60.0
"""Seconds without news, once the last file was written, after which files count as lost."""


class Lost(RuntimeError):
    """Files or alerts were written but not found."""


@dataclass(frozen=True)
class WatchedTree:
    """The result of watching a tree.

    ``written`` and ``read`` are seconds until the last file was written, and until it was
    committed.
    """

    sums: Accounting
    alerts: int
    written: float
    read: float
    cpu: float
    backlog: int
    """Maximum number of files that were written but not yet read."""


def tree(scale: Scale, folder: Path) -> Report:
    """Watch a tree that copying tools write to."""
    plan, folders = scale.appearing, scale.folders
    result = apart(_watch, folder / "tree", folder / "tree.db", plan, folders)
    _check(result, plan)
    rows = [
        ("", "files", "time", "files/s", "CPU"),
        (
            "written",
            f"{plan.files:,}",
            f"{result.written:.1f} s",
            f"{plan.files / result.written:,.0f}",
            "",
        ),
        (
            "read and committed",
            f"{result.sums.files_read:,}",
            f"{result.read:.1f} s",
            f"{plan.files / result.read:,.0f}",
            f"{result.cpu:.1f} s",
        ),
    ]
    return Report(
        f"A growing tree: {plan.files:,} files in {folders:,} folders, by {', '.join(WRITERS)}",
        rows,
        [
            f"All files read and no other, {result.sums.records_seen:,} records, all "
            f"{result.alerts:,} planted alerts found. "
            f"At most {result.backlog:,} files lay written and not yet read."
        ],
    )


def _check(result: WatchedTree, plan: Plan) -> None:
    """Raise Lost unless everything written was found."""
    sums = result.sums
    if (sums.files_read, sums.files_found) != (plan.files, plan.files):
        raise Lost(
            f"{plan.files:,} files were written, {sums.files_read:,} of {sums.files_found:,} "
            "found were read"
        )
    if (sums.records_seen, sums.records_read) != (plan.records, plan.records):
        raise Lost(
            f"{plan.records:,} records were written, {sums.records_read:,} of "
            f"{sums.records_seen:,} were kept"
        )
    planted = sweeps_before(plan.records)
    if result.alerts != planted:
        raise Lost(f"{planted:,} alerts were planted, {result.alerts:,} found")


def _watch(root: Path, state: Path, plan: Plan, folders: int) -> WatchedTree:
    """Watch ``root`` while another process writes files into it."""
    from detector.ingest.pipeline import Pipeline, Update
    from detector.rules.ruleset import load
    from detector.sources.directory import Directory
    from detector.store import Store

    root.mkdir()
    store, stop, updated = Store.open(state), threading.Event(), threading.Event()
    context = multiprocessing.get_context("spawn")
    count = context.Value("q", 0)
    writing = context.Process(target=_write, args=(root, plan, folders, count))
    sums, backlog, written = Accounting(), 0, 0.0

    def publish(update: Update) -> None:
        nonlocal sums, backlog, written
        sums = update.accounting
        backlog = max(backlog, count.value - sums.files_read)
        if not written and count.value == plan.files:
            written = time.perf_counter() - begun
        updated.set()

    with ThreadPoolExecutor(1) as pool:
        writing.start()
        while not count.value and writing.is_alive():
            time.sleep(0.01)  # until the writer has started up
        begun, cpu = time.perf_counter(), time.process_time()
        reading = pool.submit(Pipeline(store, load(), Directory([root])).run, stop, publish)
        reading.add_done_callback(lambda _: updated.set())  # if it fails, stop waiting
        try:
            while (
                sums.files_read < plan.files
                and not reading.done()
                and (updated.wait(_PATIENCE) or writing.is_alive())
            ):
                updated.clear()
            read, cpu = time.perf_counter() - begun, time.process_time() - cpu
        finally:
            stop.set()
            writing.join()
            reading.result()
        alerts = sum(alert.rule.id == REFERENCE for alert in store.alerts.all())
        result = WatchedTree(store.files.accounting(), alerts, written, read, cpu, backlog)
        store.close()
        return result


def _write(root: Path, plan: Plan, folders: int, count: Synchronized[int]) -> None:
    """Write the trail's files in turn into all folders, by all tools."""
    files = zip(trail_files(plan), cycle(WRITERS.values()), strict=False)
    for number, ((path, document), write) in enumerate(files):
        folder = root / f"{number % folders % 50:02}" / f"{number % folders:04}"
        folder.mkdir(parents=True, exist_ok=True)
        write(folder / path.name, compress(document))
        count.value += 1
