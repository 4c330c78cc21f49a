"""How the screens write times: UTC, local or relative.

The mode is global to the process, because one analyst uses it; ``tui.presentation.format`` reads
it. Exports, file names and the commands always write UTC.
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
"""Returns the epoch seconds from which relative times count."""


def set_mode(new_mode: TimeMode, clock: Callable[[], float] | None = None) -> None:
    """Set how times are written from the next drawing on.

    ``clock`` returns epoch seconds; None keeps the current clock.
    """
    global mode, now
    mode, now = new_mode, clock or now


def next_mode() -> TimeMode:
    """Return the mode after the current one; the last is followed by the first."""
    return TIME_MODES[(TIME_MODES.index(mode) + 1) % len(TIME_MODES)]


def column_title() -> str:
    """Return the title of a column of times, which names the mode."""
    return {"UTC": "time (UTC)", "local": "time (local)", "relative": "how long ago"}[mode]


def datetime_at(seconds: float) -> datetime:
    """Convert epoch seconds to the zone shown, local or UTC."""
    moment = datetime.fromtimestamp(seconds, UTC)
    if mode == "local":
        return moment.astimezone()
    return moment


def is_repeated(moment: datetime) -> bool:
    """Return whether local clocks show the time of ``moment`` twice, as summer time ends."""
    if moment.tzinfo is UTC:
        return False
    clock = moment.replace(tzinfo=None)
    first, second = clock.replace(fold=0).astimezone(), clock.replace(fold=1).astimezone()
    return first.utcoffset() != second.utcoffset()


def repeated_offset(moment: datetime) -> str:
    """Write ``+02`` (or ``+1030``) after a time that local clocks show twice, else ``""``."""
    return moment.strftime("%z").removesuffix("00") if is_repeated(moment) else ""


def zone_suffix(moment: datetime) -> str:
    """Return the zone to write after a time: ``Z`` or ``+01:00``."""
    return "Z" if moment.tzinfo is UTC else moment.isoformat()[-6:]
