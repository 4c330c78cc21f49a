"""The chunks that are searched for alerts, compared with a look at each record of each chunk."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from detector.detection.correlate import ChunkRef, OwnEvent, PendingSearch, group_by_file
from detector.detection.principal import PrincipalNames, RelatedPrincipals
from detector.detection.principal_index import PostingLists, encode, encode_lists, hashes_of
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
    return ChunkRef(
        path, offset, first, first + 5, encode([encode_lists(postings)], verbatim=True), sequence
    )


@given(CHUNKS, SEARCHES, st.booleans())
def test_chunks_with_other_records_of_the_principals_are_searched(
    chunks: list[tuple[str, int, int, list[set[str]]]],
    asked: list[tuple[RelatedPrincipals, int, int, set[tuple[str, int, int]]]],
    is_same: bool,
) -> None:
    """Whether equal principals are the same object makes no difference."""
    ordered = sorted(chunks, key=lambda chunk: chunk[0])
    refs = [
        (chunk_of(path, offset, first, sequence, records), records)
        for offset, (path, first, sequence, records) in enumerate(ordered)
    ]
    searches = [
        PendingSearch(
            SearchRequest(
                str(number),
                related if is_same else RelatedPrincipals(related.own),
                start,
                start + 8,
            ),
            searched,
            own,
        )
        for number, (related, start, searched, own) in enumerate(asked)
    ]
    searches.sort(key=lambda search: search.request.start)
    expected: dict[tuple[str, int], set[str]] = {}
    for ref, records in refs:
        wanted = {
            repr(request.selector)
            for request, searched, own in searches
            if request.start <= ref.last
            and request.end > ref.first
            and ref.sequence > searched
            and _has_others(request.selector, ref, records, own)
        }
        if wanted:
            expected[ref.path, ref.offset] = wanted
    found = {}
    for path, requests in group_by_file(searches, (ref for ref, _ in refs)):
        for offset, chunk in requests.items():
            found[path, offset] = {repr(request.selector) for request in chunk.requests}
            assert len(chunk.requests) == len(set(map(repr, chunk.requests)))
    assert found == expected


@given(SEARCHES, st.booleans())
def test_requests_for_the_same_principals_are_joined(
    asked: list[tuple[RelatedPrincipals, int, int, set[tuple[str, int, int]]]], is_same: bool
) -> None:
    """A chunk that they are all due for has one whose span is theirs."""
    searches = [
        PendingSearch(
            SearchRequest(
                str(number),
                related if is_same else RelatedPrincipals(related.own),
                start,
                start + 40,
            ),
            -1,
            frozenset(),
        )
        for number, (related, start, _, _) in enumerate(asked)
    ]
    searches.sort(key=lambda search: search.request.start)
    chunk = chunk_of("a", 0, 30, 1, [set(PEOPLE)])
    spans: dict[str, tuple[int, int]] = {}
    for request, *_ in searches:
        name = repr(request.selector)
        spans[name] = (spans.get(name, (request.start, 0))[0], request.end)
    found = [
        (repr(request.selector), (request.start, request.end))
        for _, requests in group_by_file(searches, [chunk])
        for request in requests[0].requests
    ]
    assert dict(found) == spans and len(found) == len(spans)


def _has_others(
    related: RelatedPrincipals, ref: ChunkRef, records: list[set[str]], own: set[OwnEvent]
) -> bool:
    keys = related.principal_keys()
    return keys is None or any(
        names & keys and (ref.path, ref.offset, number) not in own
        for number, names in enumerate(records)
    )
