"""Parses several small trail files at once.

The fixed cost of parsing a file is thus paid once for all. A file with anything unusual must be
parsed separately.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from detector.formats.heads.known_heads import KnownHeads
from detector.formats.native import cut
from detector.formats.native.cut import RecordSpans
from detector.formats.native.documents import CutDocuments, cut_documents
from detector.formats.native.groups import Slices
from detector.formats.records import Records, read_as_they_are


class ParsedDocuments(NamedTuple):
    """The records of each document, and the cut of all.

    None for a document that must be parsed separately."""

    records: list[Records | None]
    cut: CutDocuments


def can_parse_documents() -> bool:
    """Return whether documents can be parsed at once, which needs the native cut."""
    return cut.is_available()


def parse_documents(texts: Sequence[bytes], known: KnownHeads) -> ParsedDocuments | None:
    """Parse the records of documents; None without the native cut, or without memory for all."""
    known.trim()
    try:
        return _parse(texts, known)
    except MemoryError:
        return None  # parsing them separately finds the one that is too large


def _parse(texts: Sequence[bytes], known: KnownHeads) -> ParsedDocuments | None:
    data = memoryview(bytearray().join(texts))
    ends = list(accumulate(map(len, texts)))
    found = cut_documents(data, ends, known)
    if found is None:
        return None
    found.groups.table.decode(data)
    records: list[Records | None] = []
    for number, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        document = _records_of(data[start:end], found.spans[number])
        if document is None:
            found.spans[number] = None
        records.append(document)
    return ParsedDocuments(records, found)


def _records_of(data: memoryview, spans: RecordSpans | None) -> Records | None:
    """Return the records of a document; None if it must be parsed separately."""
    if spans is None or spans.groups is None:
        return None
    document = Records(Slices(data, spans), spans.groups, spans.times, verbatim=True)
    return document if _reads_as_it_is(document) else None


def _reads_as_it_is(document: Records) -> bool:
    """Return whether a document has its records without wrappers."""
    try:
        return read_as_they_are(document)
    except (ValueError, RecursionError):
        return False  # as in ``parse_records``
