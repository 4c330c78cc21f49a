"""The index of a chunk, compared with a look at all of its records."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.detection.principal_index import (
    PostingLists,
    PrincipalIndex,
    encode,
    encode_lists,
    hashes_of,
)

KEYS = ("ana", "bo", "AKIAONE", "AKIATWO")
RECORDS = st.lists(st.sets(st.sampled_from(KEYS)), max_size=400)


def index_of(records: list[set[str]]) -> PrincipalIndex:
    """Index records, each given by its principal keys."""
    postings: PostingLists = {}
    for number, keys in enumerate(records):
        postings.setdefault(hashes_of(keys), []).append(number)
    return PrincipalIndex(encode([encode_lists(postings)], verbatim=True))


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


def test_large_index_is_compressed_and_found_in_as_before() -> None:
    postings = {hashes_of([f"key-{number}"]): [number, number + 1000] for number in range(1000)}
    encoded = encode([encode_lists(postings)], verbatim=False)
    plain = msgspec.msgpack.encode(
        (False, [(each, [n, 1000]) for each, [n, _] in postings.items()])
    )
    assert len(encoded) < 0.8 * len(plain)
    for body in (encoded, plain):  # as older versions wrote it
        index = PrincipalIndex(body)
        assert not index.verbatim
        assert list(index.lookup(set(hashes_of(["key-7"])))) == [(hashes_of(["key-7"]), [7, 1007])]


@pytest.mark.parametrize("body", [b"", b"\x78", b"\x78\x01damaged", b"\x92\x00"])
def test_damaged_index_is_said_to_be_so(body: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        PrincipalIndex(body)
