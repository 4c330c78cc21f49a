"""The hits of a series as rows of segments."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from detector.detection.event import EVENT_TIME, EventCall, EventClient, KeptEvent, Position, Series
from detector.detection.window import Hit, ListedHits
from detector.store.derivation.series_rows import RowSlice, SeriesRows
from detector.store.packing.packer import pack
from detector.store.packing.segment import StoredRow

_CLIENT = EventClient("111122223333", "IAMUser", "arn:u", "", "", "111122223333", "", "", "")
_SERIES = Series("rule", ("arn:u",))
_OTHER = Series("other", ("arn:u",))
_HITS = st.dictionaries(
    st.binary(min_size=16, max_size=16),
    st.tuples(st.integers(0, 5), st.sampled_from(["us-east-1", "eu-west-1"])),
    min_size=1,
)


def _row(time: int, region: str) -> KeptEvent:
    matches = ((_OTHER, (region,)), (_SERIES, (region, EVENT_TIME)))
    call = EventCall("ec2.amazonaws.com", "DescribeInstances", "")
    return KeptEvent(time, _CLIENT, call, region, "", None, Position("", 0, 0), matches)


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
        segment = pack(part).segment()
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
    assert series.packed_inputs(range(first, end)) == [
        (region, EVENT_TIME) for _, _, (region, _), _ in within
    ]


def test_hits_that_differ_in_their_identity_alone_share_all_else():
    stored = [
        StoredRow(bytes([number]) * 16, _row(number % 2, "us-east-1"), 1, 1) for number in range(6)
    ]
    segment = pack(sorted(stored, key=lambda row: row.order)).segment()
    series = SeriesRows(_SERIES, 1)
    series.add(segment, segment.series.index(_SERIES), frozenset())
    found = RowSlice(series, range(len(series)))
    assert len({id(hit.row) for hit in found}) == 2
    assert len({id(inputs) for inputs in found.inputs()}) == 2


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
    segment = pack(stored).segment()
    series = SeriesRows(_SERIES, 10)
    series.add(segment, segment.series.index(_SERIES), frozenset(segment.stale_rows()))
    series.sort()
    found = RowSlice(series, range(len(series)))
    assert [hit.identity[0] for hit in found] == [0, 2]
    assert found.inputs() == [("eu-west-1", 7000), ("us-east-1", 5000)]
    assert [inputs[0] for inputs in series.packed_inputs(range(2))] == ["eu-west-1", "us-east-1"]
