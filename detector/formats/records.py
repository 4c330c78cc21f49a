"""Parses a chunk of JSON into its records.

A trail file, an array or JSON Lines are cut into records at once, and only the typed head of each
is decoded; a record that a rule may match is decoded whole later. If that fails, or a record has no
time, the chunk takes the general path: value by value, by ``search``. So one odd record does not
affect the others.
"""

from __future__ import annotations

import contextlib
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

import msgspec

from detector.cloudtrail.record import EventSignature, Head, Record, decode
from detector.formats.chunks import Chunk
from detector.formats.decoded.hit_runs import DecodedRuns, RecordRuns, read_hit
from detector.formats.decompress import Budget
from detector.formats.errors import NotALog, Unreadable
from detector.formats.heads.decoded_heads import DecodedGroups, DecodedHeads, group_heads
from detector.formats.heads.known_heads import KnownHeads
from detector.formats.items import Item, ParsedRecord
from detector.formats.json_spans import WHITESPACE
from detector.formats.native import cut
from detector.formats.native.groups import RawHit, Slices
from detector.formats.native.hit_runs import Questions
from detector.formats.plain_record import is_plain
from detector.text.time import parse_time

INNER_CAP, INNER_RATIO = 64 << 20, 40
"""Compressed data inside a chunk's texts may unpack to ``INNER_CAP`` bytes in total, or to
``INNER_RATIO`` times the chunk's size if that is more."""
_BOM = b"\xef\xbb\xbf"
RecordGroups = cut.HeadGroups | DecodedGroups


class _TrailFile(msgspec.Struct, gc=False):
    Records: list[msgspec.Raw]


_trail_decoder = msgspec.json.Decoder(_TrailFile)
_array_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_line_decoder = msgspec.json.Decoder(msgspec.Raw)
_head_decoder = msgspec.json.Decoder(Head)


class RawRecords:
    """The records of a chunk by index, decoded on demand.

    ``encoded`` has each record's JSON in CloudTrail's names; ``raws`` has each record as in the
    file, None if these are the same."""

    def __init__(self, encoded: Sequence[Any], raws: Sequence[bytes] | None = None) -> None:
        self._encoded = encoded
        self._raws = encoded if raws is None else raws

    def __len__(self) -> int:
        return len(self._encoded)

    def raw(self, index: int) -> bytes:
        """Return a record as in the file.

        These are its own bytes if it is JSON in the file, the text in a wrapper's string, or the
        whole document if its fields were renamed.
        """
        return bytes(self._raws[index])

    def canonical(self, index: int) -> bytes:
        """Return a record's JSON in CloudTrail's names."""
        return bytes(self._encoded[index])

    def encoded(self, index: int) -> bytes | msgspec.Raw:
        """Return a record's JSON in CloudTrail's names, without a copy."""
        encoded: bytes | msgspec.Raw = self._encoded[index]
        return encoded

    def hit_runs(
        self, groups: Sequence[list[int]], questions: Questions | None = None
    ) -> RecordRuns:
        """Cut groups of records, given by index, into runs.

        Records whose caller is known to refuse the group's question are left out."""
        if isinstance(self._encoded, Slices):
            return self._encoded.hit_runs(groups, questions)
        return DecodedRuns(self._encoded, groups, questions)

    def raw_hit(self, index: int) -> RawHit | None:
        """Return the view and identity of a record; None if it must be decoded whole."""
        if isinstance(self._encoded, Slices):
            return self._encoded.raw_hit(index)
        return read_hit(self._encoded[index])

    def size(self, index: int) -> int:
        """Return the size of a record's JSON in bytes."""
        return memoryview(self.encoded(index)).nbytes

    def head(self, index: int) -> Head:
        """Decode the head of a record. Raises ValueError or RecursionError."""
        return _head_decoder.decode(self.encoded(index))

    def record(self, index: int) -> Record:
        """Decode a whole record, whose head must not be empty."""
        return decode(self.encoded(index))


class Records(RawRecords):
    """The records of a chunk with the times of their heads, grouped by their heads.

    A value that is not a JSON object has an empty head. ``rejected`` and ``skipped`` count values
    that are not records, by reason.
    """

    def __init__(
        self,
        encoded: Sequence[Any],
        groups: RecordGroups,
        times: Sequence[int | None],
        raws: Sequence[bytes] | None = None,
        rejected: Mapping[str, int] | None = None,
        skipped: Mapping[str, int] | None = None,
        eventbridge_count: int = 0,
        verbatim: bool = False,
    ) -> None:
        super().__init__(encoded, raws)
        self.rejected = rejected or {}
        self.skipped = skipped or {}
        self.eventbridge_count = eventbridge_count
        """The number of records that came through EventBridge."""
        self.verbatim = verbatim
        """Whether the records are in the chunk as they are, without wrappers."""
        self.groups = groups
        self.times = times
        """The event time of each record in epoch seconds; None if unusable."""
        self.has_times = isinstance(times, array) or None not in times
        """Whether every record has a usable event time."""

    @property
    def by_signature(self) -> dict[EventSignature, list[int]]:
        """The indexes of the records of each signature, in order."""
        found: defaultdict[EventSignature, list[int]] = defaultdict(list)
        for number, indexes in self.groups.listed():
            found[self.groups.table.signature(number)] += indexes
        lists = zip(found, map(sorted, found.values()), strict=True)
        return dict(sorted(lists, key=itemgetter(1)))


def parse_records(
    chunk: Chunk, known: KnownHeads | None = None, is_verbatim: bool = False
) -> Records:
    """Parse the records of a chunk. Raises Incomplete or Unreadable.

    ``known`` are the heads of previously parsed chunks. ``is_verbatim``: the chunk was found to be
    verbatim when it was parsed before, so it is not checked for wrappers again."""
    if chunk.problem is not None:
        return _unread_member(chunk.problem)
    if known is None:
        known = KnownHeads()
    known.trim()
    try:
        return _parse(chunk, _strip_bom(chunk.data), known, is_verbatim)
    except MemoryError:
        raise Unreadable("too-large", "out of memory while reading it") from None


def _parse(chunk: Chunk, data: memoryview, known: KnownHeads, is_verbatim: bool) -> Records:
    try:
        records = _parse_plain(chunk, data, known)
        if records.has_times and (is_verbatim or read_as_they_are(records)):
            return records
    except (ValueError, RecursionError):
        pass
    try:
        return _parse_one_by_one(data, chunk.lines, known)
    except Unreadable as error:
        if not chunk.member:
            raise
        return _unread_member(error)


def _parse_plain(chunk: Chunk, data: memoryview, known: KnownHeads) -> Records:
    """Cut a chunk into records and decode their heads. Raises ValueError or RecursionError."""
    spans = cut.cut(data, chunk.lines, known)
    if spans is not None and spans.groups is not None:
        return records_of_spans(data, spans, spans.groups)
    return cut_in_python(chunk, data, known)


def cut_in_python(chunk: Chunk, data: memoryview, known: KnownHeads) -> Records:
    """Cut a chunk with msgspec. Raises ValueError or RecursionError."""
    raws = _split(chunk, data)
    groups = group_heads(map(_head_decoder.decode, raws), known.decoded)
    return Records(raws, groups, groups.times, verbatim=True)


def records_of_spans(
    data: memoryview, spans: cut.RecordSpans, head_groups: cut.HeadGroups
) -> Records:
    """Return the records that the native cut found in ``data``.

    New origins and calls are decoded. Raises ValueError or RecursionError."""
    items = Slices(data, spans)
    head_groups.table.decode(data)
    if spans.has_times:
        return Records(items, head_groups, spans.times, verbatim=True)
    times: list[Any] = [
        parse_time(_head_decoder.decode(items[index]).event_time) if time == cut.NO_TIME else time
        for index, time in enumerate(spans.times)
    ]
    groups = head_groups if None in times else head_groups.timed(times)
    return Records(items, groups, times, verbatim=True)


def read_as_they_are(records: Records) -> bool:
    """Return whether no record has its caller, name, source or region in another place."""
    return all(_reads_as_is(records.raw(index)) for index in records.groups.incomplete)


def _reads_as_is(raw: bytes) -> bool:
    """Return whether an incomplete record is as CloudTrail wrote it."""
    if b'"AWSService"' in raw or is_plain(raw):
        return True
    from detector.formats.search import finds_itself

    return finds_itself(raw)


def _strip_bom(data: memoryview) -> memoryview:
    return data[len(_BOM) :] if bytes(data[: len(_BOM)]) == _BOM else data


def _split(chunk: Chunk, data: memoryview) -> list[msgspec.Raw]:
    if chunk.lines:
        return _line_decoder.decode_lines(data)
    return _split_document(data)


def _split_document(data: memoryview) -> list[msgspec.Raw]:
    is_array = bytes(data[:64]).lstrip(WHITESPACE)[:1] == b"["
    return _array_decoder.decode(data) if is_array else _trail_decoder.decode(data).Records


def _unread_member(problem: Unreadable) -> Records:
    """Count an unread member of an archive as one record."""
    reasons, nothing = Counter([problem.reason.code]), group_heads([], DecodedHeads())
    if isinstance(problem, NotALog):
        return Records([], nothing, [], skipped=reasons)
    return Records([], nothing, [], rejected=reasons)


def _parse_one_by_one(data: memoryview, is_lines: bool, known: KnownHeads) -> Records:
    reasons: dict[str, Counter[str]] = {
        "rejected": Counter(),
        "skipped": Counter(),
        "noted": Counter(),
    }
    items: list[ParsedRecord] = []
    budget = Budget(max(INNER_CAP, INNER_RATIO * len(data)))
    for item in _unwrap(data, is_lines, budget):
        if isinstance(item, ParsedRecord):
            items.append(item)
        else:
            reasons[item.kind][item.reason] += 1
    if not items and not is_lines and set(reasons["rejected"]) == {"nested-too-deep"}:
        from detector.formats.odd_texts import refuse_too_deep

        refuse_too_deep(bytes(data))
    encoded = [item.translated or item.raw for item in items]
    heads = (item.head or _head_of(raw) for item, raw in zip(items, encoded, strict=True))
    groups = group_heads(heads, known.decoded)
    return Records(
        encoded,
        groups,
        groups.times,
        [item.raw for item in items],
        rejected=reasons["rejected"],
        skipped=reasons["skipped"],
        eventbridge_count=reasons["noted"]["eventbridge"],
    )


def _unwrap(data: memoryview, is_lines: bool, budget: Budget) -> Iterator[Item]:
    from detector.formats.odd_texts import unwrap_document, unwrap_lines

    if is_lines:
        return unwrap_lines(data, budget)
    raws: list[msgspec.Raw] = []
    with contextlib.suppress(ValueError, RecursionError):
        raws = _split_document(data)
    return unwrap_document(data, raws, budget)


def _head_of(raw: bytes) -> Head:
    """Decode a head; an empty head if the value is not a record."""
    try:
        return _head_decoder.decode(raw)
    except (ValueError, RecursionError):
        pass
    try:
        return decode(raw).head()
    except (ValueError, RecursionError):
        return Head()
