"""What other threads tell the app, and what the app tells its screens. Every message is immutable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from tui.model.opened import Opened


class IsOpen(Message):
    """What the app works on is there."""

    def __init__(self, opened: Opened) -> None:
        super().__init__()
        self.opened = opened


class NotOpened(Message):
    """It could not be opened."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class Arrived(Message):
    """The pipeline's worker has put something into the inbox."""


class IngestStopped(Message):
    """The pipeline's worker ended on an error; ``reason`` is one line."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason
