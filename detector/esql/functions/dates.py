"""Dates, in UTC. Cutting them to a span is in ``compile``, since it depends on constants."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

from detector.ecs.values import date_text, milliseconds, moment
from detector.esql.functions.registry import function

_DAY = 86_400_000


def _months(start: int, end: int) -> int:
    """Whole months from one date to a later one (negative to an earlier one)."""
    if end < start:
        return -_months(end, start)
    first, last = moment(start), moment(end)
    months = (last.year - first.year) * 12 + last.month - first.month
    rest_first = (first.day, first.hour, first.minute, first.second, first.microsecond)
    rest_last = (last.day, last.hour, last.minute, last.second, last.microsecond)
    return months - 1 if rest_last < rest_first else months


def _whole(size: int) -> Callable[[int, int], int]:
    return lambda start, end: abs(end - start) // size * (1 if end >= start else -1)


def _of_months(size: int) -> Callable[[int, int], int]:
    return lambda start, end: abs(_months(start, end)) // size * (1 if end >= start else -1)


_DIFFERENCES: dict[str, Callable[[int, int], int]] = {
    name: compute
    for names, compute in (
        (("year", "years", "yy", "yyyy"), _of_months(12)),
        (("quarter", "quarters", "qq", "q"), _of_months(3)),
        (("month", "months", "mm", "m"), _of_months(1)),
        (("dayofyear", "dy", "y"), _whole(_DAY)),
        (("day", "days", "dd", "d"), _whole(_DAY)),
        (("week", "weeks", "wk", "ww"), _whole(7 * _DAY)),
        (("weekday", "weekdays", "dw"), _whole(_DAY)),
        (("hour", "hours", "hh"), _whole(3_600_000)),
        (("minute", "minutes", "mi", "n"), _whole(60_000)),
        (("second", "seconds", "ss", "s"), _whole(1000)),
        (("millisecond", "milliseconds", "ms"), _whole(1)),
        (("microsecond", "microseconds", "mcs"), lambda start, end: (end - start) * 1000),
        (("nanosecond", "nanoseconds", "ns"), lambda start, end: (end - start) * 1_000_000),
    )
    for name in names
}


@function("date_diff(keyword, date, date) -> integer")
def date_diff(unit: str, start: int, end: int) -> int:
    """How many whole units lie between."""
    if (compute := _DIFFERENCES.get(unit.lower())) is None:
        raise ValueError
    found = compute(start, end)
    if not -(2**31) <= found < 2**31:
        raise ValueError
    return found


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
    "milli_of_day": lambda d: milliseconds(d) % _DAY,
    "epoch_day": lambda d: milliseconds(d) // _DAY,
    "instant_seconds": lambda d: milliseconds(d) // 1000,
    "offset_seconds": lambda _: 0,
    "era": lambda _: 1,
}


@function("date_extract(keyword, date) -> long")
def date_extract(part: str, date: int) -> int:
    if (compute := _PARTS.get(part.lower())) is None:
        raise ValueError
    return compute(moment(date))


@function("day_name(date) -> keyword")
def day_name(date: int) -> str:
    return _DAYS[moment(date).weekday()]


@function("month_name(date) -> keyword")
def month_name(date: int) -> str:
    return _MONTHS[moment(date).month - 1]


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
_WRITTEN: dict[str, Callable[[datetime], str]] = {
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
"""The letters of Java's date patterns."""


@function("date_format(any, date?) -> keyword")
def date_format(pattern: str | int, date: int | None = None) -> str:
    """With one argument, a date in ISO form."""
    if date is None:
        if not isinstance(pattern, int):
            raise ValueError
        text = date_text(pattern)
        return text if "." in text else text[:-1] + ".000Z"
    when = moment(date)
    written = []
    for found in _TOKEN.finditer(str(pattern)):
        if found[1] is not None:
            written.append(found[1].replace("''", "'") or "'")
        elif found[2] and found[0] not in _WRITTEN:
            raise ValueError
        else:
            written.append(_WRITTEN[found[0]](when) if found[2] else found[0])
    return "".join(written)


_READ = {
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


@lru_cache(64)
def _reader(pattern: str) -> re.Pattern[str]:
    parts = []
    for found in _TOKEN.finditer(pattern):
        if found[2] and found[0] not in _READ:
            raise ValueError(f"the date pattern {found[0]} is not supported")
        parts.append(
            re.escape(found[1].replace("''", "'") or "'")
            if found[1] is not None
            else _READ[found[0]]
            if found[2]
            else re.escape(found[0])
        )
    try:
        return re.compile("".join(parts))
    except re.error:
        raise ValueError(f"the date pattern {pattern} names a part twice") from None


@function("date_parse(keyword, keyword?) -> date")
def date_parse(pattern: str, text: str | None = None) -> int:
    """With one argument, a date in ISO form."""
    if text is None:
        pattern, text = "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", pattern
    if not (found := _reader(pattern).fullmatch(text)):
        raise ValueError
    part = {name: int(value) for name, value in found.groupdict().items()}
    if "year" not in part:
        raise ValueError
    return milliseconds(
        datetime(
            part["year"],
            part.get("month", 1),
            part.get("day", 1),
            part.get("hour", 0),
            part.get("minute", 0),
            part.get("second", 0),
            tzinfo=UTC,
        )
    ) + part.get("milli", 0)
