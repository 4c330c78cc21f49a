"""The right to ingest: one process at a time holds it, at the longest until that process ends."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path

from detector.store.lock_file import find_holder, take_lock

_TRIES = 3
"""How often to try the lock, since a process that only asks for the holder takes it briefly."""


class IngestLock:
    """The lock file next to the state; the system releases the lock when its holder ends.

    ``state`` is the path of the state; None for a temporary state, which no other process opens.
    """

    def __init__(self, state: Path | None) -> None:
        self._state = state
        self._release: contextlib.ExitStack | None = None
        self._mutex = threading.Lock()

    def take(self) -> bool:
        """Take the lock; return False if another process holds it. Raises StateError."""
        with self._mutex:
            if self._state is None or self._release is not None:
                return True
            for _ in range(_TRIES):
                with contextlib.ExitStack() as cleanup:
                    if take_lock(self._state, cleanup) is None:
                        self._release = cleanup.pop_all()
                        return True
                time.sleep(0.01)
            return False

    def holder(self) -> str | None:
        """Return the other process that holds the lock; None if there is none."""
        if self._state is None or self._release is not None:
            return None
        return find_holder(self._state)

    def release(self) -> None:
        """Let another process ingest. Releasing twice is allowed."""
        with self._mutex:
            if self._release is not None:
                self._release.close()
                self._release = None
