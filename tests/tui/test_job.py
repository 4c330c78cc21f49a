"""Work in pieces: the same result, and it can be cancelled."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.concurrency import job
from tui.concurrency.job import Cancelled, Job, sort_in_pieces

Rows = st.lists(st.tuples(st.integers(0, 30), st.integers()), max_size=200)


@given(Rows, st.booleans(), st.integers(1, 40))
def test_sort_in_pieces_equals_sorted(
    rows: list[tuple[int, int]], descending: bool, piece: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job, "_PIECE", piece)
        patch.setattr(job, "_SAMPLES", 4)
        result = sort_in_pieces(rows, lambda row: row[0], Job(), descending=descending)
    assert result == sorted(rows, key=lambda row: row[0], reverse=descending)


def test_sort_in_pieces_sorts_small_buckets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    largest = 0

    def watched(piece: list[int], keys: list[int], descending: bool, job: Job) -> list[int]:
        nonlocal largest
        largest = max(largest, len(piece))
        return plain(piece, keys, descending, job)

    plain = job._sort_bucket
    monkeypatch.setattr(job, "_sort_bucket", watched)
    rows = [number * 7919 % 100_003 for number in range(100_000)]
    assert sort_in_pieces(rows, lambda row: row, Job()) == sorted(rows)
    assert 0 < largest <= 3 * job._PIECE


def test_cancelled_job_ends_and_keeps_share() -> None:
    work, index = Job(), 0
    with pytest.raises(Cancelled):
        for index in work.each(range(10_000)):
            if index == 5_200:
                threading.Thread(target=work.cancel).start()
                while not work.cancelled:
                    pass
    assert 5_200 <= index < 6_000
    assert 0.5 <= work.share < 0.6


def test_sort_can_be_cancelled() -> None:
    work = Job()
    work.cancel()
    with pytest.raises(Cancelled):
        sort_in_pieces(range(50_000), lambda row: row, work)
