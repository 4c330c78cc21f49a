"""The app with a stopwatch: it draws as on a terminal, for nobody, and keys are pressed while alerts arrive."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from textual.pilot import Pilot

from benchmarks.app import SIZE, Pressed
from benchmarks.terminal import DrawnApp
from detector.pipeline import Pipeline
from detector.rules import load
from detector.sources.directory import Directory
from detector.store import Store
from tui.widgets.row_list import RowList

_PATIENCE = 10.0
_PAUSE = 0.05
"""Seconds from one paint to the next key."""
_TICK = 0.01
_IDLE_KEYS = 40
_TURN = 10
"""Keys in one direction, so that the cursor always moves."""


async def press(folder: Path, records: int) -> tuple[Pressed, Pressed]:
    """Press keys while nothing arrives, then while ``folder/arriving`` is read, until all ``records`` are.

    The state is filled from ``folder/held`` first.
    """
    rules, store = load(), Store.open(folder / "app.db")
    Pipeline(store, rules, Directory([folder / "held"]), jobs=1).scan(lambda _: None)
    watched = folder / "watched"
    watched.mkdir()
    app = _TimedApp(store, rules, Pipeline(store, rules, Directory([watched])))
    found: list[Pressed] = []

    async def hand(_: Pilot[object]) -> None:
        try:
            held = len(store.alerts())
            while not app.done(lambda: app.is_open and app.picture.live and len(app.picture.alerts) == held):
                await asyncio.sleep(_TICK)
            found.append(await _pressed(app, lambda pressed: pressed >= _IDLE_KEYS))
            (folder / "arriving").rename(watched / "arriving")
            found.append(await _pressed(app, lambda _: app.picture.live and app.records == records))
        finally:
            app.exit()

    await app.run_async(size=SIZE, auto_pilot=hand)
    store.close()
    if len(found) < 2:
        raise RuntimeError(f"the app ended early: {app.picture.error or 'see above'}")
    return found[0], found[1]


async def _pressed(app: _TimedApp, enough: Callable[[int], bool]) -> Pressed:
    gaps: list[float] = []
    keys: list[float] = []
    begun = time.perf_counter()
    watching = asyncio.create_task(_watch(gaps))
    while not app.done(lambda: enough(len(keys))):
        keys.append(await app.time_key("j" if len(keys) // _TURN % 2 == 0 else "k"))
        await asyncio.sleep(_PAUSE)
    watching.cancel()
    return Pressed(keys, gaps, time.perf_counter() - begun)


async def _watch(gaps: list[float]) -> None:
    """How much later than it should each tick comes."""
    while True:
        begun = time.perf_counter()
        await asyncio.sleep(_TICK)
        gaps.append(time.perf_counter() - begun - _TICK)


class _TimedApp(DrawnApp):
    """Knows when what a key has changed was written to the terminal."""

    _from: str | None = None
    _painted: asyncio.Event | None = None

    def done(self, reached: Callable[[], bool]) -> bool:
        """Whether what is waited for is there; once reading has stopped, it never will be."""
        if self.is_open and self.picture.error:
            raise RuntimeError(self.picture.error)
        return reached()

    @property
    def records(self) -> int:
        return self.picture.accounting.records_seen if self.picture.accounting else 0

    async def time_key(self, key: str) -> float:
        """Press ``key``, which moves the cursor: seconds until that is painted."""
        self._from, self._painted = self._cursor(), asyncio.Event()
        begun = time.perf_counter()
        self.simulate_key(key)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._painted.wait(), _PATIENCE)
        return time.perf_counter() - begun

    def written(self, text: str) -> None:  # noqa: ARG002
        if self._painted is not None and self._cursor() != self._from:
            self._painted.set()

    def _cursor(self) -> str | None:
        return self.screen.query_one(RowList).cursor_key
