"""The index of a chunk says where its records are: held against looking through all of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from detector.detection.principal_index import PostingLists, PrincipalIndex, encode, hashes_of

NAMES = ("ana", "bo", "AKIAONE", "AKIATWO")
RECORDS = st.lists(st.sets(st.sampled_from(NAMES)), max_size=400)


def index_of(records: list[set[str]]) -> PrincipalIndex:
    places: PostingLists = {}
    for index, names in enumerate(records):
        places.setdefault(hashes_of(names), []).append(index)
    return PrincipalIndex(encode(places, plain=True))


@given(RECORDS, st.sets(st.sampled_from(NAMES)), st.sets(st.integers(0, 400)))
def test_it_finds_the_records_that_carry_a_wanted_name_and_no_other(
    records: list[set[str]], wanted: set[str], own: set[int]
) -> None:
    presence, marks = index_of(records), set(hashes_of(wanted))
    there = {index for index, names in enumerate(records) if names & wanted}
    found = [index for _, indexes in presence.where(marks) for index in indexes]
    assert sorted(found) == sorted(there)
    assert all(
        carried == hashes_of(records[index])
        for carried, indexes in presence.where(marks)
        for index in indexes
    )
    assert presence.holds(marks, own) == bool(there - own)
    assert presence.holds(marks) == bool(there)
