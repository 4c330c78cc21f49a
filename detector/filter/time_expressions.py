"""Times as they are written in a filter, each a span: a day is all of it, 11:30 the whole minute. UTC.

They are read at a reference, the newest record or the clock: ``now`` is the reference, ``today`` its day, and a time of
day the last one that is not after it.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from detector.text.suggest import nearest

DAY = 86_400
UNITS = {"s": 1, "m": 60, "h": 3600, "d": DAY, "w": 7 * DAY}

KEYWORDS = {"since": ">=", "after": ">", "before": "<", "until": "<="}
"""What stands before a time, and the comparison that it means."""

INTERVAL = re.compile(r"([0-9]{1,5})([smhdw])", re.IGNORECASE)
_OFFSET = re.compile(rf"now(?:([+-]){INTERVAL.pattern})?", re.IGNORECASE)
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?Z?", re.IGNORECASE)
_DATE = re.compile(
    r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?)?)?)?Z?",
    re.IGNORECASE,
)
_DAYS = {"today": 0, "yesterday": 1}

_ALONE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:]+)?Z?", re.IGNORECASE)


class TimeError(ValueError):
    """What is written is no time: one line that says so."""


@dataclass(frozen=True)
class Span:
    """``[start, end)`` in epoch seconds. ``moves``: it is another one at another reference."""

    start: float
    end: float
    moves: bool = False


ALWAYS = Span(float("-inf"), float("inf"))


def reads_as_time(word: str) -> bool:
    """Whether ``word`` is meant as a time with no field before it: a day, a span of days or of
    times of day."""
    low, dots, high = word.partition("..")
    if dots and _CLOCK.fullmatch(low) and _CLOCK.fullmatch(high):
        return True
    ends = [end for end in (low, high) if end]
    return bool(ends) and all(_ALONE.fullmatch(end) or end.casefold() in _DAYS for end in ends)


def span_of(text: str, at: float) -> Span:
    """What ``text`` means at the reference ``at``. Raises TimeError."""
    try:
        return _span_of(text.strip(), at)
    except (ValueError, OverflowError):
        raise TimeError(
            f"{text} is no time: write it like 11:30, yesterday, 2026-03-01, 2026-03-01T11:30 "
            f"or now-2h{nearest(text, _DAYS)}"
        ) from None


def between(low: str, high: str, at: float) -> Span:
    """From the start of ``low`` to the end of ``high``; either may be empty. Raises TimeError."""
    first = span_of(low, at) if low else ALWAYS
    last = span_of(high, at) if high else ALWAYS
    if low and _CLOCK.fullmatch(high):
        start = (
            first.start + (last.start - first.start) % DAY
        )  # the first such time after the first end
        last = Span(start, start + last.end - last.start)
    if last.end <= first.start:
        raise TimeError(f"{low}..{high} ends before it begins")
    return Span(first.start, last.end, first.moves or last.moves)


def compared(operator: str, span: Span) -> Span:
    """The times that stand so to ``span``: ``:`` and ``=`` in it, ``>=`` from its start on, ``>``
    after its end."""
    start = {":": span.start, "=": span.start, ">=": span.start, ">": span.end}.get(
        operator, ALWAYS.start
    )
    end = {":": span.end, "=": span.end, "<": span.start, "<=": span.end}.get(operator, ALWAYS.end)
    return Span(start, end, span.moves)


def said(span: Span) -> str:
    """``since 2026-03-01 10:38:05Z``, ``before …``, or from when to when."""
    if span.end == ALWAYS.end:
        return f"since {_text(span.start)}"
    if span.start == ALWAYS.start:
        return f"before {_text(span.end)}"
    return f"{_text(span.start)[:-1]}–{_text(span.end)}"


def _text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _span_of(text: str, at: float) -> Span:
    if found := _OFFSET.fullmatch(text):
        sign, number, unit = found.groups()
        shift = int(number) * UNITS[unit.lower()] if number else 0
        start = _in_calendar(int(at) + (-shift if sign == "-" else shift))
        return Span(start, start + 1, True)
    if text.casefold() in _DAYS:
        midnight = int(at) // DAY * DAY - _DAYS[text.casefold()] * DAY
        return Span(midnight, midnight + DAY, True)
    if found := _CLOCK.fullmatch(text):
        hour, minute, second = found.groups()
        start = int(at) // DAY * DAY + _seconds(hour, minute, second or "0")
        start -= DAY if start > at else 0
        return Span(start, start + (1 if second else 60), True)
    if found := _DATE.fullmatch(text):
        return _date(*found.groups())
    raise ValueError(text)


def _date(
    year: str,
    month: str | None,
    day: str | None,
    hour: str | None,
    minute: str | None,
    second: str | None,
) -> Span:
    """The year, month, day, minute or second that is written."""
    first = datetime(int(year), int(month or 1), int(day or 1), tzinfo=UTC)
    start = calendar.timegm(first.timetuple())
    if hour is not None and minute is not None:
        start += _seconds(hour, minute, second or "0")
        return Span(start, start + (1 if second else 60))
    days = (
        1
        if day
        else calendar.monthrange(first.year, first.month)[1]
        if month
        else 366
        if calendar.isleap(first.year)
        else 365
    )
    return Span(start, start + days * DAY)


def _seconds(hour: str, minute: str, second: str) -> int:
    """Seconds since midnight. Raises ValueError."""
    if int(hour) > 23 or int(minute) > 59 or int(second) > 59:
        raise ValueError(f"{hour}:{minute}:{second}")
    return int(hour) * 3600 + int(minute) * 60 + int(second)


def _in_calendar(seconds: int) -> int:
    """Raises ValueError or OverflowError for what no calendar can write."""
    datetime.fromtimestamp(seconds, UTC)
    return seconds
