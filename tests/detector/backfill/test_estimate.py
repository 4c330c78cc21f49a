"""Files, bytes and dollars of a backfill, and how it is cut."""

from __future__ import annotations

import pytest

from detector.backfill.estimate import Estimate, days_a_query, estimate_bytes
from detector.backfill.selection import RecordSelection
from detector.backfill.spans import Span, days_of
from detector.backfill.trail_location import TrailLocation
from detector.text.time import DAY

ACCOUNT = "111122223333"
LOCATION = TrailLocation("logs", "AWSLogs/", None, (ACCOUNT,))
START = 1_772_323_200  # 2026-03-01
MONTH = Span(START, START + 31 * DAY)


def test_small_trail_is_counted_exactly() -> None:
    files = {
        f"AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/2026/03/01": [10, 20],
        f"AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/2026/03/02": [5],
        f"AWSLogs/{ACCOUNT}/CloudTrail/eu-west-1/2026/03/01": [7],
        f"AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/2026/03/03": [10_000],  # after the last delivery
    }
    estimate = estimate_bytes(
        LOCATION,
        RecordSelection((ACCOUNT,), ("us-east-1", "eu-west-1")),
        Span(START, START + DAY),
        lambda bucket, prefix: files.get(prefix, []),
    )
    assert estimate == Estimate(4, 42, 4, 4)
    assert "estimated" not in str(estimate)


def test_large_trail_is_estimated_from_a_sample() -> None:
    selection = RecordSelection((ACCOUNT,), tuple(f"region-{index}" for index in range(40)))
    estimate = estimate_bytes(LOCATION, selection, MONTH, lambda bucket, prefix: [100, 100])
    folders = 40 * len(days_of(MONTH))
    assert estimate == Estimate(2 * folders, 200 * folders, folders, 400)
    assert f"estimated from 400 of {folders:,} day folders" in str(estimate)


def test_terabyte_costs_five_dollars_and_its_requests() -> None:
    assert Estimate(0, 10**12, 0, 0).dollars == pytest.approx(5)
    assert Estimate(1_000_000, 0, 1_000, 1_000).dollars == pytest.approx(0.4 + 0.01)


@pytest.mark.parametrize(
    ("files", "size", "days"),
    [(1_000, 10**9, 31), (3_000_000, 10**9, 7), (1_000, 10**13, 1), (10**9, 10**15, 1)],
)
def test_queries_read_no_more_than_athena_ends_in_time(files: int, size: int, days: int) -> None:
    assert days_a_query(Estimate(files, size, 1, 1), MONTH) == days


def test_unmeasured_trail_is_cut_by_weeks() -> None:
    assert days_a_query(None, MONTH) == 7
