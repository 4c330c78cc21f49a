"""The hits of a rule as columns, compared with a look at every row."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.detection.event import EVENT_REGION, EVENT_TIME, Matches, Position, Series
from detector.detection.window import Hit
from detector.store.packing.packer import pack
from detector.store.packing.segment import StoredRow, inputs_of
from detector.store.segments import hit_columns
from detector.store.segments.hit_columns import HitColumns, SeriesHits
from tests.detector.store.test_segments import event

RULE, WIDTH = "r1", 10
SERIES = [Series(rule, (key,)) for rule in (RULE, "r2") for key in "ab"]
MATCHES = st.lists(
    st.tuples(
        st.sampled_from(SERIES),
        st.tuples(st.sampled_from(["x", EVENT_REGION]), st.sampled_from([0, EVENT_TIME])),
    ),
    max_size=3,
    unique_by=lambda match: match[0],
).map(tuple)


@st.composite
def segments(draw: st.DrawFn) -> list[list[StoredRow]]:
    """Rows in segments whose spans may overlap, some of them claimed by several records."""
    stale = st.lists(st.tuples(st.integers(0, 40), MATCHES), max_size=1).map(tuple)
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(0, 40), MATCHES, st.just(()) | st.just(()) | stale, st.integers(0, 2)
            ),
            min_size=1,
            max_size=14,
        )
    )
    cut: dict[int, list[StoredRow]] = {}
    for number, (time, matches, claims, part) in enumerate(rows):
        identity = bytes([number * 37 % 251]) + bytes(15)
        client = event().client._replace(arn=f"arn{number}")
        row = event(
            time,
            position=Position("", 0, number),
            client=client,
            region=f"r{number % 3}",
            matches=matches,
            stale=claims,
        )
        cut.setdefault(part, []).append(StoredRow(identity, row, 1, 0))
    ordered = [sorted(part, key=lambda stored: stored.order) for part in cut.values()]
    return sorted(ordered, key=lambda part: part[0].row.time)


def columns_of(parts: Sequence[Sequence[StoredRow]]) -> HitColumns:
    packed = [pack(part) for part in parts]
    return HitColumns(RULE, [(each.identities, each.body()) for each in packed])


def expected(parts: Sequence[Sequence[StoredRow]], width: int) -> dict[Series, list[Hit]]:
    """Ask every row whether it is a hit of each series of the rule."""
    found: dict[Series, list[Hit]] = {}
    for stored in sorted((row for part in parts for row in part), key=lambda row: row.order):
        for series in SERIES:
            inputs = inputs_of(stored.row, series, width)
            if series.rule_id == RULE and inputs is not None:
                hit = Hit(stored.row.time, stored.identity, inputs, stored.row)
                found.setdefault(series, []).append(hit)
    return found


def check(
    columns: HitColumns, found: dict[Series, SeriesHits], wanted: list[Hit], series: Series
) -> None:
    """Compare the columns of a series with its hits."""
    hits = found[series]
    assert len(hits) == len(wanted)
    assert hits.times == [hit.time for hit in wanted]
    assert hits.inputs == [hit.inputs for hit in wanted]
    assert hits.callers == [hit.row.client for hit in wanted]
    assert hits.regions == [hit.row.region for hit in wanted]
    assert columns.hits(hits, 0, len(hits)) == wanted
    assert columns.hits(hits, len(hits) - 1, len(hits)) == wanted[-1:]


@settings(max_examples=80)
@given(segments(), st.sampled_from([1, 8]))
def test_columns_have_the_hits_of_all_segments(parts: list[list[StoredRow]], held: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hit_columns, "_UNPACKED", held)
        columns = columns_of(parts)
        for width in (WIDTH, 1, 3 * WIDTH, WIDTH):
            wanted = expected(parts, width)
            found = dict(columns.series(width))
            assert {series for series, hits in found.items() if len(hits)} == set(wanted)
            for series, hits in wanted.items():
                check(columns, found, hits, series)
        assert len(columns._unpacked) <= held


def whole(times: Sequence[int], first: int = 0) -> list[StoredRow]:
    """Rows of one series, at these times."""
    matches: Matches = ((SERIES[0], ("x",)),)
    return [
        StoredRow(bytes([first + number]) + bytes(15), event(time, matches=matches), 1, 0)
        for number, time in enumerate(times)
    ]


def test_span_and_length_are_those_of_the_hits() -> None:
    none = [StoredRow(bytes(16), event(1), 1, 0)]
    columns = columns_of([none, whole([5, 9, 9]), whole([7, 30], 9)])
    assert (len(columns), columns.span) == (5, (5, 30))
    columns = columns_of([none])
    assert (len(columns), columns.span) == (0, None)
    both: Matches = ((SERIES[0], ("x",)), (SERIES[1], ("y",)))
    rows = [StoredRow(bytes(16), event(4, matches=both), 1, 0)]
    columns = columns_of([rows, whole([8], 9)])
    assert (len(columns), columns.span) == (3, (4, 8))


@pytest.mark.parametrize(("first", "wanted"), [(7, [7, 3, 8, 4]), (1, [1, 2, 3, 4])])
def test_segments_that_touch_in_a_second_are_in_order_of_identity(
    first: int, wanted: list[int]
) -> None:
    columns = columns_of([whole([1, 5], first), whole([5, 6], 3)])
    hits = columns.series(WIDTH)[SERIES[0]]
    identities = [hit.identity[0] for hit in columns.hits(hits, 0, len(hits))]
    assert identities == wanted
    assert all(one <= other for one, other in pairwise(hits.times))


def test_segments_that_were_used_last_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hit_columns, "_UNPACKED", 2)
    columns = columns_of([whole([1]), whole([2], 1), whole([3], 2)])
    hits = columns.series(WIDTH)[SERIES[0]]
    for index in (0, 1, 0, 2):
        assert columns.hits(hits, index, index + 1)[0].time == index + 1
    assert list(columns._unpacked) == [0, 2]
