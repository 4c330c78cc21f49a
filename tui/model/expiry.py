"""Parse the time at which a suppression expires."""

from __future__ import annotations

import re

from detector.text.time import parse_interval, parse_time

_LONGEST = 366 * 86_400


def parse_expiry(text: str, now: float) -> float:
    """Parse an expiry, such as ``8h`` from now or a time in UTC; return epoch seconds.

    Raises ValueError with one line for any other text, for the past, and for more than 366 days
    ahead, because nothing may be hidden for ever.
    """
    typed = text.strip().lower()
    if re.fullmatch(r"\d{4}-\d\d-\d\d(?:[t ]\d\d:\d\d(?::\d\d)?z?)?", typed):
        end = _moment(typed)
    else:
        try:
            end = now + parse_interval(typed)
        except ValueError:
            raise ValueError(
                "Enter a duration (8h, 7d, 2w) or a date such as 2026-04-01."
            ) from None
    if end <= now:
        raise ValueError("End must be in the future.")
    if end - now > _LONGEST:
        raise ValueError("At most one year: choose an earlier end and extend it later.")
    return end


def _moment(typed: str) -> float:
    day, _, clock = typed.replace("t", " ").rstrip("z").partition(" ")
    clock = clock or "00:00:00"
    seconds = parse_time(f"{day}T{clock if clock.count(':') == 2 else clock + ':00'}Z")
    if seconds is None:
        raise ValueError(f"Invalid time: {typed}.")
    return seconds
