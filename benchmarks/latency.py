"""A file is renamed into a watched tree: how long until its alert is published, committed and ready to be drawn."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

from benchmarks.corpus import packed, sweep, trail_document, write_trail
from benchmarks.process import apart
from benchmarks.report import Report, at_most
from benchmarks.rule import WINDOW
from benchmarks.scale import Scale
from detector.simulate.organization import START

_FIRST = 10_000
"""The number of the first sweep that is renamed into the tree; those that lie there have smaller ones."""
_PATIENCE = 30.0
"""Seconds after which a file counts as overlooked."""


class Overlooked(RuntimeError):
    """A file that was renamed into the tree gave no alert."""


def latency(scale: Scale, folder: Path) -> Report:
    """From rename to published alert, with a state on disk, as the app and tail have it."""
    corpus = apart(write_trail, folder / "watched", scale.watched)
    took = sorted(apart(_renames, corpus.root, folder / "latency.db", scale.renames))
    rows = [("", "p50", "p90", "p99", "slowest"),
            (f"{len(took)} renames", *(f"{_percentile(took, share) * 1e3:.0f} ms" for share in (0.5, 0.9, 0.99, 1)))]
    return Report(f"Latency: a tree of {corpus.files:,} files, already read", rows, [
        "Until Pipeline.run publishes; the app then draws within its quarter of a second between two batches.",
    ], [at_most(f"rename to published alert, {corpus.files:,} files: p99", 1000, _percentile(took, 0.99) * 1e3,
                "{:.0f} ms")])


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _renames(root: Path, state: Path, count: int) -> list[float]:
    """Seconds from each rename to the update that holds its alert. Raises Overlooked."""
    from detector.pipeline import Pipeline, Update
    from detector.rules import load
    from detector.sources.directory import Directory
    from detector.store import Store

    live, stop = threading.Event(), threading.Event()
    news = threading.Condition()
    published: dict[str, float] = {}
    """When each user's alert was published first."""

    def publish(update: Update) -> None:
        now = time.perf_counter()
        with news:
            for alert in update.alerts:
                published.setdefault(alert.principal.rpartition("/")[2], now)
            news.notify_all()
        if update.live:
            live.set()

    def rename(number: int) -> float:
        renamed = _rename(folder, number)
        user = f"sweep-{number:06d}"
        with news:
            if not news.wait_for(lambda: user in published, _PATIENCE):
                raise Overlooked(f"no alert of {user} within {_PATIENCE:.0f} s of its file's rename")
            return published[user] - renamed

    folder = next(path for path in root.rglob("*.json.gz")).parent
    pauses = Random("pauses")
    store = Store.open(state)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(Pipeline(store, load(), Directory([root])).run, stop, publish)
        reading.add_done_callback(lambda _: live.set())  # if it fails, nobody waits for it
        try:
            live.wait()
            took = []
            for number in range(_FIRST, _FIRST + count):
                time.sleep(pauses.uniform(0.1, 2.5))  # anywhere between two sweeps of the tree
                took.append(rename(number))
            return took
        finally:
            stop.set()
            reading.result()
            store.close()


def _rename(folder: Path, number: int) -> float:
    """Let a file with one sweep appear as aws s3 sync does; when it did."""
    name = f"111122223333_CloudTrail_us-east-1_20260301T2355Z_{number:016x}.json.gz"
    partial = folder / f"{name}.1a2B3c4D"
    partial.write_bytes(packed(trail_document(sweep(number, START + WINDOW * number).values())))
    renamed = time.perf_counter()
    partial.rename(folder / name)
    return renamed
