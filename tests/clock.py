"""A clock that only a test moves."""

from __future__ import annotations


class Clock:
    """Epoch seconds: ``now``, plus ``step`` for each time that it is asked."""

    def __init__(self, now: float, step: float = 0.0) -> None:
        self.now = now
        self._step = step

    def __call__(self) -> float:
        self.now += self._step
        return self.now
