"""Segments that share too much of their time are cut anew."""

from __future__ import annotations

from contextlib import closing
from itertools import count, pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.detection.event import Position
from detector.store import Store
from detector.store.packing.segment import StoredRow
from detector.store.segments import segment_spans, segment_table
from detector.store.segments.segment_spans import CROWD, SegmentSpan, crowd_of
from detector.store.segments.segment_table import SegmentTable, query_of
from tests.detector.store.test_segments import event
from tests.detector.trail import REGIONS, START, call, scan, write

HERE = Position("", 0, 0)


def spans(*extents: tuple[int, int]) -> list[SegmentSpan]:
    return sorted(SegmentSpan(*extent, number) for number, extent in enumerate(extents))


def test_segments_of_the_same_hour_are_a_crowd() -> None:
    hour = spans(*[(0, 3600)] * CROWD)
    assert crowd_of(hour[1:]) == ()
    assert sorted(crowd_of(hour)) == hour


def test_segments_of_one_busy_second_are_none() -> None:
    assert crowd_of(spans(*[(7, 7)] * 300)) == ()
    hour = spans(*[(0, 3600)] * CROWD, *[(7, 7)] * 300)
    assert {span.last for span in crowd_of(hour)} == {3600}


def test_segments_that_follow_each_other_are_none() -> None:
    assert crowd_of(spans(*[(start, start + 60) for start in range(0, 6000, 10)])) == ()


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)), max_size=60))
def test_cutting_comes_to_an_end(extents: list[tuple[int, int]]) -> None:
    """A crowd that is cut in order of time becomes as many segments that follow each other."""
    left = spans(*[(start, start + length) for start, length in extents])
    numbers = count(len(left))
    while crowd := crowd_of(left):
        assert len(crowd) == CROWD
        first, last = min(span.first for span in crowd), max(span.last for span in crowd)
        edges = [first + (last - first) * part // CROWD for part in range(CROWD + 1)]
        cut = [SegmentSpan(start, end, next(numbers)) for start, end in pairwise(edges)]
        assert sum(span.seconds for span in cut) * 8 < sum(span.seconds for span in crowd)
        left = sorted([*(span for span in left if span not in crowd), *cut])


@pytest.fixture
def tiny_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have eight rows fill a segment, and fewer be as good."""
    monkeypatch.setattr(segment_table, "SEGMENT_ROWS", 8)
    monkeypatch.setattr(segment_table, "FULL_TIER", 0)


@pytest.mark.usefixtures("tiny_segments")
def test_crowded_segments_are_cut_in_order_of_time() -> None:
    with closing(Store.open(None)) as store, store.database.transaction() as connection:
        table, query = SegmentTable(store.database), query_of(connection)
        rows = [
            StoredRow(number.to_bytes(16, "big"), event(number * 7 % 320, position=HERE), 1, 0)
            for number in range(320)
        ]
        for first in range(40):
            table.append(connection, rows[first::40], is_fresh=first % 2 == 0)
        assert len(table.spans(query, 150, 151)) > 30
        while table.part_crowded(connection):
            pass
        found = [row for segment in table.between(query, 0, 320) for row in segment.rows()]
        assert sorted(found, key=lambda row: row.identity) == rows
        assert len(table.spans(query, 150, 151)) < 16
        assert query("SELECT sum(fresh), count(*) FROM segment") == [(20, 40)]


def test_alerts_are_the_same_of_segments_cut_anew(
    tmp_path: Path, tiny_segments: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Region by region, as logs lie in their folders."""
    logs = tmp_path / "logs"
    for number, region in enumerate(REGIONS[:12]):
        write(logs, f"{number:02}.json", [call(900 * hour, region) for hour in range(8)])
    with closing(Store.open(None)) as store:
        whole = scan(logs, store=store).alerts
    monkeypatch.setattr(segment_spans, "CROWD", 3)
    monkeypatch.setattr(segment_spans, "_WORTHWHILE", 1)
    with closing(Store.open(None)) as store:
        for number in range(12):
            write(
                tmp_path / "one",
                f"{number:02}.json",
                [call(900 * hour, REGIONS[number]) for hour in range(8)],
            )
            run = scan(tmp_path / "one", store=store)
        table = SegmentTable(store.database)
        assert len(table.spans(table.committed, START + 900, START + 901)) < 4
        ids = [alert.event_ids for alert in whole]
        assert len(ids) == 8 and [alert.event_ids for alert in run.alerts] == ids
