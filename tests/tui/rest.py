"""Wait until an app is at rest, as its event loop tells, not a clock."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from textual._context import active_app
from textual.app import App
from textual.screen import Screen

_PATIENCE_SECONDS = 0.25
"""How long a rest waits for work in threads; what takes longer may never end, and the test says
what it waits for."""

_SLICE_SECONDS = 0.002


class _Selector(selectors.DefaultSelector):
    """The loop asks it to wait when nothing is left to run."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = 0
        self.waiting: list[asyncio.Future[None]] = []

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.turns += 1
        if not self.waiting or (timeout is not None and timeout <= 0):
            return super().select(timeout)
        ready = super().select(0)
        if not ready:
            for future in self.waiting:
                if not future.done():
                    future.set_result(None)
            self.waiting.clear()
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._selector = _Selector()
        super().__init__(self._selector)
        self.working: set[asyncio.Future[Any]] = set()
        """What threads compute for the app."""
        self.is_hurried = False
        """Nothing waits for a rest."""
        self.is_drawn = True
        """Nothing has changed on screen since it was drawn."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:
        work = super().run_in_executor(executor, func, *args)
        self.working.add(work)
        work.add_done_callback(self.working.discard)
        return work

    async def rest(self) -> int:
        """Wait until nothing is left to run; how many turns of the loop that took."""
        before, future = self._selector.turns, self.create_future()
        self._selector.waiting.append(future)
        await future
        return self._selector.turns - before


_NOTHING = 3
"""Turns of a rest before which nothing was to be done."""


_draw = Screen._compositor_refresh


def _draw_at_rest(screen: Screen[Any]) -> None:
    """In place of drawing each step between a key and the rest after it.

    A layout calls for several, which take a third of a journey, and nobody sees them."""
    loop, app = asyncio.get_running_loop(), screen.app
    if screen is not app.screen:
        _draw(screen)
        return
    assert isinstance(loop, _Loop)
    loop.is_drawn = False
    screen._dirty_widgets.clear()


async def _rest(*_seconds: float) -> None:
    """In place of Textual's wait, which sleeps until the process computes little."""
    loop, app = asyncio.get_running_loop(), active_app.get()
    assert isinstance(loop, _Loop)
    if loop.is_hurried:
        return
    await _settle(loop, app)
    if not loop.is_drawn and app._screen_stack:
        loop.is_drawn = True
        _draw(app.screen)


async def _settle(loop: _Loop, app: App[Any]) -> None:
    """Wait until nothing is left to run or to lay out."""
    end = loop.time() + _PATIENCE_SECONDS
    while True:
        await loop.rest()
        if app._screen_stack:
            # Lay out now what would be laid out at the next sixtieth of a second.
            app.screen._on_timer_update()
        if await loop.rest() > _NOTHING:
            continue
        reading = sum(
            worker.group == "ingest" and worker.is_running for worker in app.workers
        )  # which never ends
        if loop.time() > end or len(loop.working) <= reading:
            return
        await asyncio.sleep(_SLICE_SECONDS)


@contextmanager
def hurried() -> Iterator[None]:
    """Press keys before the app is at rest, as who types a text does."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, _Loop):  # by the clock
        yield
        return
    loop.is_hurried = True
    try:
        yield
    finally:
        loop.is_hurried = False


def run(journey: Coroutine[Any, Any, None]) -> None:
    """What ``asyncio.run`` does, for a journey by keyboard."""
    with (
        patch("textual.app.wait_for_idle", _rest),
        patch("textual.pilot.wait_for_idle", _rest),
        patch.object(Screen, "_compositor_refresh", _draw_at_rest),
        asyncio.Runner(loop_factory=_Loop) as runner,
    ):
        runner.run(journey)
