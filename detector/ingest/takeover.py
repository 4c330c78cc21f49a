"""The taking over of ingest from a process that is gone."""

from __future__ import annotations

import threading
from collections.abc import Callable

from detector.store import IngestHeld, Store

TAKE_OVER_EVERY = 1.0
"""Seconds between two tries: an ingest that nobody does is taken over within a few."""


def await_ingest(store: Store, stop: threading.Event, waiting: Callable[[str], None]) -> bool:
    """Wait until this process may ingest; False where ``stop`` was set before.

    ``waiting`` is called with the process that ingests, once for each. Raises StateError.
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
