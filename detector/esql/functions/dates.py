"""Functions on dates (milliseconds since the epoch), in UTC.

Truncation is in ``special_functions``, because it needs a constant.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from detector.ecs.values import date_from_text
from detector.esql.functions.date_patterns import (
    DAY_NAMES,
    MONTH_NAMES,
    date_formatter,
    date_parser,
)
from detector.esql.functions.registry import function
from detector.text.suggest import nearest
from detector.text.time import (
    DAY,
    format_milliseconds,
    from_milliseconds,
    to_milliseconds,
)

_DAY = 1000 * DAY


def _whole_months(start: int, end: int) -> int:
    """Count whole months from ``start`` to ``end``; negative if ``end`` is earlier."""
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


def difference_function(unit: str) -> Callable[[int, int], int]:
    """Return the function that counts units between two dates. Raises ValueError if unknown."""
    compute = _DIFFERENCES.get(unit.lower())
    if compute is None:
        raise ValueError(f"no unit of time {unit}{nearest(unit, _DIFFERENCES)}")
    return compute


@function("date_diff(keyword, date, date) -> integer", constant_checks={0: difference_function})
def date_diff(unit: str, start: int, end: int) -> int:
    """Count the whole units from ``start`` to ``end``."""
    difference = difference_function(unit)(start, end)
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


def _part_function(part: str) -> Callable[[datetime], int]:
    """Return the function that reads a part of a date. Raises ValueError if unknown."""
    extract = _PARTS.get(part.lower())
    if extract is None:
        raise ValueError(f"no part of a date {part}{nearest(part, _PARTS)}")
    return extract


@function("date_extract(keyword, date) -> long", constant_checks={0: _part_function})
def date_extract(part: str, date: int) -> int:
    return _part_function(part)(from_milliseconds(date))


@function("year(date) -> long")
def year(date: int) -> int:
    return from_milliseconds(date).year


@function("month(date) -> long")
def month(date: int) -> int:
    return from_milliseconds(date).month


@function("day(date) -> long")
def day(date: int) -> int:
    return from_milliseconds(date).day


@function("hour(date) -> long")
def hour(date: int) -> int:
    return from_milliseconds(date).hour


@function("day_name(date) -> keyword")
def day_name(date: int) -> str:
    return DAY_NAMES[from_milliseconds(date).weekday()]


@function("month_name(date) -> keyword")
def month_name(date: int) -> str:
    return MONTH_NAMES[from_milliseconds(date).month - 1]


@function("date_format(any, date?) -> keyword", constant_checks={-2: date_formatter})
def date_format(pattern: str | int, date: int | None = None) -> str:
    """Format a date by a Java pattern, or in ISO format without one.

    A single argument is the date."""
    if date is None:
        sole = date_from_text(pattern) if isinstance(pattern, str) else pattern
        if sole is None:
            raise ValueError
        return format_milliseconds(sole)
    return date_formatter(str(pattern))(from_milliseconds(date))


@function("date_parse(keyword, keyword?) -> date", constant_checks={-2: date_parser})
def date_parse(pattern: str, text: str | None = None) -> int:
    """Parse a date by a Java pattern, or in ISO format without one.

    A single argument is the text."""
    if text is None:
        pattern, text = "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", pattern
    return date_parser(pattern)(text)
