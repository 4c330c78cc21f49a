"""Handle the signals that tell a command to end."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Within the block, let SIGTERM raise KeyboardInterrupt, as ctrl+c does."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python handles signals only in the main thread
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def stop_on_signals(stop: threading.Event, *signals: signal.Signals) -> None:
    """Set ``stop`` when one of ``signals`` arrives.

    The signal may interrupt the main thread while it holds the event's own lock, so another thread
    sets the event.
    """
    for each in signals:
        signal.signal(each, lambda *_: threading.Thread(target=stop.set).start())


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    raise KeyboardInterrupt
