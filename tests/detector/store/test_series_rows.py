"""The hits of a series as rows of segments."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.detection.event import (
    EVENT_REGION,
    EVENT_TIME,
    EventCall,
    EventClient,
    KeptEvent,
    Position,
    Series,
)
from detector.detection.window import Hit, ListedHits
from detector.store.derivation.series_rows import RowSlice, SeriesRows
from detector.store.packing.packer import pack
from detector.store.packing.segment import Segment, StoredRow

_CLIENT = EventClient("111122223333", "IAMUser", "arn:u", "", "", "111122223333", "", "", "")
_SERIES = Series("rule", ("arn:u",))
_OTHER = Series("other", ("arn:u",))
_HITS = st.dictionaries(
    st.binary(min_size=16, max_size=16),
    st.tuples(
        st.integers(-2, 3),
        st.sampled_from(["us-east-1", "eu-west-1"]),
        st.sampled_from(["arn:u", "arn:v"]),
        st.sampled_from(["", "", "AccessDenied"]),
    ),
    min_size=1,
)


def _row(time: int, region: str, arn: str = "arn:u", error: str = "") -> KeptEvent:
    matches = ((_OTHER, (region,)), (_SERIES, (EVENT_REGION, EVENT_TIME)))
    client = _CLIENT._replace(arn=arn)
    call = EventCall("ec2.amazonaws.com", "DescribeInstances", error)
    return KeptEvent(time, client, call, region, "", None, Position("", 0, 0), matches)


def _segment(rows: list[StoredRow]) -> Segment:
    """Return rows as they are read from where they are stored."""
    packed = pack(rows)
    return Segment.unpack(packed.identities, packed.body())


@given(_HITS, st.data())
def test_series_has_hits_by_time_and_identity(hits, data):
    """Whatever segments they are in, each with hits of other series too."""
    stored = [StoredRow(name, _row(*of), 1, 1) for name, of in hits.items()]
    stored.sort(key=lambda row: row.order)
    parts = {}
    for row in stored:
        parts.setdefault(data.draw(st.integers(0, 2)), []).append(row)
    series = SeriesRows(_SERIES, 1)
    for part in parts.values():
        segment = _segment(part)
        series.add(segment, segment.series.index(_SERIES), frozenset())
    series.sort()
    expected = [
        Hit(row.time, identity, (row.region, row.time * 1000), row) for identity, row, *_ in stored
    ]
    first = data.draw(st.integers(0, len(expected)))
    end = data.draw(st.integers(first, len(expected)))
    found, within = RowSlice(series, range(first, end)), expected[first:end]
    assert list(found) == within
    assert [found[index] for index in range(-len(found), len(found))] == 2 * within
    assert list(found[1:-1]) == within[1:-1]
    listed = ListedHits(within)
    assert list(found.times) == listed.times
    assert found.inputs() == listed.inputs()
    assert found.event_ids() == listed.event_ids()
    assert found.facets() == listed.facets()
    assert series.values_of(0, range(first, end)) == {hit.row.region for hit in within}
    assert series.values_of(1, range(first, end)) == {EVENT_TIME for _ in within}


def test_hits_of_one_second_are_by_identity_across_segments():
    """Also where each segment begins as the one before ends; each hit has parts of its own."""
    series, expected = SeriesRows(_SERIES, 1), []
    for number in (3, 1, 2):
        row = _row(0, "us-east-1", f"arn:{number}", f"error-{number}")
        segment = _segment([StoredRow(bytes([number]) * 16, row, 1, 1)])
        series.add(segment, segment.series.index(_SERIES), frozenset())
        expected.append(Hit(0, bytes([number]) * 16, ("us-east-1", 0), row))
    series.sort()
    expected.sort(key=lambda hit: hit.identity)
    found = RowSlice(series, range(3))
    assert list(found) == expected
    assert found.facets() == ListedHits(expected).facets()


def test_hits_that_differ_in_their_identity_alone_share_all_else():
    stored = [
        StoredRow(bytes([number]) * 16, _row(number % 2, "us-east-1"), 1, 1) for number in range(6)
    ]
    segment = _segment(sorted(stored, key=lambda row: row.order))
    series = SeriesRows(_SERIES, 1)
    series.add(segment, segment.series.index(_SERIES), frozenset())
    times = series.times
    series.sort()
    assert series.times is times, "a segment is in order"
    found = RowSlice(series, range(len(series)))
    assert len({id(hit.row) for hit in found}) == 2
    assert len({id(inputs) for inputs in found.inputs()}) == 2


def test_series_that_a_segment_does_not_have_is_an_error():
    segment = _segment([StoredRow(bytes(16), _row(0, "us-east-1"), 1, 1)])
    series = SeriesRows(_SERIES, 1)
    series.add(segment, 2, frozenset())
    with pytest.raises(LookupError, match="no hit of the series 2"):
        series.inputs(range(1))


def test_row_that_records_contradict_on_counts_by_its_least_inputs():
    """Of those in the bucket of its time; a row is no hit whose matches are all of other times."""
    row = _row(5, "us-east-1")
    other = ((_SERIES, ("eu-west-1", EVENT_TIME)),)
    rows = [
        msgspec.structs.replace(row, stale=((7, other),)),
        msgspec.structs.replace(row, matches=(), stale=((27, other),)),
        row,
    ]
    stored = [StoredRow(bytes([number]) * 16, each, 1, 1) for number, each in enumerate(rows)]
    segment = _segment(stored)
    series = SeriesRows(_SERIES, 10)
    series.add(segment, segment.series.index(_SERIES), frozenset(segment.stale_rows()))
    series.sort()
    found = RowSlice(series, range(len(series)))
    assert [hit.identity[0] for hit in found] == [0, 2]
    assert found.inputs() == [("eu-west-1", 7000), ("us-east-1", 5000)]
    assert series.values_of(0, range(2)) == {"eu-west-1", "us-east-1"}
