"""The trail as it comes in: files land in a folder in the order and the bursts in which CloudTrail delivers them."""

from __future__ import annotations

import math
import threading
import time
from pathlib import Path

from detector.simulate.organization import START, digest
from detector.simulate.trail import Delivery, deliveries

SPEED = 150.0
"""Seconds of the trail in a second: three hours in about 75 seconds, the first sweep in the first second."""


def replay(root: Path, stop: threading.Event, speed: float = SPEED) -> None:
    """Writes the trail below ``root``, ``speed`` times as fast as life, until it is all there or ``stop`` is set.

    What was there before the simulated day is there at once.

    Blocks; to be called in a thread, which has to have ended before ``root`` is removed.
    """
    began, first = time.monotonic(), None
    for delivery in deliveries():
        if first is None and delivery.at >= START:
            first = delivery.at
        due = began + (delivery.at - (first or delivery.at)) / speed
        if stop.wait(max(0.0, due - time.monotonic())):
            return
        land(root, delivery)


def write(root: Path) -> None:
    """The whole trail below ``root`` at once."""
    replay(root, threading.Event(), math.inf)


def land(root: Path, delivery: Delivery) -> None:
    """Puts a file in its place as ``aws s3 sync`` does: under a temporary name beside it, then renamed."""
    path = root / delivery.path
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{digest(delivery.path)[:8]}")
    partial.write_bytes(delivery.data)
    partial.replace(path)
