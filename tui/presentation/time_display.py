"""Which clock the screens go by: UTC, the analyst's own, or none, but how long ago things were.

It is kept once for the process, which has one analyst in front of it; ``tui.presentation.format`` writes by it. Exports, names of
files and the headless commands always say UTC.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

TimeMode = Literal["UTC", "local", "relative"]
TIME_MODES: tuple[TimeMode, ...] = ("UTC", "local", "relative")

mode: TimeMode = "UTC"
now: Callable[[], float] = time.time
"""Epoch seconds that what is relative counts from."""


def set_mode(wanted: TimeMode, clock: Callable[[], float] | None = None) -> None:
    """Say times this way from now on, on screens that are drawn after it; ``clock`` gives epoch
    seconds."""
    global mode, now
    mode, now = wanted, clock or now


def next_mode() -> TimeMode:
    """The mode after this one, the first after the last."""
    return TIME_MODES[(TIME_MODES.index(mode) + 1) % len(TIME_MODES)]


def column_title() -> str:
    """The title of a column of times, which says how they are meant."""
    return {"UTC": "time (UTC)", "local": "time (local)", "relative": "how long ago"}[mode]


def datetime_at(seconds: float) -> datetime:
    """The moment on the clock that is gone by; on that of UTC where times are relative."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.astimezone() if mode == "local" else moment


def zone_suffix(moment: datetime) -> str:
    """What is written after a time: ``Z``, ``+01:00``."""
    return "Z" if moment.tzinfo is UTC else moment.isoformat()[-6:]
