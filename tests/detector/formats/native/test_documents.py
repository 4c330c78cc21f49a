"""Several documents that are cut at once are cut as each by itself, or declined."""

from __future__ import annotations

import threading
from array import array

import pytest

from detector.formats import KnownHeads, parse_documents, parse_records
from detector.formats.chunks import Chunk
from detector.formats.native import cut
from detector.formats.native.documents import cut_documents
from detector.formats.native.sums import sum_documents, sum_groups
from tests.detector.formats.native.mutations import mutated_documents, plain_documents
from tests.detector.formats.native.test_cut import needs_native, outcome
from tests.detector.trail import call, document

GOOD = document([call(at=index, eventName=f"Call{index % 3}") for index in range(7)])


def cut_alone(data: bytes, known: KnownHeads) -> cut.RecordSpans | None:
    return cut.cut(memoryview(bytearray(data)), False, known)


def batches(size: int) -> list[list[bytes]]:
    texts = [each for each in [*plain_documents(), *mutated_documents(600, 7)] if each]
    return [texts[start : start + size] for start in range(0, len(texts), size)]


@needs_native
@pytest.mark.parametrize("size", [1, 2, 13])
def test_documents_are_cut_as_alone(size: int) -> None:
    together, alone = KnownHeads(), KnownHeads()
    count = 0
    for texts in batches(size):
        parsed = parse_documents(texts, together)
        assert parsed is not None
        for text, records, spans in zip(texts, parsed.records, parsed.cut.spans, strict=True):
            by_itself = cut_alone(text, alone)
            if spans is None:
                assert is_unusual(by_itself)
            else:
                assert by_itself is not None
                assert spans[:5] == by_itself[:5]
            if records is not None:
                chunk = Chunk(0, memoryview(bytearray(text)), lines=False)
                assert outcome(records) == outcome(parse_records(chunk, KnownHeads()))
                count += 1
    assert count > 30


def is_unusual(spans: cut.RecordSpans | None) -> bool:
    """Tell whether a document is to be read by itself by what the cut finds in it."""
    if spans is None or not spans.starts or not spans.has_times:
        return True
    assert spans.groups is not None
    return spans.groups.table.is_spent


@needs_native
@pytest.mark.parametrize(
    "odd",
    {
        "nothing": b"",
        "cut off": GOOD[:-1],
        "no records": document([]),
        "no time": document([call(eventTime=None)]),
        "a text that is not kept": document([call(userAgent="x" * 3000)]),
        "lines": GOOD + b"\n" + GOOD,
    }.items(),
    ids=lambda item: item[0],
)
def test_odd_document_costs_itself_only(odd: tuple[str, bytes]) -> None:
    parsed = parse_documents([GOOD, odd[1], GOOD], KnownHeads())
    assert parsed is not None
    first, declined, last = parsed.records
    assert first is not None
    assert last is not None
    assert declined is None
    assert outcome(first) == outcome(last)
    assert len(first) == 7


@needs_native
def test_declined_document_leaves_no_head_behind() -> None:
    known = KnownHeads()
    parse_documents([GOOD, document([call(eventName="New")])[:-1]], known)
    assert [head[1] for head in known.table().calls[1:]] == ["Call0", "Call1", "Call2"]


@needs_native
def test_record_elsewhere_is_parsed_alone() -> None:
    """A record without a caller may have it in another place, which the cut does not look for."""
    wrapped = document([{"detail": call(), "eventTime": "2026-03-01T00:00:00Z"}])
    parsed = parse_documents([wrapped, GOOD], KnownHeads())
    assert parsed is not None
    assert [spans is None for spans in parsed.cut.spans] == [True, False]
    assert [records is None for records in parsed.records] == [True, False]


@needs_native
@pytest.mark.parametrize("lists_origins", [False, True])
def test_sums_are_those_of_each_alone(lists_origins: bool) -> None:
    texts = [GOOD, b"{", document([call(eventName="Other")]), GOOD]
    known = KnownHeads()
    documents = cut_documents(memoryview(bytearray().join(texts)), ends_of(texts), known)
    assert documents is not None
    every = sum_documents(documents, lists_origins)
    assert len(every) == len(texts)
    for spans, sums in zip(documents.spans, every, strict=True):
        if spans is None:
            assert sums.span is None and not sums.skipped and not sums.postings.list_count
        else:
            assert spans.groups is not None
            assert sums == sum_groups(spans.groups, lists_origins)


def ends_of(texts: list[bytes]) -> array[int]:
    ends = array("q")
    for text in texts:
        ends.append((ends[-1] if ends else 0) + len(text))
    return ends


@needs_native
def test_document_of_too_many_records_is_parsed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut, "_kept", threading.local())  # arrays are kept, and may be larger
    tiny = b'{"Records":[%s]}' % b",".join([b'{"eventTime":"2026-03-01T00:00:00Z"}'] * 400)
    parsed = parse_documents([tiny, GOOD], KnownHeads())
    assert parsed is not None
    assert parsed.cut.spans[0] is None
    assert parsed.cut.spans[1] is not None
