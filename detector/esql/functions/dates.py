"""Compute functions of dates (ms since the epoch), in UTC.

Truncation is in ``special_functions``, since it needs a constant.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

from detector.esql.functions.registry import function
from detector.text.time import DAY, format_milliseconds, from_milliseconds, to_milliseconds

_DAY = 1000 * DAY


def _whole_months(start: int, end: int) -> int:
    """Count whole months from ``start`` to ``end``, negative where it is earlier."""
    if end < start:
        return -_whole_months(end, start)
    first, last = from_milliseconds(start), from_milliseconds(end)
    months = (last.year - first.year) * 12 + last.month - first.month
    first_rest = (first.day, first.hour, first.minute, first.second, first.microsecond)
    last_rest = (last.day, last.hour, last.minute, last.second, last.microsecond)
    return months - 1 if last_rest < first_rest else months


def _divide_toward_zero(difference: int, size: int) -> int:
    count = abs(difference) // size
    return count if difference >= 0 else -count


def _difference_in(size: int) -> Callable[[int, int], int]:
    return lambda start, end: _divide_toward_zero(end - start, size)


def _difference_in_months(size: int) -> Callable[[int, int], int]:
    return lambda start, end: _divide_toward_zero(_whole_months(start, end), size)


_DIFFERENCES: dict[str, Callable[[int, int], int]] = {
    **dict.fromkeys(("year", "years", "yy", "yyyy"), _difference_in_months(12)),
    **dict.fromkeys(("quarter", "quarters", "qq", "q"), _difference_in_months(3)),
    **dict.fromkeys(("month", "months", "mm", "m"), _difference_in_months(1)),
    **dict.fromkeys(("dayofyear", "dy", "y"), _difference_in(_DAY)),
    **dict.fromkeys(("day", "days", "dd", "d"), _difference_in(_DAY)),
    **dict.fromkeys(("week", "weeks", "wk", "ww"), _difference_in(7 * _DAY)),
    **dict.fromkeys(("weekday", "weekdays", "dw"), _difference_in(_DAY)),
    **dict.fromkeys(("hour", "hours", "hh"), _difference_in(3_600_000)),
    **dict.fromkeys(("minute", "minutes", "mi", "n"), _difference_in(60_000)),
    **dict.fromkeys(("second", "seconds", "ss", "s"), _difference_in(1000)),
    **dict.fromkeys(("millisecond", "milliseconds", "ms"), _difference_in(1)),
    **dict.fromkeys(
        ("microsecond", "microseconds", "mcs"), lambda start, end: (end - start) * 1000
    ),
    **dict.fromkeys(
        ("nanosecond", "nanoseconds", "ns"), lambda start, end: (end - start) * 1_000_000
    ),
}


@function("date_diff(keyword, date, date) -> integer")
def date_diff(unit: str, start: int, end: int) -> int:
    """Count the whole units from ``start`` to ``end``."""
    compute = _DIFFERENCES.get(unit.lower())
    if compute is None:
        raise ValueError
    difference = compute(start, end)
    if not -(2**31) <= difference < 2**31:
        raise ValueError
    return difference


_PARTS: dict[str, Callable[[datetime], int]] = {
    "year": lambda d: d.year,
    "year_of_era": lambda d: d.year,
    "month_of_year": lambda d: d.month,
    "proleptic_month": lambda d: d.year * 12 + d.month - 1,
    "day_of_month": lambda d: d.day,
    "day_of_year": lambda d: d.timetuple().tm_yday,
    "day_of_week": lambda d: d.isoweekday(),
    "aligned_week_of_month": lambda d: (d.day - 1) // 7 + 1,
    "aligned_week_of_year": lambda d: (d.timetuple().tm_yday - 1) // 7 + 1,
    "aligned_day_of_week_in_month": lambda d: (d.day - 1) % 7 + 1,
    "aligned_day_of_week_in_year": lambda d: (d.timetuple().tm_yday - 1) % 7 + 1,
    "hour_of_day": lambda d: d.hour,
    "clock_hour_of_day": lambda d: d.hour or 24,
    "hour_of_ampm": lambda d: d.hour % 12,
    "clock_hour_of_ampm": lambda d: d.hour % 12 or 12,
    "ampm_of_day": lambda d: d.hour // 12,
    "minute_of_hour": lambda d: d.minute,
    "minute_of_day": lambda d: d.hour * 60 + d.minute,
    "second_of_minute": lambda d: d.second,
    "second_of_day": lambda d: d.hour * 3600 + d.minute * 60 + d.second,
    "milli_of_second": lambda d: d.microsecond // 1000,
    "micro_of_second": lambda d: d.microsecond,
    "milli_of_day": lambda d: to_milliseconds(d) % _DAY,
    "epoch_day": lambda d: to_milliseconds(d) // _DAY,
    "instant_seconds": lambda d: to_milliseconds(d) // 1000,
    "offset_seconds": lambda _: 0,
    "era": lambda _: 1,
}


@function("date_extract(keyword, date) -> long")
def date_extract(part: str, date: int) -> int:
    extract = _PARTS.get(part.lower())
    if extract is None:
        raise ValueError
    return extract(from_milliseconds(date))


@function("day_name(date) -> keyword")
def day_name(date: int) -> str:
    return _DAYS[from_milliseconds(date).weekday()]


@function("month_name(date) -> keyword")
def month_name(date: int) -> str:
    return _MONTHS[from_milliseconds(date).month - 1]


_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)

_TOKEN = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+")
_FORMATTERS: dict[str, Callable[[datetime], str]] = {
    "yyyy": lambda d: f"{d.year:04d}",
    "uuuu": lambda d: f"{d.year:04d}",
    "YYYY": lambda d: f"{d.isocalendar()[0]:04d}",
    "yy": lambda d: f"{d.year % 100:02d}",
    "MM": lambda d: f"{d.month:02d}",
    "M": lambda d: str(d.month),
    "MMM": lambda d: _MONTHS[d.month - 1][:3],
    "MMMM": lambda d: _MONTHS[d.month - 1],
    "dd": lambda d: f"{d.day:02d}",
    "d": lambda d: str(d.day),
    "HH": lambda d: f"{d.hour:02d}",
    "H": lambda d: str(d.hour),
    "hh": lambda d: f"{d.hour % 12 or 12:02d}",
    "mm": lambda d: f"{d.minute:02d}",
    "m": lambda d: str(d.minute),
    "ss": lambda d: f"{d.second:02d}",
    "s": lambda d: str(d.second),
    "SSS": lambda d: f"{d.microsecond // 1000:03d}",
    "a": lambda d: "AM" if d.hour < 12 else "PM",
    "E": lambda d: _DAYS[d.weekday()][:3],
    "EEE": lambda d: _DAYS[d.weekday()][:3],
    "EEEE": lambda d: _DAYS[d.weekday()],
    "e": lambda d: str(d.isoweekday()),
    "D": lambda d: str(d.timetuple().tm_yday),
    "DDD": lambda d: f"{d.timetuple().tm_yday:03d}",
    "X": lambda _: "Z",
    "XXX": lambda _: "Z",
    "Z": lambda _: "+0000",
    "z": lambda _: "Z",
}
"""Letters of Java's date patterns -> text of a date."""


@function("date_format(any, date?) -> keyword")
def date_format(pattern: str | int, date: int | None = None) -> str:
    """Format a date by a Java pattern; without one, in ISO form.

    A sole argument is the date."""
    if date is None:
        if not isinstance(pattern, int):
            raise ValueError
        return format_milliseconds(pattern)
    time = from_milliseconds(date)
    return "".join(_format_token(token, time) for token in _TOKEN.finditer(str(pattern)))


def _format_token(token: re.Match[str], time: datetime) -> str:
    """Format one token of a pattern: letters, quoted text or other characters."""
    text, quoted, letter = token[0], token[1], token[2]
    if quoted is not None:
        return quoted.replace("''", "'") or "'"
    if not letter:
        return text
    if text not in _FORMATTERS:
        raise ValueError
    return _FORMATTERS[text](time)


_PATTERNS = {
    "yyyy": r"(?P<year>\d{4})",
    "uuuu": r"(?P<year>\d{4})",
    "MM": r"(?P<month>\d\d)",
    "M": r"(?P<month>\d{1,2})",
    "dd": r"(?P<day>\d\d)",
    "d": r"(?P<day>\d{1,2})",
    "HH": r"(?P<hour>\d\d)",
    "H": r"(?P<hour>\d{1,2})",
    "mm": r"(?P<minute>\d\d)",
    "m": r"(?P<minute>\d{1,2})",
    "ss": r"(?P<second>\d\d)",
    "s": r"(?P<second>\d{1,2})",
    "SSS": r"(?P<milli>\d{3})",
    "X": "Z",
    "XXX": "Z",
}
"""Letters of Java's date patterns -> regular expression that parses them."""


@lru_cache(64)
def _date_regex(pattern: str) -> re.Pattern[str]:
    """Compile a Java date pattern to a regular expression. Raises ValueError."""
    regex = "".join(_token_regex(token) for token in _TOKEN.finditer(pattern))
    try:
        return re.compile(regex)
    except re.error:
        raise ValueError(f"the date pattern {pattern} names a part twice") from None


def _token_regex(token: re.Match[str]) -> str:
    text, quoted, letter = token[0], token[1], token[2]
    if quoted is not None:
        return re.escape(quoted.replace("''", "'") or "'")
    if not letter:
        return re.escape(text)
    if text not in _PATTERNS:
        raise ValueError(f"the date pattern {text} is not supported")
    return _PATTERNS[text]


@function("date_parse(keyword, keyword?) -> date")
def date_parse(pattern: str, text: str | None = None) -> int:
    """Parse a date by a Java pattern; without one, in ISO form.

    A sole argument is the text."""
    if text is None:
        pattern, text = "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", pattern
    match = _date_regex(pattern).fullmatch(text)
    if match is None:
        raise ValueError
    part = {name: int(digits) for name, digits in match.groupdict().items()}
    if "year" not in part:
        raise ValueError
    seconds = datetime(
        part["year"],
        part.get("month", 1),
        part.get("day", 1),
        part.get("hour", 0),
        part.get("minute", 0),
        part.get("second", 0),
        tzinfo=UTC,
    )
    return to_milliseconds(seconds) + part.get("milli", 0)
