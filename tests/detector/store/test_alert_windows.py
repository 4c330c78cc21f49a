"""The windows of alerts, asked segment by segment."""

from __future__ import annotations

from collections import defaultdict
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.cloudtrail.record import identity
from detector.detection.event import EventClient, KeptEvent, Matches, Position, Series
from detector.detection.finding import alert_id
from detector.store import Store
from detector.store.packing.packer import pack
from detector.store.packing.segment import Segment, StoredRow
from detector.store.packing.state_query import StateQuery
from detector.store.segments.alert_windows import AlertWindow, AlertWindows
from detector.store.segments.segment_spans import SegmentSpan
from detector.store.segments.segment_table import SegmentGone, SegmentTable
from detector.store.window_table import WindowTable
from tests.detector.store.test_segments import event

KEYED = [Series("counts", ("ana",)), Series("counts", ("bob",)), Series("other", ("ana",))]
SINGLE = Series("single", None)
CLIENT = EventClient("111122223333", *[""] * 8)
TIMES = st.integers(-20, 60)


def row(number: int, time: int, series: list[Series]) -> StoredRow:
    name = f"event-{number}"
    matches: Matches = tuple((each, ()) for each in series)
    kept = KeptEvent(
        time, CLIENT, event(0).call, "", "", name, Position("", 0, number), matches, ()
    )
    return StoredRow(identity(CLIENT.account, name), kept, 1, 0)


ROWS = st.lists(
    st.tuples(TIMES, st.lists(st.sampled_from([*KEYED, SINGLE]), unique=True, max_size=4)),
    min_size=1,
    max_size=12,
).map(lambda drawn: [row(number, *each) for number, each in enumerate(drawn)])
SPANS = st.tuples(TIMES, st.integers(1, 25)).map(lambda span: (span[0], sum(span)))


@given(ROWS, st.integers(1, 4), st.lists(st.tuples(st.sampled_from(KEYED), SPANS), max_size=8))
def test_events_are_those_of_the_series_in_the_span(
    rows: list[StoredRow], parts: int, spans: list[tuple[Series, tuple[int, int]]]
) -> None:
    """However rows lie in segments. Of a rule without a window each event has its own alert."""
    windows = [
        AlertWindow(f"{number}", series, 10, *span) for number, (series, span) in enumerate(spans)
    ]
    single = {
        alert_id("single", f"event-{number}", (CLIENT.account, f"event-{number}")): stored
        for number, stored in enumerate(rows)
        if number % 2 and any(match[0] == SINGLE for match in stored.row.matches)
    }
    windows += [
        AlertWindow(name, SINGLE, 1, stored.row.time, stored.row.time + 1)
        for name, stored in single.items()
    ]
    wanted = {
        window.alert_id: {
            stored.identity
            for stored in rows
            if window.start <= stored.row.time < window.until
            and any(match[0] == window.series for match in stored.row.matches)
        }
        for window in windows
        if window.series is not SINGLE
    } | {name: {stored.identity} for name, stored in single.items()}
    asked = AlertWindows(windows)
    found = defaultdict(list)
    for first in range(min(parts, len(rows))):
        part = sorted(rows[first::parts], key=lambda stored: stored.order)
        segment = pack(part).segment()
        span = SegmentSpan(segment.times[0], segment.times[-1], 0)
        events = list(asked.events_in(segment))
        is_near = any(window.start <= span.last and window.until > span.first for window in windows)
        assert asked.overlap(span) == is_near
        assert is_near or not events
        for name, numbers in events:
            found[name] += map(segment.identity, numbers)
    assert {name: sorted(ids) for name, ids in found.items()} == {
        name: sorted(ids) for name, ids in wanted.items() if ids
    }


def test_segments_are_looked_up_once_for_all_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is merged away meanwhile is looked up anew, and nothing is there twice."""
    with closing(Store.open(None)) as store:
        table = SegmentTable(store.database)
        rows = [row(number, number, [KEYED[number % 2]]) for number in range(40)]
        with store.database.transaction() as connection:
            for first in (0, 10, 20, 30):
                table.append(connection, rows[first : first + 10], is_fresh=False)
        loaded: list[int] = []
        load = table.load

        def count(query: StateQuery, segment_id: int) -> Segment:
            loaded.append(segment_id)
            return load(query, segment_id)

        def gone_once(query: StateQuery, segment_id: int) -> Segment:
            if len(loaded) == 1:
                loaded.append(segment_id)
                raise SegmentGone
            return count(query, segment_id)

        windows = [
            AlertWindow("early", KEYED[0], 10, 0, 8),
            AlertWindow("also early", KEYED[1], 10, 3, 12),
            AlertWindow("late", KEYED[0], 10, 35, 40),
        ]
        one, two, _, four = [span.segment_id for span in table.spans(table.committed, 0, 99)]
        for reading, expected in (
            (count, [one, two, four]),
            (gone_once, [one, two, one, two, four]),
        ):
            monkeypatch.setattr(table, "load", reading)
            found = WindowTable(store.database, table).rows(
                table.committed,
                windows,
                lambda segment, numbers: map(segment.times.__getitem__, numbers),
            )
            assert loaded == expected
            assert found == {
                "early": [0, 2, 4, 6],
                "also early": [3, 5, 7, 9, 11],
                "late": [36, 38],
            }
            loaded.clear()
