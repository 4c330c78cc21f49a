"""Dates: of KQL where parts are left out, and Java's patterns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.ecs.fields import field_table
from detector.esql.errors import EsqlError
from detector.esql.functions.date_patterns import date_formatter, date_parser
from detector.esql.plan.planner import plan
from detector.text.time import to_milliseconds
from tests.detector.esql.conftest import record
from tests.detector.esql.test_expressions import evaluate
from tests.detector.esql.test_kql import matches_record

START = "2026-01-01T00:00:00.000"
END = "2026-01-01T23:59:59.999"
DAY = "2026-03-01"


def matches(text, time):
    return matches_record(text, record(eventTime=time))


@pytest.mark.parametrize(
    "condition, times",
    [
        # one character for each of TIMES: is it so?
        (f'@timestamp: "{DAY}"', "-xxxx--"),
        (f"@timestamp: {DAY}", "-xxxx--"),
        (f'@timestamp > "{DAY}"', "-----xx"),
        (f'@timestamp >= "{DAY}"', "-xxxxxx"),
        (f'@timestamp < "{DAY}"', "x------"),
        (f'@timestamp <= "{DAY}"', "xxxxx--"),
        (f'not @timestamp: "{DAY}"', "x----xx"),
        (f'@timestamp: "{DAY}T10"', "--xx---"),
        (f'@timestamp > "{DAY}T10"', "----xxx"),
        (f'@timestamp: "{DAY}T10:30"', "---x---"),
        (f'@timestamp <= "{DAY}T10:30"', "xxxx---"),
        (f'@timestamp >= "{DAY}T10:30:01"', "----xxx"),
        (f'@timestamp: "{DAY}T10:00:00Z"', "--x----"),
        (f'@timestamp: "{DAY}T11+01:00"', "--xx---"),
        (f'@timestamp: ("{DAY}" or "2026-03-02")', "-xxxxx-"),
        ('@timestamp: "2026-03"', "-xxxx--"),
        ('@timestamp > "2026-03"', "-----xx"),
        ('@timestamp < "2026"', "-------"),
        (f'event.ingested > "{DAY}"', "-----xx"),
    ],
)
def test_kql_fills_up_a_date_as_a_range_query(condition, times):
    found = [matches(condition, time) for time in TIMES]
    assert "".join("-x"[each] for each in found) == times


TIMES = (
    "2026-02-28T23:59:59Z",
    "2026-03-01T00:00:00Z",
    "2026-03-01T10:00:00Z",
    "2026-03-01T10:30:00Z",
    "2026-03-01T23:59:59Z",
    "2026-03-02T00:00:00Z",
    "2026-03-09T00:00:00Z",
)
LENGTHS = (4, 7, 10, 13, 16, 19, 23)


@given(
    st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1)),
    st.sampled_from(LENGTHS),
    st.integers(-90_000, 90_000),
)
def test_kql_date_of_any_precision_against_filled_up_text(date, length, offset):
    """The oracle writes the missing parts into the text and compares whole texts."""
    written = date.isoformat(timespec="milliseconds")[:length]
    lowest, highest = written + START[length:], written + END[length:]
    time = (date + timedelta(seconds=offset)).replace(microsecond=0)
    text = time.isoformat(timespec="milliseconds")
    event = time.isoformat() + "Z"
    assert matches(f'@timestamp: "{written}"', event) == (lowest <= text <= highest)
    assert matches(f'@timestamp > "{written}"', event) == (text > highest)
    assert matches(f'@timestamp >= "{written}"', event) == (text >= lowest)
    assert matches(f'@timestamp < "{written}"', event) == (text < lowest)
    assert matches(f'@timestamp <= "{written}"', event) == (text <= highest)


@pytest.mark.parametrize("value", ["soon", "2026-13-01", "2026-02-30", "now-7d", "2026-3-1", ""])
def test_kql_refuses_what_is_no_date(value):
    with pytest.raises(EsqlError, match="is none"):
        matches(f'@timestamp > "{value}"', TIMES[0])


AFTERNOON = datetime(2026, 3, 1, 15, 5, 9, 120_000, tzinfo=UTC)


@pytest.mark.parametrize(
    "pattern, text",
    [
        ("h a", "3 PM"),
        ("hh:mm:ss a", "03:05:09 PM"),
        ("K k H", "3 15 15"),
        ("ww", "09"),
        ("YYYY-'W'ww-e", "2026-W09-7"),
        ("QQ Q QQQ QQQQ", "01 1 Q1 1st quarter"),
        ("MMM MMMM MMMMM", "Mar March M"),
        ("EEE EEEE EEEEE", "Sun Sunday S"),
        ("D DDD", "60 060"),
        ("S SS SSS SSSSSS", "1 12 120 120000"),
        ("n", "120000000"),
        ("yy y yyyy", "26 2026 2026"),
        ("X x xxx Z ZZZZ O", "Z +00 +00:00 +0000 GMT GMT"),
        ("'it''s' G", "it's AD"),
        ("strict_date", "2026-03-01"),
        ("basic_date", "20260301"),
        ("strict_date_time", "2026-03-01T15:05:09.120Z"),
    ],
)
def test_date_format(pattern, text):
    assert date_formatter(pattern)(AFTERNOON) == text


@pytest.mark.parametrize(
    "pattern, text, parsed",
    [
        ("dd/MMM/yyyy", "01/Mar/2026", "2026-03-01T00:00:00"),
        ("d MMMM yyyy", "1 March 2026", "2026-03-01T00:00:00"),
        ("yyyy-MM-dd HH:mm:ssZ", "2026-03-01 10:00:00+0100", "2026-03-01T09:00:00"),
        ("yyyy-MM-dd'T'HH:mm:ssXXX", "2026-03-01T10:00:00-05:30", "2026-03-01T15:30:00"),
        ("dd/MMM/yyyy:HH:mm:ss Z", "01/Mar/2026:10:00:00 +0000", "2026-03-01T10:00:00"),
        ("h:mm a, d.M.yy", "3:05 PM, 1.3.26", "2026-03-01T15:05:00"),
        ("hh a yyyy", "12 AM 2026", "2026-01-01T00:00:00"),
        ("yyyy D", "2026 60", "2026-03-01T00:00:00"),
        ("EEE, d MMM yyyy", "Sun, 1 Mar 2026", "2026-03-01T00:00:00"),
        ("EEE, d MMM yyyy", "Mon, 1 Mar 2026", None),
        ("yyyy-MM-dd", "2026-02-30", None),
        ("yyyy D", "2026 366", None),
        ("strict_date", "2026-03-01", "2026-03-01T00:00:00"),
        ("yyyyMMdd kk", "20260301 24", "2026-03-01T00:00:00"),
    ],
)
def test_date_parse(pattern, text, parsed):
    if parsed is None:
        with pytest.raises(ValueError):
            date_parser(pattern)(text)
        return
    expected = datetime.fromisoformat(parsed).replace(tzinfo=UTC)
    assert date_parser(pattern)(text) == to_milliseconds(expected)


@given(st.datetimes(datetime(1970, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC)))
@pytest.mark.parametrize(
    "pattern",
    [
        "yyyy-MM-dd HH:mm:ss.SSS",
        "EEE d MMM yyyy h:mm:ss.SSS a",
        "DDD/yyyy kk:mm:ss.SSSSSSXXX",
        "MMMM dd uuuu K:mm:ss.SSS a Z",
    ],
)
def test_formatted_date_parses_to_itself(pattern, date):
    parsed = date_parser(pattern)(date_formatter(pattern)(date))
    assert parsed == to_milliseconds(date.replace(microsecond=date.microsecond // 1000 * 1000))


@pytest.mark.parametrize(
    "call, column, says",
    [
        ('date_format("ttt", @timestamp)', 13, "ttt"),
        ('date_format("date_optional_time", @timestamp)', 13, "date_optional_time"),
        ('date_format("yyyy W", @timestamp)', 13, "W in"),
        ('date_format("yyyy[-MM]", @timestamp)', 13, "[ in"),
        ('date_format("yyyy\'T", @timestamp)', 13, "' in"),
        ('date_format("MMMMMM", @timestamp)', 13, "MMMMMM"),
        ('date_parse("w yyyy", "1 2026")', 12, "w in"),
        ('date_parse("HH:mm", "10:00")', 12, "names no year"),
        ('date_parse("yyyy h", "2026 3")', 12, "needs both h and a"),
        ('date_parse("yyyy yyyy", "2026 2026")', 12, "names a part twice"),
        ('date_parse("yyyy HH hh a", "x")', 12, "names a part twice"),
        ('date_diff("fortnight", @timestamp, @timestamp)', 11, "no unit of time fortnight"),
        ('date_diff("secnds", @timestamp, @timestamp)', 11, "did you mean seconds?"),
        ('date_extract("yeer", @timestamp)', 14, "did you mean year?"),
        ('date_extract("fiscal_quarter", @timestamp)', 14, "no part of a date"),
        ('hash("sha-257", event.action)', 6, "no algorithm sha-257"),
        ('cidr_match(source.ip, "10.0.0.0/8", "10.0.0.0/99")', 37, "10.0.0.0/99"),
    ],
)
def test_unknown_pattern_or_unit_is_refused_with_its_place(call, column, says):
    with pytest.raises(EsqlError) as caught:
        plan(f"from logs-aws.cloudtrail-*\n| eval x = {call}", field_table())
    assert says in caught.value.message
    assert (caught.value.line, caught.value.column) == (2, len("| eval x = ") + column)


def one_month_later(date: datetime, day: int) -> datetime:
    """Walk on day by day: the oracle knows months by what the calendar writes."""
    later = date.replace(day=1)
    month = later.month
    while later.month == month:
        later += timedelta(days=1)
    month = later.month
    while later.day < day and (later + timedelta(days=1)).month == month:
        later += timedelta(days=1)
    return later


@given(
    st.datetimes(datetime(1890, 1, 1), datetime(2110, 1, 1)),
    st.integers(0, 30),
    st.integers(-400, 400),
    st.booleans(),
)
def test_period_of_months_and_days_against_a_walk_over_the_calendar(date, months, days, reverse):
    start = date.replace(microsecond=0)
    expected = start
    for _ in range(months):
        expected = one_month_later(expected, start.day)
    expected += timedelta(days=days)
    period = f"{months} months {'-' if days < 0 else '+'} {abs(days)} days"
    if reverse:
        period = f"{days} days + {months} months" if days >= 0 else period
    value, type = evaluate(f'"{start.isoformat()}Z" + ({period})')
    assert type == "date"
    assert value == evaluate(f'"{expected.isoformat()}Z"::date')[0]


@given(
    st.datetimes(datetime(1890, 1, 1), datetime(2110, 1, 1)),
    st.integers(0, 30),
    st.integers(0, 400),
)
def test_period_is_taken_away_months_first(date, months, days):
    start = date.replace(microsecond=0)
    month = start.year * 12 + start.month - 1 - months
    first = datetime(month // 12, month % 12 + 1, 1, start.hour, start.minute, start.second)
    expected = first
    while expected.day < start.day and (expected + timedelta(days=1)).month == first.month:
        expected += timedelta(days=1)
    expected -= timedelta(days=days)
    value, _ = evaluate(f'"{start.isoformat()}Z" - ({months} months + {days} days)')
    assert value == evaluate(f'"{expected.isoformat()}Z"::date')[0]
