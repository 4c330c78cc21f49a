"""The hits of a series as columns."""

from hypothesis import given
from hypothesis import strategies as st

from detector.detection.event import EVENT_TIME, EventCall, EventClient, KeptEvent, Position, Series
from detector.detection.window import Hit
from detector.store.derivation.packed_series import PackedSeries, SeriesSlice, SharedRow
from detector.store.packing.segment import StoredRow, pack

_CLIENT = EventClient("111122223333", "IAMUser", "arn:u", "", "", "111122223333", "", "", "")
_SERIES = Series("rule", ("arn:u",))
_HITS = st.dictionaries(
    st.binary(min_size=16, max_size=16),
    st.tuples(st.integers(0, 5), st.sampled_from(["us-east-1", "eu-west-1"])),
    min_size=1,
)


def _row(time: int, region: str) -> KeptEvent:
    matches = ((_SERIES, (region, EVENT_TIME)),)
    call = EventCall("ec2.amazonaws.com", "DescribeInstances", "")
    return KeptEvent(time, _CLIENT, call, region, "", None, Position("", 0, 0), matches)


@given(_HITS, st.randoms(use_true_random=False), st.data())
def test_series_has_hits_by_time_and_identity(hits, random, data):
    stored = [StoredRow(name, _row(*of), 1, 1) for name, of in hits.items()]
    stored.sort(key=lambda row: row.order)
    segment = pack(stored).segment()
    series = PackedSeries()
    numbers = list(range(len(segment)))
    random.shuffle(numbers)
    kinds = {}
    for number in numbers:
        name = segment.times[number], segment.common_parts(number)
        if name not in kinds:
            ((_, inputs),) = segment.matches(segment.match[number])
            kinds[name] = series.new_kind(inputs, SharedRow(segment, number))
        series.add(segment.times[number], segment.identity(number), kinds[name])
    series.sort()
    expected = [
        Hit(row.time, identity, (row.region, row.time * 1000), row) for identity, row, *_ in stored
    ]
    first = data.draw(st.integers(0, len(expected)))
    end = data.draw(st.integers(first, len(expected)))
    found = SeriesSlice(series, range(first, end))
    assert list(found) == expected[first:end]
    assert [found[index] for index in range(-len(found), len(found))] == 2 * expected[first:end]
    assert list(found[1:-1]) == expected[first:end][1:-1]
    assert len(kinds) == len(set(hits.values()))
    assert len({id(hit.row) for hit in SeriesSlice(series, range(len(series)))}) == len(kinds)
