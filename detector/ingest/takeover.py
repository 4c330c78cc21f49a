"""Taking over the ingest from a process that has ended."""

from __future__ import annotations

import threading
from collections.abc import Callable

from detector.store import IngestHeld, Store

TAKE_OVER_EVERY = 1.0
"""Seconds between attempts, so that an abandoned ingest is taken over within a few seconds."""


def await_ingest(store: Store, stop: threading.Event, waiting: Callable[[str], None]) -> bool:
    """Wait until this process may ingest; return False if ``stop`` is set first.

    ``waiting`` is called once with each process that holds the ingest. Raises StateError.
    """
    named = ""
    while not stop.is_set():
        try:
            store.take_ingest()
        except IngestHeld:
            holder = store.holder or named
            if holder != named:
                waiting(holder)
                named = holder
        else:
            return True
        stop.wait(TAKE_OVER_EVERY)
    return False
