"""ES|QL's functions of numbers and its buckets, against other ways to compute the same."""

from __future__ import annotations

import cmath
import math
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.esql.expressions.bucket_size import date_bucket_size
from detector.esql.expressions.timespan import TemporalAmount
from detector.esql.functions.multivalues import mv_percentile
from tests.detector.esql.test_expressions import evaluate

NUMBERS = st.floats(-1e3, 1e3, allow_subnormal=False)


@pytest.mark.parametrize("name", ["sin", "cos", "tan", "sinh", "cosh", "tanh"])
@given(number=st.floats(-300, 300, allow_subnormal=False))
def test_function_of_an_angle_matches_that_of_complex_numbers(name, number):
    expected = getattr(cmath, name)(complex(number))
    assert evaluate(f"{name}({number!r})")[0] == pytest.approx(expected.real, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", ["asin", "acos", "atan", "asinh", "acosh"])
@given(number=NUMBERS)
def test_inverse_is_null_where_complex_numbers_leave_the_line(name, number):
    expected = getattr(cmath, name)(complex(number))
    value, type = evaluate(f"{name}({number!r})")
    assert type == "double"
    if abs(expected.imag) > 1e-9:
        assert value is None
    elif value is not None:  # next to the end of the domain the imaginary part vanishes
        assert value == pytest.approx(expected.real, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    "outside", ["acos(1.5)", "asin(-2)", "acosh(0.5)", "atanh(1)", "cosh(800)"]
)
def test_value_outside_of_the_domain_is_null(outside):
    assert evaluate(outside) == (None, "double")


@given(st.floats(-0.999, 0.999), NUMBERS, NUMBERS)
def test_atanh_and_atan2_undo_what_they_are_named_after(number, y, x):
    assert math.tanh(evaluate(f"atanh({number!r})")[0]) == pytest.approx(number, abs=1e-9)
    angle = evaluate(f"atan2({y!r}, {x!r})")[0]
    assert angle == pytest.approx(cmath.phase(complex(x, y)))


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=9), st.integers(0, 4))
def test_percentile_of_integers_lies_on_the_line_between_two(numbers, quarter):
    ordered = sorted(numbers)
    index = Fraction(quarter, 4) * (len(ordered) - 1)
    low = index.numerator // index.denominator
    lower, upper = ordered[low], ordered[min(low + 1, len(ordered) - 1)]
    exact = lower + (index - low) * (upper - lower)
    value = mv_percentile(numbers, 25 * quarter, types=("long", "integer"))
    if lower > -(2**52) and upper < 2**52:  # by doubles, so that the last place may be another
        assert value == lower + math.floor(exact - lower) or abs(exact - value) <= 2
    else:
        assert value == math.trunc(exact)


@given(st.integers(-(10**9), 10**9), st.integers(1, 10**6))
def test_bucket_of_a_number_begins_at_the_multiple_below_it(number, size):
    start, type = evaluate(f"bucket({number}, {size})")
    assert type == "double"
    assert start % size == 0 and start <= number < start + size


@given(st.integers(1, 1000), st.integers(-(10**6), 10**6), st.integers(1, 10**6))
def test_size_of_number_buckets_is_one_or_five_and_reaches(most, start, length):
    value = evaluate(f"bucket({start}, {most}, {start}, {start + length})")[0]
    sizes = [digit * 10.0**power for power in range(-4, 8) for digit in (1, 5)]
    size = next(each for each in sizes if each * most >= length * (1 - 1e-12))
    assert value == pytest.approx(math.floor(start / size) * size)


SIZES = [
    ("week", 7 * 86400),
    ("day", 86400),
    ("12 hours", 43200),
    ("3 hours", 10800),
    ("1 hour", 3600),
    ("30 minutes", 1800),
    ("10 minutes", 600),
    ("5 minutes", 300),
    ("1 minute", 60),
    ("30 seconds", 30),
    ("10 seconds", 10),
    ("5 seconds", 5),
    ("1 second", 1),
]


def starts_between(seconds: int, start: datetime, end: datetime) -> int:
    """Count the buckets that have a part of the range, one by one."""
    epoch = datetime(1970, 1, 5 if seconds == 7 * 86400 else 1, tzinfo=UTC)
    position = epoch + (start - epoch) // timedelta(seconds=seconds) * timedelta(seconds=seconds)
    count = 0
    while position < end and count < 2000:
        position += timedelta(seconds=seconds)
        count += 1
    return count


@given(
    st.integers(2, 300),
    st.datetimes(datetime(1975, 1, 1), datetime(2040, 1, 1)),
    st.timedeltas(timedelta(hours=1), timedelta(days=13)),
)
def test_size_of_date_buckets_is_the_shortest_that_reaches(most, start, length):
    start = start.replace(tzinfo=UTC, microsecond=0)
    end = start + timedelta(seconds=int(length.total_seconds()))
    fitting = [s for _, s in SIZES if starts_between(s, start, end) <= most]
    amount = date_bucket_size(most, int(start.timestamp()) * 1000, int(end.timestamp()) * 1000)
    if fitting and fitting[-1] > 1:
        assert (amount.length // 1000 or amount.days * 86400) == fitting[-1]


@pytest.mark.parametrize(
    "most, start, end, size",
    [
        (20, "1985-01-01", "1986-01-01", (1, "month")),
        (100, "1985-01-01", "1986-01-01", (1, "week")),
        (3, "1985-01-01", "1986-01-01", (1, "year")),
        (1, "1985-01-01", "1999-01-01", (1, "year")),
        (24, "1985-01-01", "1985-01-02", (1, "hour")),
        (1000, "1985-01-01T00:00:00Z", "1985-01-01T00:00:01Z", (1, "ms")),
    ],
)
def test_size_of_date_buckets_as_the_reference_has_it(most, start, end, size):
    def milliseconds(text):
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)

    amount = date_bucket_size(most, milliseconds(start), milliseconds(end))
    assert amount == TemporalAmount.of(*size)
