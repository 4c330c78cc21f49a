"""The table of segments: where events are, which segments are unpacked, and their sizes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from detector.store import Store
from detector.store.packing.segment import Segment, StoredRow
from detector.store.packing.segment_writer import insert_segment, segments_of
from detector.store.packing.state_query import StateQuery, query_of
from detector.store.segments import segment_table
from detector.store.segments.segment_table import RowPlace, SegmentGone, SegmentTable
from tests.detector.store.test_segments import event, segments, store
from tests.detector.trail import START, call, lines, scan, write

__all__ = ["store"]


def numbered(*numbers: int) -> list[StoredRow]:
    """Rows whose identity and time are a number."""
    return [StoredRow(number.to_bytes(16, "big"), event(number), 1, 0) for number in numbers]


@pytest.mark.parametrize("count", [1, 16, 17])
@pytest.mark.parametrize("shift", [0, 1000])
def test_events_are_located_also_at_another_time(store: Store, count: int, shift: int) -> None:
    """Few are searched one by one; where the time is another, all segments are searched."""
    table = SegmentTable(store.database)
    with store.database.transaction() as connection:
        for first in (0, 50, 100):
            table.append(connection, numbered(*range(first, first + 30)), is_fresh=False)
        query = query_of(connection)
        asked = numbered(*range(50, 50 + count - 1), 19)
        times = {each.identity: each.row.time + shift for each in asked}
        found = table.locate(query, {**times, b"nowhere": 45})
        assert found.keys() == times.keys()
        for identity, place in found.items():
            assert table.load(query, place.segment_id).identity(place.number) == identity
        assert table.locate(query, {}) == {}


def test_events_are_looked_for_near_their_times_first(store: Store) -> None:
    """What is found near them ends it; else all other segments are read, and none is twice."""
    table = SegmentTable(store.database)
    with store.database.transaction() as connection:
        for numbers in ((1, 5), (10,), (11, 15), (20, 30)):
            table.append(connection, numbered(*numbers), is_fresh=False)
        query = query_of(connection)
        one, ten, eleven, twenty = [span.segment_id for span in table.spans(query, 0, 99)]

        def read_for(identity: bytes, time: int) -> tuple[list[int], list[RowPlace]]:
            read: list[int] = []

            def reading(sql: str, *parameters: object) -> list[Any]:
                if sql.startswith("SELECT identities"):
                    read.extend(int(str(each)) for each in parameters)
                return query(sql, *parameters)

            return read, list(table.locate(reading, {identity: time}).values())

        [wanted] = [each.identity for each in numbered(10)]
        assert read_for(wanted, 10) == ([ten], [RowPlace(ten, 0)])
        assert read_for(wanted, 12)[1] == [RowPlace(ten, 0)]
        [wanted] = [each.identity for each in numbered(11)]
        assert read_for(wanted, 10)[1] == [RowPlace(eleven, 0)]
        for time, near in ((10, ten), (13, eleven)):
            read, found = read_for(b"nowhere", time)
            assert (read[0], sorted(read), found) == (near, sorted([one, ten, eleven, twenty]), [])


@pytest.mark.parametrize("more", [0, 20])
def test_event_is_not_found_where_two_others_meet(store: Store, more: int) -> None:
    """The end of one identity and the beginning of the next look like a third."""
    before, after = b"\1" * 8 + bytes(8), bytes(8) + b"\1" * 8
    table = SegmentTable(store.database)
    with store.database.transaction() as connection:
        # By their times; by themselves they would be the other way round.
        rows = [StoredRow(before, event(1), 1, 0), StoredRow(after, event(2), 1, 0)]
        table.append(connection, [*rows, *numbered(*range(100, 100 + more))], is_fresh=False)
        asked = [bytes(16), before, after, *(row.identity for row in numbered(*range(100, 120)))]
        found = table.locate(query_of(connection), dict.fromkeys(asked[: 3 + more], 50))
    assert [place.number for place in found.values() if place.number < 2] in ([0, 1], [1, 0])
    assert found.keys() == {*asked[1 : 3 + more]}


def test_segments_of_any_time_are_returned_in_order(store: Store) -> None:
    """Also for a span without an end, whose bounds SQLite has no number for, and before 1970."""
    table = SegmentTable(store.database)
    with store.database.transaction() as connection:
        for time in (7, -50, 90):
            rows = [StoredRow(bytes([90 + time] * 16), event(time), 1, 0)]
            table.append(connection, rows, is_fresh=False)
        query = query_of(connection)
        for start, end, times in (
            (-math.inf, math.inf, [-50, 7, 90]),
            (-50, 90, [-50, 7]),
            (-49, 91, [7, 90]),
            (7, 8, [7]),
            (8, 90, []),
        ):
            spans = table.spans(query, start, end)
            assert [(span.first, span.last) for span in spans] == [(time, time) for time in times]
            # Another process, which holds none of them unpacked.
            held = SegmentTable(store.database).between(query, start, end)
            assert [list(each.times) for each in held] == [[time] for time in times]


def test_segments_are_fresh_until_alerts_were_derived(store: Store) -> None:
    table = SegmentTable(store.database)
    with store.database.transaction() as connection:
        for first, is_fresh in ((40, True), (0, False), (20, True)):
            table.append(connection, numbered(first, first + 5), is_fresh)
    earlier, later = table.fresh()
    assert (earlier[:2], later[:2]) == ((20, 25), (40, 45))
    with store.database.transaction() as connection:
        table.mark_derived(connection, [earlier])
    assert table.fresh() == [later]


def test_rows_are_removed_from_their_segments(store: Store) -> None:
    table = SegmentTable(store.database)
    with store.database.transaction() as connection:
        for numbers in (range(5), range(10, 12), range(20, 25)):
            table.append(connection, numbered(*numbers), is_fresh=True)
        query = query_of(connection)
        kept = table.spans(query, 20, 25)
        asked = {each.identity: each.row.time for each in numbered(1, 3, 10, 11)}
        # Another process, which holds none of them unpacked.
        SegmentTable(store.database).remove(connection, table.locate(query, asked).values())
        left = [row.row.time for each in table.between(query, 0, 99) for row in each.rows()]
        assert left == [0, 2, 4, *range(20, 25)]
        assert table.spans(query, 20, 25) == kept
    assert {fresh for _, fresh in segments(store)} == {1}


def test_segments_that_were_not_used_for_longest_are_dropped(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By their parts; one is always held, and what was dropped is read again."""
    table = SegmentTable(store.database)
    with store.database.transaction() as connection:
        for first in (0, 10, 20, 30):
            table.append(connection, numbered(*range(first, first + 5)), is_fresh=False)
        query = query_of(connection)
        one, two, three, four = [span.segment_id for span in table.spans(query, 0, 99)]
        parts = table.load(query, one).parts
        monkeypatch.setattr(segment_table, "_UNPACKED_PARTS", 3 * parts)
        table = SegmentTable(store.database)
        for segment_id in (one, two, three, one, one):
            table.load(query, segment_id)
        assert list(table._unpacked) == [two, three, one]
        held = table.load(query, one)
        assert [row.row.time for row in table.load(query, four).rows()] == [*range(30, 35)]
        assert list(table._unpacked) == [three, one, four]
        assert table.load(query, one) is held
        for segment_id in (two, three, four):
            table.load(query, segment_id)
        assert list(table._unpacked) == [two, three, four]
        monkeypatch.setattr(segment_table, "_UNPACKED_PARTS", 0)
        for segment_id in (one, two):
            table.load(query, segment_id)
            assert list(table._unpacked) == [segment_id]


@pytest.mark.parametrize(("most", "merged"), [(32, 4), (33, 5), (40, 5), (99, 9)])
def test_so_many_rows_are_merged_at_once(
    store: Store, monkeypatch: pytest.MonkeyPatch, most: int, merged: int
) -> None:
    """The earliest; what is left is too few to be merged. Fresh ones stay by themselves."""
    monkeypatch.setattr(segment_table, "_MERGED_ROWS", most)
    table = SegmentTable(store.database)
    with store.database.transaction() as connection:
        for number in range(9):
            first = 8 * (number * 5 % 9)
            table.append(connection, numbered(*range(first, first + 8)), is_fresh=True)
        for number in range(7):
            table.append(connection, numbered(900 + number), is_fresh=False)
        # Another process, which holds none of them unpacked.
        SegmentTable(store.database).merge_small(connection)
        spans = table.spans(query_of(connection), 0, 899)
        held = table.between(query_of(connection), 0, 899)
    assert spans[0][:2] == (0, 8 * merged - 1)
    assert [span.first for span in spans[1:]] == [8 * number for number in range(merged, 9)]
    assert [time for segment in held for time in segment.times] == [*range(72)]
    assert sorted(segments(store)) == sorted(
        [(8 * merged, 1), *[(8, 1)] * (9 - merged), *[(1, 0)] * 7]
    )


def test_events_of_a_file_that_grew_are_all_given(store: Store, tmp_path: Path) -> None:
    """Past a segment of another file, which begins before them."""
    for name, records in (
        ("x", [call(5)]),
        ("y", [call(0), call(10)]),
        ("x", [call(5), call(30)]),
    ):
        write(tmp_path, f"{name}.jsonl", lines(records))
        scan(tmp_path, store=store)
    table = SegmentTable(store.database)
    with store.database.transaction() as connection:
        SegmentTable(store.database).give(connection, 1, 77, (START, START + 99))
        held = table.between(query_of(connection), START, START + 99)
    assert sorted(row.file_id for each in held for row in each.rows()) == [2, 2, 77, 77]


def test_segment_that_was_merged_meanwhile_is_asked_for_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = SegmentTable(store.database)
    load, gone = table.load, [SegmentGone]

    def load_later(query: StateQuery, segment_id: int) -> Segment:
        if gone:
            raise gone.pop()
        return load(query, segment_id)

    monkeypatch.setattr(table, "load", load_later)
    with store.database.transaction() as connection:
        table.append(connection, numbered(1, 2), is_fresh=False)
        assert len(table.between(query_of(connection), 0, 9)) == 1
    assert not gone


def test_rows_are_ordered_by_time_and_identity_alone() -> None:
    """Whatever else they hold: events are not compared."""
    rows = [
        StoredRow(bytes([identity] * 16), event(time, region=region), file_id, 0)
        for file_id, (time, identity, region) in enumerate(
            [(5, 1, "b"), (3, 2, "b"), (5, 0, "z"), (3, 2, "a"), (3, 1, "c")]
        )
    ]
    (ordered,) = segments_of(rows)
    assert [row.file_id for row in ordered] == [4, 1, 3, 2, 0]
    assert list(segments_of([])) == []


@pytest.mark.parametrize(
    ("count", "tier"), [(31, 0), (32, 1), (255, 1), (256, 2), (1023, 2), (1024, 3)]
)
def test_segment_is_of_the_tier_of_its_size(store: Store, count: int, tier: int) -> None:
    rows = [StoredRow(number.to_bytes(16, "big"), event(), 1, 0) for number in range(count)]
    with store.database.transaction() as connection:
        insert_segment(connection, rows, is_fresh=False)
    assert store.database.rows("SELECT tier FROM segment") == [(tier,)]


def test_highest_random_number_is_an_id(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite has no larger ones."""
    monkeypatch.setattr("secrets.randbits", lambda bits: (1 << bits) - 1)
    with store.database.transaction() as connection:
        segment_id, _ = insert_segment(connection, numbered(1), is_fresh=False)
    assert store.database.rows("SELECT segment_id FROM segment") == [(segment_id,)]
