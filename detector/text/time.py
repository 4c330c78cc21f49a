"""Times and durations: ISO 8601, units, and printed forms.

Instants are seconds since the Unix epoch in UTC, or milliseconds where a name says so (ES|QL's
dates).
"""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from detector.text.late_pattern import late_pattern

MINUTE, HOUR, DAY, WEEK = 60, 3_600, 86_400, 7 * 86_400
SECONDS_PER_UNIT = {"s": 1, "m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK}

# --- instants in seconds

_MINUTE_PREFIX = late_pattern(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:")
_DATE_TIME = late_pattern(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:[.,]\d+)?(Z|z|[+-]\d\d:?\d\d)?"
)
_SECOND_SUFFIXES = {f"{second:02}Z": second for second in range(60)}
_YEAR_9999 = 253_370_764_800
"""Upper bound of times, a year before the calendar's end, so that window ends stay printable."""


def parse_time(text: str | None) -> int | None:
    """Parse an ISO 8601 time, such as an ``eventTime``, to epoch seconds.

    None if the text is not a usable time, or is before 1970 or after 9998. Fractions are dropped,
    and a missing zone means UTC.
    """
    if not (text and len(text) <= 40):
        return None
    return _parse_time(text)


def _parse_time(text: str) -> int | None:
    # CloudTrail writes one form, and many records share a minute: two look-ups give their time.
    second = _SECOND_SUFFIXES.get(text[17:])
    if second is not None:
        minute = _parse_minute(text[:17])
        if minute is not None:
            return minute + second
    match = _DATE_TIME.fullmatch(text.strip())
    if not match:
        return None
    day, clock, zone = match.groups()
    if zone is None or zone in "Zz":
        zone = "+00:00"
    try:
        seconds = int(datetime.fromisoformat(f"{day}T{clock}{zone}").timestamp())
    except (ValueError, OverflowError):
        return None
    if not (0 <= seconds < _YEAR_9999):
        return None
    return seconds


@lru_cache(1 << 12)
def _parse_minute(prefix: str) -> int | None:
    """Parse ``2026-03-01T11:30:``, the form that CloudTrail writes; None for any other."""
    if not _MINUTE_PREFIX.fullmatch(prefix):
        return None
    return _parse_time(f"{prefix}00+00:00")


@lru_cache(1 << 12)
def format_time(seconds: int | float) -> str:
    """Format a time as ``YYYY-MM-DDTHH:MM:SSZ``, the form of all output."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()[:19] + "Z"


_DATE_SPAN = late_pattern(
    r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})(?:[T ]([0-9]{2}):([0-9]{2})"
    r"(?::([0-9]{2})(?:[.,][0-9]+)?)?([+-][0-9]{2}:?[0-9]{2})?)?)?)?Z?",
    re.IGNORECASE,
)


def parse_date_span(text: str) -> tuple[int, int] | None:
    """Parse a date, or a prefix of one, to the span ``[start, end)`` in epoch seconds.

    ``2026`` is the year, ``2026-03-01`` the day, ``2026-03-01T11:30`` the minute; fractions are
    dropped, and without an offset (``+05:30``) the time is UTC. None if the text has another form;
    raises ValueError for a date or time that does not exist.
    """
    match = _DATE_SPAN.fullmatch(text)
    if not match:
        return None
    year, month, day, hour, minute, second, offset = match.groups()
    first = datetime(int(year), int(month or 1), int(day or 1), tzinfo=UTC)
    start = calendar.timegm(first.timetuple())
    if hour is not None:
        start += seconds_of_day(hour, minute, second or "0")
        if offset:
            ahead = seconds_of_day(offset[1:3], offset[-2:], "0")
            start += -ahead if offset[0] == "+" else ahead
        return start, start + (1 if second else MINUTE)
    if day:
        days = 1
    elif month:
        days = calendar.monthrange(first.year, first.month)[1]
    else:
        days = 366 if calendar.isleap(first.year) else 365
    return start, start + days * DAY


def seconds_of_day(hour: str, minute: str, second: str) -> int:
    """Return the seconds since midnight of a time of day. Raises ValueError."""
    if int(hour) > 23 or int(minute) > 59 or int(second) > 59:
        raise ValueError(f"{hour}:{minute}:{second}")
    return int(hour) * HOUR + int(minute) * MINUTE + int(second)


# --- instants in milliseconds

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_PARTIAL_DATE_TIME = late_pattern(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d)(?::(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?"
    r"\s*(Z|[+-]\d\d:?(?:\d\d)?)?)?)?)?"
)


def parse_milliseconds(text: str) -> int | None:
    """Parse an ISO 8601 date, or a prefix of one, to epoch milliseconds.

    None for other texts."""
    span = parse_millisecond_span(text)
    return span[0] if span else None


def parse_millisecond_span(text: str) -> tuple[int, int] | None:
    """Parse an ISO 8601 date, or a prefix of one, to its first and last epoch millisecond.

    A partial time of day covers everything that begins with it; a day, month or year covers only
    its first day, as Elasticsearch rounds up ("Missing date components" of its range query). None
    for other texts.
    """
    match = _PARTIAL_DATE_TIME.fullmatch(text.strip())
    if not match:
        return None
    *parts, fraction, zone = match.groups()
    year, month, day, hour, minute, second = (
        int(part or default) for part, default in zip(parts, (0, 1, 1, 0, 0, 0), strict=True)
    )
    try:
        local = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    size = 1000
    for part, next_size in zip(reversed(parts[3:]), (MINUTE, HOUR, DAY), strict=True):
        size = 1000 * next_size if part is None else size
    digits = (fraction or "")[:3]
    size = 10 ** (3 - len(digits)) if digits else size
    start = to_milliseconds(local) - _zone_offset(zone) + int(digits.ljust(3, "0"))
    if within_calendar(start) is None:
        return None
    return start, start + size - 1


def _zone_offset(zone: str | None) -> int:
    """Return a zone's offset (``Z``, ``+01:00``) in milliseconds."""
    if zone is None or zone == "Z":
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    offset = 1000 * (int(digits[:2]) * HOUR + int(digits[2:]) * MINUTE)
    return offset if zone[0] == "+" else -offset


def within_calendar(milliseconds: int) -> int | None:
    """Return ``milliseconds``, or None outside the years 1 to 9999."""
    if not (-62_135_596_800_000 <= milliseconds < 253_402_300_800_000):
        return None
    return milliseconds


def to_milliseconds(date: datetime) -> int:
    """Convert a date with a zone to milliseconds since the epoch."""
    return (date - _EPOCH) // _MILLISECOND


def from_milliseconds(milliseconds: int) -> datetime:
    """Convert milliseconds to a date. Raises OverflowError outside the calendar."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def format_milliseconds(milliseconds: int) -> str:
    """Format a time as ``YYYY-MM-DDTHH:MM:SS.mmmZ``."""
    return f"{_format_to_second(milliseconds)}.{milliseconds % 1000:03d}Z"


@lru_cache(1 << 12)
def format_shortest(milliseconds: int) -> str:
    """Format a time as ``YYYY-MM-DDTHH:MM:SSZ``, with milliseconds only where there are some."""
    if milliseconds % 1000:
        return format_milliseconds(milliseconds)
    return _format_to_second(milliseconds) + "Z"


def _format_to_second(milliseconds: int) -> str:
    day, second = divmod(milliseconds // 1000, DAY)
    minute, second = divmod(second, MINUTE)
    return f"{_format_day(day)}T{minute // 60:02}:{minute % 60:02}:{second:02}"


@lru_cache(1 << 10)
def _format_day(day: int) -> str:
    # strftime does not pad a year of three digits.
    return from_milliseconds(day * DAY * 1000).strftime("%Y-%m-%d").rjust(10, "0")


# --- durations

_INTERVAL = late_pattern(r"\s*(\d{1,5})\s*([mhdw])\s*")


def parse_interval(text: str) -> int:
    """Parse ``90m``, ``12h``, ``7d`` or ``2w`` to seconds. Raises ValueError."""
    match = _INTERVAL.fullmatch(text)
    if not match or not int(match[1]):
        raise ValueError(f"{text!r} is not a duration: write it like 12h, 7d or 2w")
    return int(match[1]) * SECONDS_PER_UNIT[match[2]]


def format_duration(seconds: float) -> str:
    """Format a duration in its two largest units: ``2 m 05 s``."""
    whole = max(0, int(seconds))
    for size, unit, smaller_size, smaller_unit in (
        (DAY, "d", HOUR, "h"),
        (HOUR, "h", MINUTE, "m"),
        (MINUTE, "m", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // smaller_size
            return f"{whole // size} {unit}" + (f" {rest:02d} {smaller_unit}" if rest else "")
    return f"{whole} s"


def format_age(seconds: float) -> str:
    """Format a duration in its largest unit, rounded down: ``3 m``."""
    whole = max(0, int(seconds))
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m")):
        if whole >= size:
            return f"{whole // size} {unit}"
    return f"{whole} s"


def format_lag(seconds: int) -> str:
    """Format a duration in the largest unit of which it has at least two: ``119 s``."""
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size:,} {unit}"
    return f"{seconds} s"


def format_exact(seconds: int) -> str:
    """Format a duration in the largest unit that divides it: ``61 min``."""
    if seconds > DAY and seconds % DAY == 0:
        return f"{seconds // DAY} d"
    for size, unit in ((HOUR, "h"), (MINUTE, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
