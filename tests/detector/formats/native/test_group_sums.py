"""The native sums of a chunk are those of its heads as they were decoded."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from detector.detection.principal_index import posting_name
from detector.formats import KnownHeads, parse_records
from detector.formats.chunks import Chunk
from detector.formats.decoded.sums import sum_decoded
from detector.formats.heads.decoded_heads import DecodedHeads, group_heads
from detector.formats.heads.head_parts import HeadParts
from detector.formats.native import cut
from detector.formats.native.sums import GroupSums, OriginGroups, sum_groups
from tests.detector.formats.native.test_cut import needs_native
from tests.detector.trail import call, document

CALLS = st.lists(st.tuples(*[st.integers(0, 4)] * 3, st.integers(0, 99)), min_size=1, max_size=60)
KEYS = st.lists(
    st.lists(st.integers(0, 2**32 - 1), max_size=2, unique=True), min_size=5, max_size=5
)


def describe(table: HeadParts, keys: list[list[int]]) -> None:
    """Tell a table something of each origin and call by a text that it has."""
    for number in range(1, table.origin_count):
        name = int(table.origins[number][2])
        table.refused[number] = name
        table.posting_of[number] = name
        table.observed_of[number] = name // 2
        table.changed_of[number] = name % 3
    for number in range(1, len(table.calls)):
        name = int(table.calls[number][1])
        table.asked[number], table.kinds[number] = name, name
    for number, hashes in enumerate(keys):
        table.name_posting(number, posting_name(tuple(hashes)))


def in_numbers_of(sums: GroupSums, table: HeadParts) -> GroupSums:
    """Return sums with the origins in the place of their numbers."""
    groups = [OriginGroups(table.origins[each[0]], *each[1:]) for each in sums.by_origin]
    return sums._replace(by_origin=groups)


@needs_native
@settings(max_examples=100)
@given(CALLS, KEYS, st.booleans())
def test_both_ways_sum_the_same(
    calls: list[tuple[int, int, int, int]], keys: list[list[int]], lists_origins: bool
) -> None:
    records = [
        call(at, region=f"r{region}", eventName=str(name), sourceIPAddress=str(address))
        for region, name, address, at in calls
    ]
    data = memoryview(bytearray(document(records)))
    parsed = parse_records(Chunk(0, data, lines=False), KnownHeads())
    native = parsed.groups
    assert isinstance(native, cut.HeadGroups)
    decoded = group_heads(map(parsed.head, range(len(records))), DecodedHeads())
    for table in (native.table, decoded.table):
        describe(table, keys)
    by_bytes = in_numbers_of(sum_groups(native, lists_origins), native.table)
    assert by_bytes == in_numbers_of(sum_decoded(decoded, lists_origins), decoded.table)
    callers = native.table.take_callers()
    assert callers == set(range(1, native.table.origin_count))
    assert not native.table.take_callers()
