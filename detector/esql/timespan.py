"""Timespans: durations of a fixed length, periods of the calendar; and cutting dates by them.

A duration, and a number of days above one, is aligned to the Unix epoch; a day, week (from Monday), month, quarter
and year are those of the calendar, and several months or years count from year 1. All in UTC.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from detector.ecs.values import milliseconds, moment

_SECOND, _MINUTE, _HOUR, _DAY = 1000, 60_000, 3_600_000, 86_400_000

DURATIONS = {
    name: length
    for names, length in (
        (("millisecond", "milliseconds", "ms"), 1),
        (("second", "seconds", "sec", "s"), _SECOND),
        (("minute", "minutes", "min", "m"), _MINUTE),
        (("hour", "hours", "h"), _HOUR),
    )
    for name in names
}
"""Unit -> milliseconds."""
PERIODS = {
    name: (days, months)
    for names, days, months in (
        (("day", "days", "d"), 1, 0),
        (("week", "weeks", "w"), 7, 0),
        (("month", "months", "mo"), 0, 1),
        (("quarter", "quarters", "q"), 0, 3),
        (("year", "years", "yr", "y"), 0, 12),
    )
    for name in names
}
"""Unit -> (days, months)."""


LONGEST_WINDOW = 365 * 86_400
"""Seconds: a window over any event that is read ends, and begins, at a time that can be written."""


@dataclass(frozen=True, slots=True)
class Timespan:
    amount: int
    unit: str

    @property
    def length(self) -> int:
        """Milliseconds of a duration; 0 for a period."""
        return self.amount * DURATIONS.get(self.unit, 0)

    @property
    def days(self) -> int:
        return self.amount * PERIODS.get(self.unit, (0, 0))[0]

    @property
    def months(self) -> int:
        return self.amount * PERIODS.get(self.unit, (0, 0))[1]

    @property
    def window(self) -> int | None:
        """Whole seconds, where cutting dates by this span is ``floor(t / seconds) * seconds``; else
        None."""
        if self.days and self.days != 7:
            return self.days * 86_400
        return self.length // 1000 if self.length and self.length % 1000 == 0 else None

    def negative(self) -> Timespan:
        return Timespan(-self.amount, self.unit)

    def after(self, ms: int, times: int) -> int:
        """The date that lies this span (``times`` over, which may be negative) after another."""
        if not self.months:
            return ms + times * (self.length + self.days * _DAY)
        start = moment(ms)
        months = start.year * 12 + start.month - 1 + times * self.months
        year, month = divmod(months, 12)
        day = min(start.day, calendar.monthrange(year, month + 1)[1])
        return milliseconds(start.replace(year=year, month=month + 1, day=day))


def truncate(span: Timespan) -> Callable[[int], int]:
    """What cuts a date (ms) down to the start of the ``span`` that it lies in."""
    if length := span.length or (span.days * _DAY if span.days != 7 else 0):
        return lambda ms: ms // length * length
    if span.days:

        def week(ms: int) -> int:
            midnight = moment(ms // _DAY * _DAY)
            return milliseconds(midnight - timedelta(days=midnight.weekday()))

        return week
    size = span.months

    def month(ms: int) -> int:
        date = moment(ms)
        count = ((date.year - 1) * 12 + date.month - 1) // size * size
        return milliseconds(datetime(count // 12 + 1, count % 12 + 1, 1, tzinfo=UTC))

    return month
