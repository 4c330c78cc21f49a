"""Messages from the thread that reads the events of a pivot."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from textual.message import Message

from detector.investigation.pivot import EventRow, Progress


class RowsRead(Message):
    """Rows read since the last message of a search.

    The search is identified by its stop event.
    """

    def __init__(
        self,
        stop: threading.Event,
        rows: Sequence[tuple[str, EventRow]],
        progress: Progress,
        done: bool,
    ) -> None:
        super().__init__()
        self.stop_event = stop
        self.rows = rows
        self.progress = progress
        self.done = done


class ReadFailed(Message):
    """The search could not read the store."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason
