"""The posting lists that are encoded natively are those that Python encodes."""

from __future__ import annotations

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from detector.formats import KnownHeads
from detector.formats.heads.head_parts import HeadParts
from detector.formats.heads.postings import EncodedPostings, encode_postings
from detector.formats.native import cut
from detector.formats.native.sums import MAY_OPEN, sum_groups
from tests.detector.formats.native.test_cut import needs_native

NAMES = (b"", b"\x90", msgspec.msgpack.encode((1 << 32) - 1), msgspec.msgpack.encode("x" * 14))
"""Names of postings; records without a name are not encoded."""
OPENING = len(NAMES)
"""The caller whose call may open a session: its records are posted by somebody else."""


def lines_by(callers: list[int]) -> bytes:
    """Return a line for each caller's call, as short as a record can be."""
    return b"".join(
        b'{"userIdentity":{"arn":"%d"},"eventName":"%d","eventTime":"2026-03-01T00:00:00Z"}\n'
        % (caller, caller == OPENING)
        for caller in callers
    )


def posted_natively(callers: list[int]) -> EncodedPostings:
    known = KnownHeads()
    data = memoryview(bytearray(lines_by(callers)))
    spans = cut.cut(data, True, known)
    assert spans is not None and spans.groups is not None
    table = spans.groups.table
    table.decode(data)
    name_postings(table)
    return sum_groups(spans.groups, False).postings


def name_postings(table: HeadParts) -> None:
    """Tell a table whose postings are those of its origins, and which calls may open a session."""
    for number, name in enumerate((*NAMES, b"\x90")):
        table.name_posting(number, name)
    for number in range(1, table.origin_count):
        caller = table.origins[number][0]
        assert caller is not None
        table.posting_of[number] = int(caller.arn or "")
        table.refused[number] = table.observed_of[number] = table.changed_of[number] = 0
    for number in range(1, len(table.calls)):
        table.kinds[number] = MAY_OPEN * (table.calls[number][1] == "1")
        table.asked[number] = 0


@needs_native
@given(st.lists(st.integers(0, OPENING), min_size=1, max_size=400))
@example([1] * 15 + [2])
@example([1] * 16 + [2] * 128 + [1] + [2] * 300 + [1])
@example([1] + [2] * ((1 << 16) - 1) + [1])  # a distance of 1 << 16
@example([2] * (1 << 16) + [3])  # a list of as many records
def test_postings_are_encoded_alike(callers: list[int]) -> None:
    lists: dict[int, list[int]] = {}
    for record, caller in enumerate(callers):
        if caller != OPENING:
            lists.setdefault(caller, []).append(record)
    expected = encode_postings((NAMES[caller], records) for caller, records in lists.items())
    assert posted_natively(callers) == expected
