"""Messages from the thread that opens the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from tui.model.opened import Opened


class StoreOpened(Message):
    """The store and the rules are open."""

    def __init__(self, opened: Opened) -> None:
        super().__init__()
        self.opened = opened


class OpeningFailed(Message):
    """The store or the rules could not be opened."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error
