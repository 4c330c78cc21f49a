"""The index of a chunk, compared with a look at all of its records."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from detector.detection.principal_index import PostingLists, PrincipalIndex, encode, hashes_of

KEYS = ("ana", "bo", "AKIAONE", "AKIATWO")
RECORDS = st.lists(st.sets(st.sampled_from(KEYS)), max_size=400)


def index_of(records: list[set[str]]) -> PrincipalIndex:
    """Index records, each given by its principal keys."""
    postings: PostingLists = {}
    for number, keys in enumerate(records):
        postings.setdefault(hashes_of(keys), []).append(number)
    return PrincipalIndex(encode(postings, verbatim=True))


@given(RECORDS, st.sets(st.sampled_from(KEYS)))
def test_index_finds_exactly_the_records_with_a_wanted_key(
    records: list[set[str]], wanted: set[str]
) -> None:
    index, hashes = index_of(records), set(hashes_of(wanted))
    expected = {number for number, keys in enumerate(records) if keys & wanted}
    found: list[int] = []
    for group_hashes, numbers in index.lookup(hashes):
        assert all(group_hashes == hashes_of(records[number]) for number in numbers)
        found += numbers
    assert sorted(found) == sorted(expected)
    assert index.contains(hashes) == bool(expected)
    assert index.common(frozenset(hashes)) == set(hashes_of(wanted & set().union(*records)))
