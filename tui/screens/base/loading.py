"""A screen whose content is put together off the event loop: one time after the other, as the picture changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from detector.store import StateError
from tui.concurrency.worker import work
from tui.screens.base.screen import HuntScreen

T = TypeVar("T")


class GatheredScreen(HuntScreen, Generic[T]):
    """``gathering`` gives the work, which runs in a thread and may raise StateError; ``gathered``
    shows its result."""

    def __init__(self) -> None:
        super().__init__()
        self._gathering = self._again = False

    def gathering(self) -> Callable[[], T]:
        raise NotImplementedError

    def gathered(self, found: T) -> None:
        raise NotImplementedError

    def show(self) -> None:
        if self._gathering:
            self._again = True
        else:
            self._gathering = True
            self._gather()

    @work(group="gather")
    async def _gather(self) -> None:
        try:
            self.gathered(await asyncio.to_thread(self.gathering()))
        except StateError as error:
            self.workspace.say(str(error), severity="error")
        finally:
            self._gathering = False
        if self._again:
            self._again = False
            self.show()
