"""Which clock the screens go by: UTC, the analyst's own, or none, but how long ago things were.

It is kept once for the process, which has one analyst in front of it; ``tui.presentation.format`` writes by it. Exports, names of
files and the headless commands always say UTC.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

Mode = Literal["UTC", "local", "relative"]
MODES: tuple[Mode, ...] = ("UTC", "local", "relative")

mode: Mode = "UTC"
now: Callable[[], float] = time.time
"""Epoch seconds that what is relative counts from."""


def use(wanted: Mode, clock: Callable[[], float] | None = None) -> None:
    """Say times this way from now on, on screens that are drawn after it; ``clock`` gives epoch
    seconds."""
    global mode, now
    mode, now = wanted, clock or now


def following() -> Mode:
    """The mode after this one, the first after the last."""
    return MODES[(MODES.index(mode) + 1) % len(MODES)]


def heading() -> str:
    """The title of a column of times, which says how they are meant."""
    return {"UTC": "time (UTC)", "local": "time (local)", "relative": "how long ago"}[mode]


def at(seconds: float) -> datetime:
    """The moment on the clock that is gone by; on that of UTC where times are relative."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.astimezone() if mode == "local" else moment


def zone(moment: datetime) -> str:
    """What is written after a time: ``Z``, ``+01:00``."""
    return "Z" if moment.tzinfo is UTC else moment.isoformat()[-6:]
