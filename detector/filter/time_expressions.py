"""Parse the time expressions of filters and options into spans, in UTC unless an offset is given.

A date means the whole day, 11:30 the whole minute. Expressions are relative to a reference time,
the newest record or the clock: ``now`` is the reference, ``today`` is its day, and a time of day is
the latest one that is not after the reference.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import msgspec

from detector.text.late_pattern import late_pattern
from detector.text.suggest import nearest
from detector.text.time import DAY, SECONDS_PER_UNIT, parse_date_span, seconds_of_day

KEYWORDS = {"since": ">=", "after": ">", "before": "<", "until": "<="}
"""Words that may precede a time, and the comparison that each means."""

_NUMBER_AND_UNIT = r"([0-9]{1,5})([smhdw])"
INTERVAL = late_pattern(_NUMBER_AND_UNIT, re.IGNORECASE)
_OFFSET = late_pattern(rf"now(?:([+-]){_NUMBER_AND_UNIT})?", re.IGNORECASE)
_CLOCK = late_pattern(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?Z?", re.IGNORECASE)
_DAYS = {"today": 0, "yesterday": 1}

_ALONE = late_pattern(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:.]+(?:[+-][0-9]{2}:?[0-9]{2})?)?Z?", re.IGNORECASE
)


class TimeExpressionError(ValueError):
    """A text that is not a time expression; the message is one line."""


class Span(msgspec.Struct, frozen=True):
    """``[start, end)`` in epoch seconds; ``is_relative``: it depends on the reference time."""

    start: float
    end: float
    is_relative: bool = False


ALWAYS = Span(float("-inf"), float("inf"))


def reads_as_time(word: str) -> bool:
    """Tell whether a word without a field is a time expression."""
    low, dots, high = word.partition("..")
    if dots and _CLOCK.fullmatch(low) and _CLOCK.fullmatch(high):
        return True
    ends = [end for end in (low, high) if end]
    return bool(ends) and all(_ALONE.fullmatch(end) or end.casefold() in _DAYS for end in ends)


def span_of(text: str, reference: float) -> Span:
    """Parse ``text`` relative to a reference time. Raises TimeExpressionError."""
    try:
        return _span_of(text.strip(), reference)
    except (ValueError, OverflowError):
        raise TimeExpressionError(
            f"{text} is not a time: write it like 11:30, yesterday, 2026-03-01, 2026-03-01T11:30 "
            f"or now-2h{nearest(text, _DAYS)}"
        ) from None


def span_between(low: str, high: str, reference: float) -> Span:
    """Return the span from the start of ``low`` to the end of ``high``.

    An empty text leaves that side open. Raises TimeExpressionError.
    """
    first = span_of(low, reference) if low else ALWAYS
    last = span_of(high, reference) if high else ALWAYS
    if low and _CLOCK.fullmatch(high):
        # The first occurrence of this time of day at or after the start.
        start = first.start + (last.start - first.start) % DAY
        last = Span(start, start + last.end - last.start)
    if last.end <= first.start:
        raise TimeExpressionError(f"{low}..{high} ends before it starts")
    return Span(first.start, last.end, first.is_relative or last.is_relative)


def span_for_operator(operator: str, span: Span) -> Span:
    """Return the times for which the comparison with ``span`` holds.

    ``:`` and ``=`` mean within the span, ``>=`` from its start on, ``>`` after its end.
    """
    start = {":": span.start, "=": span.start, ">=": span.start, ">": span.end}.get(
        operator, ALWAYS.start
    )
    end = {":": span.end, "=": span.end, "<": span.start, "<=": span.end}.get(operator, ALWAYS.end)
    return Span(start, end, span.is_relative)


def describe_span(span: Span) -> str:
    """Describe a span as ``since 2026-03-01 10:38:05Z``, ``before …`` or ``START–END``."""
    if span.end == ALWAYS.end:
        return f"since {_text(span.start)}"
    if span.start == ALWAYS.start:
        return f"before {_text(span.end)}"
    return f"{_text(span.start)[:-1]}–{_text(span.end)}"


def _text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _span_of(text: str, reference: float) -> Span:
    offset = _OFFSET.fullmatch(text)
    if offset:
        sign, number, unit = offset.groups()
        shift = int(f"{sign}{number}") * SECONDS_PER_UNIT[unit.lower()] if number else 0
        start = _in_calendar(int(reference) + shift)
        return Span(start, start + 1, True)
    if text.casefold() in _DAYS:
        midnight = int(reference) // DAY * DAY - _DAYS[text.casefold()] * DAY
        return Span(midnight, midnight + DAY, True)
    clock = _CLOCK.fullmatch(text)
    if clock:
        hour, minute, second = clock.groups()
        start = int(reference) // DAY * DAY + seconds_of_day(hour, minute, second or "0")
        if start > reference:
            start -= DAY
        return Span(start, start + (1 if second else 60), True)
    date_span = parse_date_span(text)
    if date_span is not None:
        return Span(*date_span)
    raise ValueError(text)


def _in_calendar(seconds: int) -> int:
    """Return ``seconds``. Raises ValueError or OverflowError if datetime cannot represent them."""
    datetime.fromtimestamp(seconds, UTC)
    return seconds
