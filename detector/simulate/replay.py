"""The trail as it comes in: files land in a folder in the order and the bursts in which CloudTrail delivers them."""

from __future__ import annotations

import math
import threading
import time
from pathlib import Path

from detector.simulate.organization import START, digest
from detector.simulate.trail import Delivery, deliveries

SPEED = 150.0
"""Seconds of the trail in a second: three hours in about 75 seconds, the first sweep in the first
second."""


class TrailClock:
    """What time it is, in seconds since the epoch, where the trail is: ``speed`` times as fast as
    life until all of it has come, then as fast as life. It stands until the trail begins to
    come."""

    def __init__(self, speed: float = SPEED) -> None:
        self._speed = speed
        self._began: float | None = None
        self._first = self._last = START

    def start(self, first: int, last: int) -> None:
        """The trail comes, from ``first`` to ``last``."""
        self._first, self._last = first, last
        self._began = time.monotonic()

    def __call__(self) -> float:
        if self._began is None:
            return self._first
        now = self._first + (time.monotonic() - self._began) * self._speed
        return now if now < self._last else self._last + (now - self._last) / self._speed

    def until(self, moment: int) -> float:
        """Seconds of life until a moment of the trail. Once it has begun."""
        assert self._began is not None
        return max(0.0, (moment - self._first) / self._speed - (time.monotonic() - self._began))


def replay(root: Path, stop: threading.Event, clock: TrailClock) -> None:
    """Writes the trail below ``root`` as ``clock`` goes, until it is all there or ``stop`` is set.

    What was there before the simulated day is there at once.

    Blocks; to be called in a thread, which has to have ended before ``root`` is removed.
    """
    trail = list(deliveries())
    clock.start(next(delivery.at for delivery in trail if delivery.at >= START), trail[-1].at)
    for delivery in trail:
        if stop.wait(clock.until(delivery.at)):
            return
        land(root, delivery)


def write(root: Path) -> None:
    """The whole trail below ``root`` at once."""
    replay(root, threading.Event(), TrailClock(math.inf))


def land(root: Path, delivery: Delivery) -> None:
    """Puts a file in its place as ``aws s3 sync`` does: under a temporary name beside it, then
    renamed."""
    path = root / delivery.path
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{digest(delivery.path)[:8]}")
    partial.write_bytes(delivery.data)
    partial.replace(path)
