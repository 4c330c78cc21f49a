"""The activity of principals by day: counts, spans and values, over all records.

A chunk's activity follows from the parts of its records' signatures. Activities add up: counts are
summed over chunks, spans widen, values are united. So the activity of a trail is the same in any
order and split; a record that was delivered twice is counted twice, which only counts show.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple
from zlib import crc32

import msgspec

from detector.detection.activity.actor import Actor, PrincipalKind
from detector.text.time import DAY

ActivityKind = Literal["region", "call", "network", "program", "account", "session", "key"]
VALUE_KINDS: tuple[ActivityKind, ...] = (
    "region",
    "call",
    "network",
    "program",
    "account",
    "session",
    "key",
)
"""What is counted of a principal. A call is ``ec2.amazonaws.com:DescribeInstances``, an account the
one that was called, a session the name of a role session, a key a long-term access key."""

VALUE_LIMITS: dict[ActivityKind, int] = {"call": 512, "account": 512}
VALUE_LIMIT = 128
"""Values of a kind that are kept of a principal and day.

Of more values those with the smallest checksums stay, so what is kept never depends on order."""
MORE = ""
"""The value that says that there were more values than are kept; it counts nothing."""


class ValueCount(msgspec.Struct, array_like=True, gc=False):
    """How often a principal did something in a day; the span is 0 for calls."""

    calls: int = 0
    failed: int = 0
    denied: int = 0
    first: int = 0
    last: int = 0

    def add(self, other: ValueCount) -> None:
        """Add the counts of other records, and widen the span over theirs."""
        self.calls += other.calls
        self.failed += other.failed
        self.denied += other.denied
        _widen(self, other.first, other.last)


class DayActivity(msgspec.Struct, array_like=True):
    """What a principal did on a day of UTC, or on several.

    ``failed`` calls have an error code, ``denied`` ones are refused for want of permission,
    ``writes`` are not read-only. ``first`` and ``last`` are epoch seconds; ``hours`` has a bit for
    each hour of the day with a call."""

    calls: int = 0
    failed: int = 0
    denied: int = 0
    writes: int = 0
    first: int = 0
    last: int = 0
    hours: int = 0
    values: dict[str, dict[str, ValueCount]] = {}

    def count(self, span: ValueCount, hours: int) -> None:
        """Count calls in these hours of the day."""
        self.calls += span.calls
        self.failed += span.failed
        self.denied += span.denied
        _widen(self, span.first, span.last)
        self.hours |= hours

    def merge(self, other: DayActivity) -> None:
        """Add the activity of other records."""
        span = ValueCount(other.calls, other.failed, other.denied, other.first, other.last)
        self.count(span, other.hours)
        self.writes += other.writes
        for kind, counts in other.values.items():
            own = self.values.setdefault(kind, {})
            for value, count in counts.items():
                known = own.get(value)
                if known is None:
                    own[value] = msgspec.structs.replace(count)
                else:
                    known.add(count)
            limit_values(kind, own)


def _widen(activity: ValueCount | DayActivity, first: int, last: int) -> None:
    """Widen a span over ``[first, last]``."""
    if not activity.last or first < activity.first:
        activity.first = first
    if last > activity.last:
        activity.last = last


class SessionOpening(NamedTuple):
    """That a caller opened a role session or a federated one, by a call to STS."""

    opener: Actor
    opened: Actor


class Activity(msgspec.Struct):
    """What some chunks show: each principal by number of the day since the epoch, and openings.

    An opening has its first and last time."""

    days: dict[PrincipalDay, DayActivity] = {}
    openings: dict[SessionOpening, tuple[int, int]] = {}

    def day(self, key: PrincipalDay) -> DayActivity:
        """Return what is counted of a principal on a day, to be added to."""
        known = self.days.get(key)
        if known is None:
            self.days[key] = known = DayActivity(values={})
        return known

    def add_opening(self, opening: SessionOpening, span: tuple[int, int]) -> None:
        """Widen the span of an opening."""
        first, last = span
        known_first, known_last = self.openings.get(opening, span)
        self.openings[opening] = min(first, known_first), max(last, known_last)

    def merge(self, other: Activity) -> None:
        """Add the activity of other records."""
        for key, day in other.days.items():
            self.day(key).merge(day)
        for opening, span in other.openings.items():
            self.add_opening(opening, span)


PrincipalDay = tuple[PrincipalKind, str, int]
"""A principal, and a number of a day since the epoch."""


def limit_values(kind: str, counts: dict[str, ValueCount]) -> None:
    """Drop what is over the limit of a kind, and say so by ``MORE``."""
    limit = VALUE_LIMITS.get(kind, VALUE_LIMIT)  # type: ignore[call-overload]
    if len(counts) <= limit:
        return
    values = sorted(counts.keys() - {MORE}, key=lambda value: (_checksum(value), value))
    if len(values) <= limit:
        return
    for value in values[limit:]:
        del counts[value]
    counts[MORE] = ValueCount()


def _checksum(text: str) -> int:
    return crc32(text.encode("utf-8", "surrogatepass"))


def activity_days(since: int | None, until: int | None) -> tuple[int, int]:
    """Return the half-open range of days that ``[since, until)``, in epoch seconds, touches."""
    first, last = ALL_DAYS
    if since is not None:
        first = since // DAY
    if until is not None:
        last = -(-until // DAY)
    return first, last


ALL_DAYS = (0, 1 << 32)
"""The half-open range of days that any event is on."""


def merged(days: Mapping[int, DayActivity]) -> DayActivity:
    """Return the activity of several days as one."""
    whole = DayActivity(values={})
    for day in days.values():
        whole.merge(day)
    return whole


def shown_values(counts: Mapping[str, ValueCount]) -> Iterator[tuple[str, ValueCount]]:
    """Yield the values of a kind without the mark that there are more."""
    return ((value, count) for value, count in counts.items() if value != MORE)
