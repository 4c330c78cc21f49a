"""The activity of principals by day: counts, spans and values, over all records.

A chunk's activity follows from the parts of its records' signatures. Activities are additive:
counts are summed over chunks, spans are widened and sets of values are united. The result therefore
does not depend on the order of the records or on how they are split into chunks. A record that was
delivered twice is counted twice; only the counts show this.
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
"""The kinds of values counted for a principal: ``region``; ``call``, e.g.
``ec2.amazonaws.com:DescribeInstances``; ``network``; ``program``; ``account``, the account called;
``session``, the name of a role session; ``key``, a long-term access key."""

VALUE_LIMITS: dict[ActivityKind, int] = {"call": 512, "account": 512}
VALUE_LIMIT = 128
"""How many values of a kind are kept per principal and day, unless ``VALUE_LIMITS`` has the kind.

If there are more, those with the smallest checksums are kept, so the choice does not depend on the
order."""
MORE = ""
"""A placeholder value for the values that were dropped; its counts are 0."""


class ValueCount(msgspec.Struct, array_like=True, gc=False):
    """How often a value occurred in a principal's calls of a day.

    ``first`` and ``last`` are epoch seconds; for values of kind ``call``, both are 0."""

    calls: int = 0
    failed: int = 0
    denied: int = 0
    first: int = 0
    last: int = 0

    def add(self, other: ValueCount) -> None:
        """Add the counts of other records, and widen the span to include theirs."""
        self.calls += other.calls
        self.failed += other.failed
        self.denied += other.denied
        _widen(self, other.first, other.last)


class DayActivity(msgspec.Struct, array_like=True):
    """What a principal did on one UTC day, or on several.

    ``failed`` calls have an error code, ``denied`` calls lacked a permission, ``writes`` are not
    read-only. ``first`` and ``last`` are epoch seconds; ``hours`` has a bit for
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
        """Add the counts and the span of calls that were made in these ``hours`` of the day."""
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
    """Widen a span to include ``[first, last]``."""
    if not activity.last or first < activity.first:
        activity.first = first
    if last > activity.last:
        activity.last = last


class SessionOpening(NamedTuple):
    """A call to STS by which ``opener`` opened a role session or a federated session."""

    opener: Actor
    opened: Actor


class Activity(msgspec.Struct):
    """The activity in some chunks: by principal and day, and the sessions opened.

    Each opening has the first and last time at which it occurred, in epoch seconds."""

    days: dict[PrincipalDay, DayActivity] = {}
    openings: dict[SessionOpening, tuple[int, int]] = {}

    def day(self, key: PrincipalDay) -> DayActivity:
        """Return the mutable counts of a principal on a day; they are created if missing."""
        known = self.days.get(key)
        if known is None:
            self.days[key] = known = DayActivity(values={})
        return known

    def add_opening(self, opening: SessionOpening, span: tuple[int, int]) -> None:
        """Add an opening, or widen its span."""
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
"""A principal's kind and name, and the number of a day since the epoch."""


def limit_values(kind: str, counts: dict[str, ValueCount]) -> None:
    """Drop the values beyond the limit of a kind, and add ``MORE`` if any were dropped."""
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
    """Return the half-open range of day numbers that overlap ``[since, until)`` (epoch seconds)."""
    first, last = ALL_DAYS
    if since is not None:
        first = since // DAY
    if until is not None:
        last = -(-until // DAY)
    return first, last


ALL_DAYS = (0, 1 << 32)
"""A half-open range of days that contains every event."""


def merged(days: Mapping[int, DayActivity]) -> DayActivity:
    """Return the activity of several days as one."""
    whole = DayActivity(values={})
    for day in days.values():
        whole.merge(day)
    return whole


def shown_values(counts: Mapping[str, ValueCount]) -> Iterator[tuple[str, ValueCount]]:
    """Yield the values of a kind with their counts, except the placeholder ``MORE``."""
    return ((value, count) for value, count in counts.items() if value != MORE)
