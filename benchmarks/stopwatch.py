"""The app with a stopwatch for key presses and its event loop."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from benchmarks.terminal import DrawnApp
from tui.widgets.row_list import RowList

TICK = 0.01
_PATIENCE = 10.0
_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
"""Codes that move the terminal's own cursor or set colours; alone, they paint nothing."""


@asynccontextmanager
async def lateness() -> AsyncIterator[list[float]]:
    """Yield a list of the seconds by which each tick of the event loop was late."""
    late: list[float] = []
    watching = asyncio.create_task(_watch(late))
    try:
        await asyncio.sleep(0)  # let the watch start before anything else
        yield late
        while not late:
            await asyncio.sleep(TICK)
    finally:
        watching.cancel()


async def _watch(late: list[float]) -> None:
    while True:
        begun = time.perf_counter()
        await asyncio.sleep(TICK)
        late.append(time.perf_counter() - begun - TICK)


class TimedApp(DrawnApp):
    """An app that records when a key's effect was written to the terminal."""

    _from: str | None = None
    _painted: asyncio.Event | None = None

    def done(self, reached: Callable[[], bool]) -> bool:
        """Return ``reached()``; raise RuntimeError if reading has stopped with an error."""
        if self.is_open and self.view_model.error:
            raise RuntimeError(self.view_model.error)
        return reached()

    @property
    def records(self) -> int:
        return self.view_model.accounting.records_seen if self.view_model.accounting else 0

    async def time_key(self, key: str) -> float:
        """Press ``key``, which moves the cursor; return the seconds until that is painted."""
        self._from, self._painted = self._cursor(), asyncio.Event()
        begun = time.perf_counter()
        self.simulate_key(key)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._painted.wait(), _PATIENCE)
        return time.perf_counter() - begun

    def written(self, text: str) -> None:
        if self._painted is not None and _CODES.sub("", text) and self._cursor() != self._from:
            self._painted.set()

    def _cursor(self) -> str | None:
        return self.screen.query_one(RowList).cursor_key
