"""The chunks that are searched for alerts, compared with a look at each record of each chunk."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from detector.detection.correlate import ChunkRef, OwnEvent, PendingSearch, group_by_file
from detector.detection.principal import PrincipalNames, RelatedPrincipals
from detector.detection.principal_index import PostingLists, encode, hashes_of
from detector.detection.record_search import SearchRequest

PEOPLE = ("arn:aws:iam::1:user/ana", "arn:aws:iam::1:user/bo", "AKIAONE")
NOT_TOLD = RelatedPrincipals(PrincipalNames(roles=["a role by another name"]))
"""Of whom no key is known, so that every chunk may have records."""
RELATED = [
    RelatedPrincipals(PrincipalNames(arns=[PEOPLE[0]], keys=[PEOPLE[2]])),
    RelatedPrincipals(PrincipalNames(arns=[PEOPLE[1]])),
    NOT_TOLD,
]
CHUNKS = st.lists(
    st.tuples(
        st.sampled_from("ab"),
        st.integers(0, 30),
        st.integers(0, 5),
        st.lists(st.sets(st.sampled_from(PEOPLE)), max_size=4),
    ),
    max_size=5,
)
PLACES = st.tuples(st.sampled_from("ab"), st.integers(0, 4), st.integers(0, 3))
SEARCHES = st.lists(
    st.tuples(
        st.sampled_from(RELATED),
        st.integers(0, 30),
        st.integers(-1, 5),
        st.sets(PLACES, max_size=6),
    ),
    max_size=5,
)


def chunk_of(
    path: str, offset: int, first: int, sequence: int, records: list[set[str]]
) -> ChunkRef:
    postings: PostingLists = {}
    for number, keys in enumerate(records):
        postings.setdefault(hashes_of(keys), []).append(number)
    return ChunkRef(path, offset, first, first + 5, encode(postings, verbatim=True), sequence)


@given(CHUNKS, SEARCHES)
def test_chunks_with_other_records_of_the_principals_are_searched(
    chunks: list[tuple[str, int, int, list[set[str]]]],
    asked: list[tuple[RelatedPrincipals, int, int, set[tuple[str, int, int]]]],
) -> None:
    ordered = sorted(chunks, key=lambda chunk: chunk[0])
    refs = [
        (chunk_of(path, offset, first, sequence, records), records)
        for offset, (path, first, sequence, records) in enumerate(ordered)
    ]
    searches = [
        # Of principals of its own: those that share theirs are joined.
        PendingSearch(
            SearchRequest(str(number), RelatedPrincipals(related.own), start, start + 8),
            searched,
            own,
        )
        for number, (related, start, searched, own) in enumerate(asked)
    ]
    searches.sort(key=lambda search: search.request.start)
    expected: dict[tuple[str, int], list[str]] = {}
    for ref, records in refs:
        wanted = [
            request.name
            for request, searched, own in searches
            if request.start <= ref.last
            and request.end > ref.first
            and ref.sequence > searched
            and _has_others(request.selector, ref, records, own)
        ]
        if wanted:
            expected[ref.path, ref.offset] = wanted
    planned = group_by_file(searches, (ref for ref, _ in refs))
    found = {
        (path, offset): [request.name for request in chunk.requests]
        for path, requests in planned
        for offset, chunk in requests.items()
    }
    assert found == expected


def _has_others(
    related: RelatedPrincipals, ref: ChunkRef, records: list[set[str]], own: set[OwnEvent]
) -> bool:
    keys = related.principal_keys()
    return keys is None or any(
        names & keys and (ref.path, ref.offset, number) not in own
        for number, names in enumerate(records)
    )
