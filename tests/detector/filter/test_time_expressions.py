"""The times that a filter means, by example and by their bounds."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from detector.filter.time_expressions import (
    ALWAYS,
    TimeExpressionError,
    span_between,
    span_for_operator,
    span_of,
)


def at(text: str) -> float:
    """Return the epoch seconds of a minute in UTC."""
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("operator", "start", "end"),
    [
        (":", "2026-03-01 00:00", "2026-03-02 00:00"),
        ("=", "2026-03-01 00:00", "2026-03-02 00:00"),
        (">", "2026-03-02 00:00", None),
        (">=", "2026-03-01 00:00", None),
        ("<", None, "2026-03-01 00:00"),
        ("<=", None, "2026-03-02 00:00"),
    ],
)
def test_operator_compares_with_all_of_a_day(
    operator: str, start: str | None, end: str | None
) -> None:
    """After a day is after its end, and up to a day includes it."""
    span = span_for_operator(operator, span_of("2026-03-01", at("2026-03-05 12:00")))
    assert span.start == (at(start) if start else ALWAYS.start)
    assert span.end == (at(end) if end else ALWAYS.end)


@pytest.mark.parametrize(
    ("low", "high", "reference", "start", "end"),
    [
        ("08:00", "11:00", "2026-03-01 10:00", "2026-03-01 08:00", "2026-03-01 11:01"),
        ("08:00", "09:00", "2026-03-01 10:00", "2026-03-01 08:00", "2026-03-01 09:01"),
        ("11:00", "12:00", "2026-03-01 10:00", "2026-02-28 11:00", "2026-02-28 12:01"),
        ("11:00", "09:00", "2026-03-01 10:00", "2026-02-28 11:00", "2026-03-01 09:01"),
        ("23:00", "01:00", "2026-03-01 10:00", "2026-02-28 23:00", "2026-03-01 01:01"),
        ("10:00", "10:00", "2026-03-01 10:00", "2026-03-01 10:00", "2026-03-01 10:01"),
        ("yesterday", "10:30", "2026-03-01 10:00", "2026-02-28 00:00", "2026-02-28 10:31"),
        ("2026-02-27", "today", "2026-03-01 10:00", "2026-02-27 00:00", "2026-03-02 00:00"),
    ],
)
def test_range_ends_at_the_first_such_time_after_its_start(
    low: str, high: str, reference: str, start: str, end: str
) -> None:
    """A range of clock times may end later than the reference."""
    span = span_between(low, high, at(reference))
    assert (span.start, span.end) == (at(start), at(end))


def test_open_range_has_one_bound() -> None:
    reference = at("2026-03-01 10:00")
    assert span_between("08:00", "", reference).end == ALWAYS.end
    since, until = span_between("08:00", "", reference), span_between("", "11:00", reference)
    assert (since.start, until.start) == (at("2026-03-01 08:00"), ALWAYS.start)
    assert until.end == at("2026-02-28 11:01"), "without a start it is the last such time"


def test_range_of_days_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(TimeExpressionError, match="ends before it starts"):
        span_between("2026-03-02", "2026-03-01", at("2026-03-05 12:00"))


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("2026-03-01T17:30+05:30", "2026-03-01 12:00"),
        ("2026-03-01T17:30:00+0530", "2026-03-01 12:00"),
        ("2026-03-01T10:00:00.250-02:00", "2026-03-01 12:00"),
        ("2026-03-01 12:00:00Z", "2026-03-01 12:00"),
    ],
)
def test_time_with_an_offset(text: str, start: str) -> None:
    assert span_of(text, 0).start == at(start)


@pytest.mark.parametrize("text", ["2026-03-01+05:30", "2026-03-01T10:00+25:00", "10:00+01:00"])
def test_offset_that_no_time_has_is_refused(text: str) -> None:
    with pytest.raises(TimeExpressionError):
        span_of(text, 0)
