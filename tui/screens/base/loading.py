"""Screens whose content is loaded in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from detector.store import StateError
from tui.concurrency.worker import work
from tui.screens.base.screen import HuntScreen

T = TypeVar("T")


class LoadingScreen(HuntScreen, Generic[T]):
    """A screen that reloads its content whenever the view model changes."""

    def __init__(self) -> None:
        super().__init__()
        self._is_loading = False
        self._load_again = False

    def loader(self) -> Callable[[], T]:
        """Return the function that loads the content in a thread; it may raise StateError."""
        raise NotImplementedError

    def show_content(self, content: T) -> None:
        """Show the content."""
        raise NotImplementedError

    def show(self) -> None:
        if self._is_loading:
            self._load_again = True
        else:
            self._is_loading = True
            self._load()

    @work(group="gather")
    async def _load(self) -> None:
        try:
            self.show_content(await asyncio.to_thread(self.loader()))
        except StateError as error:
            self.workspace.say(str(error), severity="error")
        finally:
            self._is_loading = False
        if self._load_again:
            self._load_again = False
            self.show()
