"""Key presses while alerts arrive, with many alerts already in memory."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot

from benchmarks.app import SIZE, Pressed
from benchmarks.stopwatch import TICK, TimedApp, lateness
from benchmarks.synthetic_rows import alerts
from detector.ingest.pipeline import Pipeline, Update
from detector.rules.ruleset import RuleSet, load
from detector.sources.directory import Directory
from detector.sources.source import Source
from detector.store import Store

_PAUSE = 0.05
"""Seconds from a paint to the next key."""
_IDLE_KEYS = 40
_SETTLE = 5.0
"""Seconds in which the list of the alerts in memory is built."""
_BATCH = 2_000
_TURN = 10
"""Key presses in one direction before turning, so that the cursor always moves."""


async def press(folder: Path, count: int, records: int) -> tuple[Pressed, Pressed]:
    """Press keys while nothing arrives, then while sweeps are read.

    ``count`` alerts are in memory from the start. ``folder/arriving`` is read until all ``records``
    records are.
    """
    rules, store = load(), Store.open(folder / "app.db")
    watched = folder / "watched"
    watched.mkdir()
    app = TimedApp(store, rules, Holding(store, rules, Directory([watched]), count))
    phases: list[Pressed] = []

    async def hand(_: Pilot[object]) -> None:
        try:
            while not app.done(
                lambda: app.is_open and app.view_model.live and len(app.view_model.alerts) == count
            ):
                await asyncio.sleep(TICK)
            await asyncio.sleep(_SETTLE)
            phases.append(await _pressed(app, lambda pressed: pressed >= _IDLE_KEYS))
            (folder / "arriving").rename(watched / "arriving")
            phases.append(
                await _pressed(app, lambda _: app.view_model.live and app.records == records)
            )
        finally:
            app.exit()

    await app.run_async(size=SIZE, auto_pilot=hand)
    store.close()
    if len(phases) < 2:
        raise RuntimeError(f"the app ended early: {app.view_model.error or 'see above'}")
    return phases[0], phases[1]


async def _pressed(app: TimedApp, enough: Callable[[int], bool]) -> Pressed:
    keys: list[float] = []
    begun = time.perf_counter()
    async with lateness() as gaps:
        while not app.done(lambda: enough(len(keys))):
            keys.append(await app.time_key("j" if len(keys) // _TURN % 2 == 0 else "k"))
            await asyncio.sleep(_PAUSE)
    return Pressed(keys, gaps, time.perf_counter() - begun)


class Holding(Pipeline):
    """A pipeline that starts with ``count`` alerts for which nothing was read."""

    def __init__(self, store: Store, rules: RuleSet, source: Source, count: int) -> None:
        super().__init__(store, rules, source)
        self._accounts_store, self._count = store, count

    def run(self, stop: threading.Event, publish: Callable[[Update], None]) -> None:
        for first in range(0, self._count, _BATCH):
            batch = tuple(alerts(first, min(_BATCH, self._count - first)))
            publish(Update(batch, (), self._accounts_store.files.accounting(), False, None, ()))
        super().run(stop, publish)
