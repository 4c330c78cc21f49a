"""Wait until an app is at rest, judging by its event loop and not by a clock."""

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
"""How long to wait for work in threads. Longer work may never end; a test must wait for its result
explicitly."""

_SLICE_SECONDS = 0.002


class _Selector(selectors.DefaultSelector):
    """A selector that resolves the ``waiting`` futures when the loop has nothing left to run."""

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
        """The app's unfinished work in threads."""
        self.is_hurried = False
        """Whether key presses do not wait for the app to be at rest."""
        self.is_drawn = True
        """Whether the screen is unchanged since it was last drawn."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:
        work = super().run_in_executor(executor, func, *args)
        self.working.add(work)
        work.add_done_callback(self.working.discard)
        return work

    async def rest(self) -> int:
        """Wait until nothing is left to run; return how many turns of the loop that took."""
        before, future = self._selector.turns, self.create_future()
        self._selector.waiting.append(future)
        await future
        return self._selector.turns - before


_NOTHING = 3
"""Maximum number of turns of a rest during which no work was done."""


_draw = Screen._compositor_refresh


def _draw_at_rest(screen: Screen[Any]) -> None:
    """Skip drawing between a key press and the rest after it.

    A layout causes several intermediate drawings that nobody sees; they take a third of a
    journey's time."""
    loop, app = asyncio.get_running_loop(), screen.app
    if screen is not app.screen:
        _draw(screen)
        return
    assert isinstance(loop, _Loop)
    loop.is_drawn = False
    screen._dirty_widgets.clear()


async def _rest(*_seconds: float) -> None:
    """Replace Textual's wait, which sleeps until the process uses little CPU time."""
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
            # Do the layout now that the timer would do within the next 1/60 s.
            app.screen._on_timer_update()
        if await loop.rest() > _NOTHING:
            continue
        reading = sum(
            worker.group == "ingest" and worker.is_running for worker in app.workers
        )  # ingest never ends
        if loop.time() > end or len(loop.working) <= reading:
            return
        await asyncio.sleep(_SLICE_SECONDS)


@contextmanager
def hurried() -> Iterator[None]:
    """Within the block, press keys without waiting for the app, as a fast typist does."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, _Loop):  # the app runs by the clock
        yield
        return
    loop.is_hurried = True
    try:
        yield
    finally:
        loop.is_hurried = False


def run(journey: Coroutine[Any, Any, None]) -> None:
    """Run a keyboard journey, in place of ``asyncio.run``."""
    with (
        patch("textual.app.wait_for_idle", _rest),
        patch("textual.pilot.wait_for_idle", _rest),
        patch.object(Screen, "_compositor_refresh", _draw_at_rest),
        asyncio.Runner(loop_factory=_Loop) as runner,
    ):
        runner.run(journey)
