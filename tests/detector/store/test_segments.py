"""Segments: packed events, merged by size, each event once."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.detection.event import (
    EVENT_REGION,
    EVENT_TIME,
    EventCall,
    EventClient,
    KeptEvent,
    Position,
    Series,
    inputs_at,
    inputs_without_time,
    unite_events,
)
from detector.store import Store
from detector.store.derivation.term_runs import join_runs
from detector.store.packing.packer import SEGMENT_ROWS, pack
from detector.store.packing.segment import Segment, StoredRow, inputs_of
from detector.store.packing.state_query import query_of
from detector.store.segments.segment_table import SegmentTable, _number_of
from tests.detector.store.older_state import take_back
from tests.detector.trail import REGIONS, START, call, outcome, scan, sweep, write

TEXT = st.text("aé\n", max_size=3)
SERIES = st.builds(
    Series,
    st.sampled_from(["r1", "r2"]),
    st.none() | st.tuples(TEXT, st.none() | st.integers(-2, 2)),
)
MARKS = st.sampled_from([EVENT_TIME, EVENT_REGION])
INPUTS = st.tuples(st.none() | TEXT | MARKS, st.lists(st.integers(0, 3), max_size=2))
MATCHES = st.lists(st.tuples(SERIES, INPUTS), max_size=3, unique_by=lambda it: it[0]).map(tuple)
CLIENTS = st.builds(EventClient, *[TEXT for _ in EventClient._fields])
CALLS = st.builds(EventCall, *[TEXT for _ in EventCall._fields])


@st.composite
def events(draw: st.DrawFn) -> KeptEvent:
    return KeptEvent(
        draw(st.integers(-(1 << 33), 1 << 38)),
        draw(CLIENTS),
        draw(CALLS),
        draw(TEXT),
        draw(TEXT),
        draw(st.none() | st.just("e1")),
        Position("", draw(st.integers(0, 1 << 40)), draw(st.integers(0, 70_000))),
        draw(MATCHES),
        draw(st.lists(st.tuples(st.integers(0, 99), MATCHES), max_size=2).map(tuple)),
    )


ROWS = st.lists(
    st.builds(
        StoredRow,
        st.binary(min_size=16, max_size=16),
        events(),
        st.integers(1, 300),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda stored: stored.identity,
).map(lambda rows: sorted(rows, key=lambda stored: stored.order))


@settings(max_examples=60)
@given(ROWS)
def test_rows_are_unpacked_as_they_were_packed(rows: list[StoredRow]) -> None:
    packed = pack(rows)
    segment = Segment.unpack(packed.identities, packed.body())
    assert segment.rows() == packed.segment().rows() == rows
    assert (packed.first, packed.last, packed.rows) == (
        rows[0].row.time,
        rows[-1].row.time,
        len(rows),
    )
    claimed = [claim for row in rows for claim in ((0, row.row.matches), *row.row.stale)]
    assert packed.hits == Counter(series.rule_id for _, them in claimed for series, _ in them)
    for number, stored in enumerate(rows):
        assert segment.find(stored.identity, stored.row.time) == number
    of_each: dict[Series, list[int]] = {}
    for number, stored in enumerate(rows):
        matched = [*stored.row.matches, *[each for _, them in stored.row.stale for each in them]]
        for series in {series for series, _ in matched}:
            of_each.setdefault(series, []).append(number)
    assert all(sorted(segment.numbers_of(each)) == found for each, found in of_each.items())
    assert segment.numbers_of(Series("no rule", None)) == ()


def test_inputs_at_each_time_and_region_are_packed_once() -> None:
    inputs = ("a", EVENT_TIME, 1, EVENT_REGION)
    regions = ["", "-", *map(str, range(2, 9))]
    rows = [
        StoredRow(bytes([time] * 16), event(time, region=region, matches=((ONE, inputs),)), 1, 0)
        for time, region in enumerate(regions)
    ]
    packed = pack(rows)
    segment = Segment.unpack(packed.identities, packed.body())
    assert len(segment.numbered_matches) == 1
    hits = [segment.hit(number, ONE, 60) for number in range(9)]
    assert [hit.inputs for hit in hits if hit] == [
        ("a", time * 1000, 1, region if time > 1 else None) for time, region in enumerate(regions)
    ]


@given(st.lists(st.none() | st.booleans() | st.sampled_from([0, 1, 1000, 1000.0, "1"])))
def test_inputs_without_time_are_the_same_at_it(values: list[object]) -> None:
    for time in (0, 1):
        timeless = inputs_without_time(tuple(values), time)
        assert list(map(repr, inputs_at(timeless, time, "eu"))) == list(map(repr, values))
        assert not any(type(value) is int and value == time * 1000 for value in timeless)


def test_copies_of_other_versions_are_compared_by_their_time() -> None:
    old = event(7, matches=((ONE, (7000, "b")), (OTHER, (EVENT_TIME,))))
    new = event(7, matches=((ONE, (EVENT_TIME, "a")), (OTHER, (7000,))))
    for pair in ((old, new), (new, old)):
        united = unite_events(bytes(16), *pair)
        assert inputs_of(united, ONE, 60) == (7000, "a"), "the smaller one stands"
        assert inputs_of(united, OTHER, 60) == (7000,)


def test_copies_of_other_versions_are_compared_by_their_region() -> None:
    old = event(7, region="eu", matches=((ONE, ("eu", "b")), (OTHER, (EVENT_REGION,))))
    new = event(7, region="eu", matches=((ONE, (EVENT_REGION, "a")), (OTHER, ("eu",))))
    for pair in ((old, new), (new, old)):
        united = unite_events(bytes(16), *pair)
        assert inputs_of(united, ONE, 60) == ("eu", "a"), "the smaller one stands"
        assert inputs_of(united, OTHER, 60) == ("eu",)


@given(st.permutations([("eu", 3), ("us", 3), ("us", 4), ("af", 4)]))
def test_matches_of_another_region_say_theirs(order: list[tuple[str, int]]) -> None:
    """Whichever record came first, at its time or another."""
    united = None
    for region, time in order:
        matches = ((Series(region, ("k",)), (EVENT_REGION,)), (ONE, (EVENT_REGION,)))
        record = event(time, region=region, matches=matches)
        united = record if united is None else unite_events(bytes(16), united, record)
    assert united is not None and (united.time, united.region) == (3, "eu")
    for region in ("eu", "us", "af"):
        assert inputs_of(united, Series(region, ("k",)), 60) == (region,)
    assert inputs_of(united, ONE, 1) == ("eu",)
    assert inputs_of(united, ONE, 60) == ("af",), "of those in one bucket the smallest"


def test_damaged_segment_is_no_segment() -> None:
    packed = pack([StoredRow(bytes(16), event(), 1, 0)])
    whole = packed.body()
    for body in (whole[:-4], b"", whole[:9] + b"\xff" * 9):
        with pytest.raises(msgspec.MsgspecError):
            Segment.unpack(packed.identities, body)


def event(time: int = 0, error: str = "", **changed: object) -> KeptEvent:
    made = KeptEvent(
        time,
        EventClient(*"abcdefghi"),
        EventCall("p", "a", error),
        "r",
        "",
        None,
        Position("x", 0, 0),
    )
    return msgspec.structs.replace(made, **changed)


ONE, OTHER = Series("one", ("k",)), Series("other", ("k",))


def test_smaller_record_stands_with_the_matches_of_both() -> None:
    smaller = event(10, matches=((ONE, (2,)),))
    larger = event(40, matches=((ONE, (1,)), (OTHER, (0,))))
    for pair in ((smaller, larger), (larger, smaller)):
        united = unite_events(bytes(16), *pair)
        assert (united.time, united.matches) == (10, ((ONE, (2,)),))
        assert united.stale == ((40, ((ONE, (1,)), (OTHER, (0,)))),)
        assert inputs_of(united, OTHER, 30) is None, "it is in another bucket"
        assert inputs_of(united, ONE, 60) == (1,), "of those in one bucket the smallest"
    own = event(10, matches=((ONE, (1,)),), stale=((40, ((ONE, (2,)),)),))
    assert inputs_of(own, ONE, 60) == (1,)


@given(st.permutations([(3, 0, ""), (3, 4, "e"), (9, 1, ""), (9, 0, "e"), (3, 0, "e")]))
def test_union_does_not_depend_on_order(order: list[tuple[int, int, str]]) -> None:
    claims = [event(time, error, matches=((ONE, (given,)),)) for time, given, error in order]
    united = claims[0]
    for each in claims[1:]:
        united = unite_events(bytes(16), united, each)
    assert (united.time, united.call.error_code, united.matches) == (3, "", ((ONE, (0,)),))
    assert united.stale == ((9, ((ONE, (0,)),)),)


@given(st.lists(st.integers(0, 60), min_size=1, max_size=12, unique=True), st.data())
def test_runs_join_in_any_order(times: list[int], data: st.DataObject) -> None:
    """Against the definition: a run begins with a hit that has none shortly before it."""
    hits = [(time, bytes([time])) for time in sorted(times)]
    begun = [
        hit
        for last, hit in zip([None, *hits], hits, strict=False)
        if last is None or hit[0] - last[0] >= 10
    ]
    runs: tuple[tuple[int, bytes, int], ...] = ()
    for time, identity in data.draw(st.permutations(hits)):
        runs = join_runs([*runs, (time, identity, time)], 10)
    assert [run[:2] for run in runs] == begun
    assert runs[-1][2] == max(times)


@pytest.fixture
def store() -> Iterator[Store]:
    with closing(Store.open(None)) as store:
        yield store


def segments(store: Store) -> list[tuple[int, int]]:
    return store.database.rows("SELECT length(identities) / 16, fresh FROM segment")


def test_identity_is_found_where_one_begins() -> None:
    """Not where the end of one and the beginning of the next look like it."""
    zeros, before, after = bytes(16), b"\1" * 8 + bytes(8), bytes(8) + b"\1" * 8
    first, last = b"\1" + bytes(15), b"\1" * 15 + bytes(1)
    for number, identities in (
        (0, [zeros, after]),
        (1, [before, zeros, after]),
        (1, [first, zeros]),
        (1, [last, zeros]),
        (2, [before, after, zeros]),
    ):
        assert _number_of(b"".join(identities), zeros) == number
    for identities in ([before, after], [first, after], []):
        assert _number_of(b"".join(identities), zeros) is None


def test_small_segments_are_merged(store: Store) -> None:
    table = SegmentTable(store.database)
    with store.database.transaction() as connection:
        for number in range(100):
            identity = number.to_bytes(16, "big")
            table.append(connection, [StoredRow(identity, event(number), 1, 0)], is_fresh=False)
            table.merge_small(connection)
        query = query_of(connection)
        found = [row.identity for each in table.between(query, 0, 200) for row in each.rows()]
        assert sorted(found) == [number.to_bytes(16, "big") for number in range(100)]
        assert len(table.spans(query, 0, 200)) < 20
        whole = b"".join(table.identities(query))
        assert sorted(whole[at : at + 16] for at in range(0, len(whole), 16)) == sorted(found)


def test_events_of_a_file_are_given_to_the_one_that_replaces_it(
    store: Store, tmp_path: Path
) -> None:
    """Segments of other files stay as they are."""
    for number, name in enumerate("abc"):
        write(tmp_path, f"{name}.json", sweep(10, 900 * number))
        scan(tmp_path, store=store)
    table = SegmentTable(store.database)
    old_id = 2  # of the second file

    def owners() -> dict[int, list[int]]:
        query = table.committed
        return {
            span.segment_id: [row.file_id for row in table.load(query, span.segment_id).rows()]
            for span in table.spans(query, START, START + 9000)
        }

    before, fresh = owners(), segments(store)
    assert sorted(each for ids in before.values() for each in set(ids)) == [1, 2, 3]
    with store.database.transaction() as connection:
        table.give(connection, old_id, 77, (START + 900, START + 1000))
        table.give(connection, 99, 78, (START, START + 9000))
    after = owners()
    kept = {segment_id: ids for segment_id, ids in before.items() if old_id not in ids}
    assert after.items() > kept.items()
    assert [ids for segment_id, ids in after.items() if segment_id not in before] == [[77] * 10]
    assert segments(store) == fresh


def test_full_segments_follow_each_other_in_time(store: Store) -> None:
    table = SegmentTable(store.database)
    rows = [
        StoredRow(number.to_bytes(16, "big"), event(number * 7 % 9000), 1, 0)
        for number in range(2 * SEGMENT_ROWS + 1)
    ]
    with store.database.transaction() as connection:
        table.append(connection, rows, is_fresh=False)
        spans = table.spans(query_of(connection), -1, 1 << 40)
    assert len(spans) == 3
    assert all(one.last <= other.first for one, other in pairwise(spans))


def test_derived_segments_are_no_longer_fresh(store: Store, tmp_path: Path) -> None:
    write(tmp_path, "a.json", sweep(10))
    scan(tmp_path, store=store)
    assert segments(store) == [(10, 0)]


def test_copies_bring_no_segment(store: Store, tmp_path: Path) -> None:
    write(tmp_path, "a.json", sweep(10))
    scan(tmp_path, store=store)
    write(tmp_path, "b.json", sweep(10))
    assert scan(tmp_path, store=store).accounting.records_duplicate == 10
    assert segments(store) == [(10, 0)]


def stored_findings(path: Path) -> list[tuple[str, int, bytes]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(
            "SELECT alert_id, summary_id, content FROM alert JOIN alert_finding USING (number) "
            "ORDER BY alert_id"
        ).fetchall()


def test_rows_of_an_older_state_are_packed(tmp_path: Path) -> None:
    """Alerts, notes and windows stay, without the logs; and what comes then joins them."""
    path, logs = tmp_path / "hunt.db", tmp_path / "logs"
    write(logs, "a.json", sweep(9))
    write(logs, "b.json", [*sweep(10, 60), *[call(61, region) for region in REGIONS[:3]]])
    with closing(Store.open(path)) as store:
        scan(logs, store=store)
        before = store.alerts.all()
        events = store.alerts.events(before[0].alert_id)
        told = outcome(store).accounting
    findings = stored_findings(path)
    take_back(path)
    for log in logs.iterdir():
        log.unlink()
    with closing(Store.open(path)) as store:
        assert store.alerts.all() == before
        assert stored_findings(path) == findings
        assert store.alerts.events(before[0].alert_id) == events
        write(logs, "c.json", [call(0, REGIONS[9]), call(61, REGIONS[0])])
        run = scan(logs, store=store)
        assert [alert.alert_id for alert in run.alerts][:1] == [before[0].alert_id]
        assert [len(alert.event_ids) for alert in run.alerts] == [13, 10]
        assert run.accounting.records_counted == told.records_counted + 1
        assert run.accounting.records_duplicate == told.records_duplicate + 1
