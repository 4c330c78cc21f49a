"""Deliver the trail live, in CloudTrail's order and bursts."""

from __future__ import annotations

import math
import threading
import time
from pathlib import Path

from detector.simulate.organization import START, digest
from detector.simulate.trail import Delivery, deliveries

SPEED = 150.0
"""Seconds of the trail per real second: three hours take about 75 seconds."""


class TrailClock:
    """The clock of the trail, in seconds since the epoch.

    It runs ``speed`` times as fast as real time until the whole trail has been delivered, then at
    real time. Before the first delivery it stands still.
    """

    def __init__(self, speed: float = SPEED) -> None:
        self._speed = speed
        self._began: float | None = None
        self._first = self._last = START

    def start(self, first: int, last: int) -> None:
        """Start the clock of a trail that lasts from ``first`` to ``last``, in epoch seconds."""
        self._first, self._last = first, last
        self._began = time.monotonic()

    def __call__(self) -> float:
        if self._began is None:
            return self._first
        now = self._first + (time.monotonic() - self._began) * self._speed
        return now if now < self._last else self._last + (now - self._last) / self._speed

    def until(self, moment: int) -> float:
        """Return the real seconds until a time of the trail; the clock must have been started."""
        assert self._began is not None
        return max(0.0, (moment - self._first) / self._speed - (time.monotonic() - self._began))


def replay(root: Path, stop: threading.Event, clock: TrailClock) -> None:
    """Write the trail below ``root`` as ``clock`` runs, until done or ``stop``.

    Files of earlier days are written at once. It blocks: call it in a thread, which must have ended
    before ``root`` is removed.
    """
    trail = list(deliveries())
    clock.start(next(delivery.time for delivery in trail if delivery.time >= START), trail[-1].time)
    for delivery in trail:
        if stop.wait(clock.until(delivery.time)):
            return
        land(root, delivery)


def write(root: Path) -> None:
    """Write the whole trail below ``root`` at once."""
    replay(root, threading.Event(), TrailClock(math.inf))


def land(root: Path, delivery: Delivery) -> None:
    """Write a delivered file under a temporary name and rename it, as ``aws s3 sync`` does."""
    path = root / delivery.path
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{digest(delivery.path)[:8]}")
    partial.write_bytes(delivery.data)
    partial.replace(path)
