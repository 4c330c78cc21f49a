"""The right to ingest: one process has it at a time, and it ends with that process."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path

from detector.store.lock_file import find_holder, take_lock

_TRIES = 3
"""How often the lock is tried: a process that only asks who holds it has it for a moment."""


class IngestLock:
    """The lock beside the state, which the system releases with its holder.

    ``state`` is the path of the state; None: a temporary one, of which nobody else knows.
    """

    def __init__(self, state: Path | None) -> None:
        self._state = state
        self._release: contextlib.ExitStack | None = None
        self._mutex = threading.Lock()

    def take(self) -> bool:
        """Take the lock, unless another process has it. Raises StateError."""
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
        """Return the other process that has the lock; None where there is none."""
        if self._state is None or self._release is not None:
            return None
        return find_holder(self._state)

    def release(self) -> None:
        """Let another process ingest. Releasing twice is allowed."""
        with self._mutex:
            if self._release is not None:
                self._release.close()
                self._release = None
