"""The app on a large tree into which files are renamed."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

from textual.pilot import Pilot

from benchmarks.app import SIZE
from benchmarks.corpus import compress, sweep, trail_document
from benchmarks.latency import Renamed
from benchmarks.rule import WINDOW
from benchmarks.terminal import DrawnApp
from benchmarks.writers import WRITERS
from detector.ingest.pipeline import Pipeline, Update
from detector.rules.ruleset import RuleSet, load
from detector.simulate.organization import REGIONS, START
from detector.sources.directory import Directory
from detector.store import Store
from tui.widgets.row_list import RowList

_FIRST = 10_000
"""The number of the first sweep renamed into the tree; sweeps already there have smaller ones."""
_PATIENCE = 30.0
"""Seconds after which a file counts as overlooked."""
_TICK = 0.05


class Overlooked(RuntimeError):
    """A file renamed into the tree caused no alert."""


async def renames(root: Path, state: Path, count: int) -> list[Renamed]:
    """Rename ``count`` files into ``root``, once everything in it was read.

    Raises Overlooked.
    """
    folder = next(path for path in root.rglob("*.json.gz")).parent
    rules, store, pauses = load(), Store.open(state), Random("pauses")
    pipeline = _Timed(store, rules, root)
    app = _WatchedApp(store, rules, pipeline)
    renamed: list[Renamed] = []

    async def hand(_: Pilot[object]) -> None:
        try:
            while not app.is_open or not (app.view_model.live or app.view_model.error):
                await asyncio.sleep(_TICK)
            app.screen.query_one(RowList).follow_top = True  # the newest alert is in sight
            for number in range(_FIRST, _FIRST + count):
                await asyncio.sleep(
                    pauses.uniform(0.1, 2.5)
                )  # anywhere between two sweeps of the tree
                renamed.append(
                    await app.time_rename(partial(_rename, folder, number), _user(number))
                )
        finally:
            app.exit()

    await app.run_async(size=SIZE, auto_pilot=hand)
    store.close()
    if len(renamed) < count:
        raise Overlooked(
            app.view_model.error
            or f"no alert of {_user(_FIRST + len(renamed))} on the screen within "
            f"{_PATIENCE:.0f} s of its file's rename"
        )
    return renamed


def _user(number: int) -> str:
    return f"sweep-{number:06d}"


def _rename(folder: Path, number: int) -> None:
    """Make a file with one sweep appear as ``aws s3 sync`` does."""
    name = f"111122223333_CloudTrail_us-east-1_20260301T2355Z_{number:016x}.json.gz"
    swept = sweep(number, START + WINDOW * number, REGIONS)
    records = [record for _, record in swept.values()]
    WRITERS["aws s3 sync"](folder / name, compress(trail_document(records)))


class _Timed(Pipeline):
    """A pipeline that records when it first published an alert of each user."""

    def __init__(self, store: Store, rules: RuleSet, root: Path) -> None:
        super().__init__(store, rules, Directory([root]))
        self.published: dict[str, float] = {}

    def run(self, stop: threading.Event, publish: Callable[[Update], None]) -> None:
        def noted(update: Update) -> None:
            for alert in update.alerts:
                self.published.setdefault(alert.principal.rpartition("/")[2], time.perf_counter())
            publish(update)

        super().run(stop, noted)


class _WatchedApp(DrawnApp):
    """An app that records when a text first appeared on the terminal."""

    _sought = ""
    _painted: asyncio.Event

    def __init__(self, store: Store, rules: RuleSet, pipeline: _Timed) -> None:
        super().__init__(store, rules, pipeline)
        self._timed = pipeline

    async def time_rename(self, rename: Callable[[], None], user: str) -> Renamed:
        self._sought, self._painted = user, asyncio.Event()
        rename()
        begun = time.perf_counter()
        await asyncio.wait_for(self._painted.wait(), _PATIENCE)
        painted = time.perf_counter()
        return Renamed(self._timed.published[user] - begun, painted - begun)

    def written(self, text: str) -> None:  # noqa: ARG002
        if self._sought and any(self._sought in line for line in self._renderer.text()):
            self._painted.set()
