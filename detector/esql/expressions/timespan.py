"""Add timespans to dates and truncate dates to them.

A duration has a fixed length, a period is a calendar unit. Truncation aligns durations, and
multiples of days, to the Unix epoch; single days, weeks (from Monday), months, quarters and years
follow the calendar, and multiples of months or years count from year 1. All times are UTC.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec

from detector.text.time import DAY, HOUR, MINUTE, from_milliseconds, to_milliseconds

_SECOND, _MINUTE, _HOUR, _DAY = 1000, 1000 * MINUTE, 1000 * HOUR, 1000 * DAY
_CYCLE_START, _CYCLE_YEARS = 2000, 400
_CYCLE = 146_097 * _DAY
"""The milliseconds of 400 years, after which the calendar repeats."""

DURATIONS = {
    **dict.fromkeys(("millisecond", "milliseconds", "ms"), 1),
    **dict.fromkeys(("second", "seconds", "sec", "s"), _SECOND),
    **dict.fromkeys(("minute", "minutes", "min", "m"), _MINUTE),
    **dict.fromkeys(("hour", "hours", "h"), _HOUR),
}
"""Milliseconds by unit."""
PERIODS = {
    **dict.fromkeys(("day", "days", "d"), (1, 0, 0)),
    **dict.fromkeys(("week", "weeks", "w"), (7, 0, 0)),
    **dict.fromkeys(("month", "months", "mo"), (0, 1, 0)),
    **dict.fromkeys(("quarter", "quarters", "q"), (0, 3, 0)),
    **dict.fromkeys(("year", "years", "yr", "y"), (0, 0, 1)),
}
"""(days, months, years) by unit."""


LONGEST_WINDOW = 365 * DAY
"""In seconds; small enough that the ends of any event's window can still be formatted."""


class TemporalAmount(msgspec.Struct, frozen=True):
    """The value of a timespan: a duration of ``length`` milliseconds, or a calendar period.

    A period may have days, months and years, which are not converted into each other, as in Java;
    years and months are added to a date before days."""

    length: int = 0
    days: int = 0
    months: int = 0
    years: int = 0

    @classmethod
    def of(cls, amount: int, unit: str) -> TemporalAmount:
        """Return ``amount`` times a unit of ``DURATIONS`` or ``PERIODS``."""
        if unit in DURATIONS:
            return cls(amount * DURATIONS[unit])
        days, months, years = PERIODS[unit]
        return cls(0, amount * days, amount * months, amount * years)

    @property
    def window(self) -> int | None:
        """The width in whole seconds of the windows into which truncation divides time.

        None if truncation is not ``floor(t / seconds) * seconds``."""
        if self.days and self.days != 7:
            return self.days * DAY
        if self.length and self.length % 1000 == 0:
            return self.length // 1000
        return None

    @property
    def longest_period(self) -> int | None:
        """The maximum length in seconds of the calendar periods into which truncation divides time.

        None if they are not calendar periods."""
        if self.all_months:
            years, months = divmod(self.all_months, 12)
            return (366 * years + 31 * months) * DAY
        return 7 * DAY if self.days == 7 else None

    @property
    def is_mixed(self) -> bool:
        """Whether a period mixes days, months and years, so that it cannot truncate dates."""
        return [self.days, self.months, self.years].count(0) < 2

    @property
    def is_positive(self) -> bool:
        return self.length + self.days + self.months + self.years > 0

    @property
    def all_months(self) -> int:
        """The months, including those of the years."""
        return 12 * self.years + self.months

    def negative(self) -> TemporalAmount:
        return TemporalAmount(-self.length, -self.days, -self.months, -self.years)

    def plus(self, other: TemporalAmount) -> TemporalAmount:
        return TemporalAmount(
            self.length + other.length,
            self.days + other.days,
            self.months + other.months,
            self.years + other.years,
        )

    def added_to(self, ms: int, times: int) -> int:
        """Return ``ms`` plus ``times`` (may be negative) this amount, in epoch milliseconds.

        The result may be outside the years 1 to 9999."""
        offset = times * (self.length + self.days * _DAY)
        if not self.all_months:
            return ms + offset
        start = from_milliseconds(ms)
        months = start.year * 12 + start.month - 1 + times * self.all_months
        year, month = divmod(months, 12)
        cycles, year = divmod(year - _CYCLE_START, _CYCLE_YEARS)  # map to a year datetime supports
        year += _CYCLE_START
        day = min(start.day, calendar.monthrange(year, month + 1)[1])
        date = start.replace(year=year, month=month + 1, day=day)
        return to_milliseconds(date) + cycles * _CYCLE + offset


def date_truncator(amount: TemporalAmount) -> Callable[[int], int]:
    """Make a function that truncates dates (epoch ms) to multiples of ``amount``."""
    length = amount.length
    if not length and amount.days != 7:
        length = amount.days * _DAY
    if length:
        return lambda ms: ms // length * length
    if amount.days:
        return _week_start
    size = amount.all_months

    def month_start(ms: int) -> int:
        date = from_milliseconds(ms)
        count = ((date.year - 1) * 12 + date.month - 1) // size * size
        return to_milliseconds(datetime(count // 12 + 1, count % 12 + 1, 1, tzinfo=UTC))

    return month_start


def _week_start(ms: int) -> int:
    midnight = from_milliseconds(ms // _DAY * _DAY)
    return to_milliseconds(midnight - timedelta(days=midnight.weekday()))
