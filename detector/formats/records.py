"""A chunk of JSON -> its records.

The document is cut into records, and the head of each is decoded, typed; a record whose turn comes is decoded whole.
Trail files, arrays and lines of records go this way. Where that fails, or something has no time, the chunk goes the
general way: one by one, through the forms that ``forms`` knows. So one odd record costs itself only.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from detector.cloudtrail.record import EventSignature, Head, Record, decode, signature_values
from detector.formats.chunks import Chunk
from detector.formats.errors import Incomplete, NotALog, Unreadable
from detector.formats.json_spans import WHITESPACE
from detector.formats.wrappers import NonRecord, ParsedRecord, records, unwrap_elements
from detector.text.time import parse_time


class _Trail(msgspec.Struct, gc=False):
    Records: list[msgspec.Raw]


_trail_raws = msgspec.json.Decoder(_Trail)
_array_raws = msgspec.json.Decoder(list[msgspec.Raw])
_line_raws = msgspec.json.Decoder(msgspec.Raw)
_record_head = msgspec.json.Decoder(Head)

ODD_CAP = 256 << 20
"""Bytes of a document that is neither a trail file nor an array: it is copied, and may have to be
walked."""
_BOM = b"\xef\xbb\xbf"


class _BySignature(dict[EventSignature, list[int]]):
    """The indexes of the records of each signature.

    It is looked up by the plain tuple of a head's values, which is made for every record. Only the
    first of equal ones becomes an EventSignature, which takes twice as long to make."""

    def __missing__(self, values: EventSignature) -> list[int]:
        indexes = self[EventSignature._make(values)] = []
        return indexes


class RawRecords:
    """The records of a chunk, by their place in it, each read when it is asked for."""

    def __init__(self, items: Sequence[ParsedRecord | msgspec.Raw]) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def raw(self, index: int) -> bytes:
        """The record as the file has it: its own bytes where they stand as JSON, or the text that a
        wrapper's string says, or the whole document where others have renamed its fields."""
        items = self._items[index]
        return items.raw if isinstance(items, ParsedRecord) else bytes(items)

    def canonical(self, index: int) -> bytes:
        """The record's JSON in CloudTrail's names: ``raw``, but where the file has other names."""
        items = self._items[index]
        return items.translated or items.raw if isinstance(items, ParsedRecord) else bytes(items)

    def record(self, index: int) -> Record:
        """The whole record. Only for an index whose head is not empty."""
        items = self._items[index]
        return decode((items.translated or items.raw) if isinstance(items, ParsedRecord) else items)


class Records(RawRecords):
    """The records of a chunk with what is read of each: of one that is no JSON object, nothing.

    ``rejected`` and ``skipped`` count what is no record, by reason. ``plain``: the records stand in
    the chunk as they are."""

    def __init__(
        self,
        items: Sequence[ParsedRecord | msgspec.Raw],
        heads: Iterable[Head],
        rejected: Counter[str] | None = None,
        skipped: Counter[str] | None = None,
        eventbridge_count: int = 0,
        verbatim: bool = False,
    ) -> None:
        super().__init__(items)
        self.rejected = rejected or Counter()
        self.skipped = skipped or Counter()
        self.eventbridge_count = eventbridge_count
        """How many came by EventBridge."""
        self.verbatim = verbatim
        self.by_signature: dict[EventSignature, list[int]] = _BySignature()
        """Where the records of each call are, in order: some hundred calls for thousands of
        records, mostly."""
        self.times: list[int | None] = []
        """The event time of each record, in seconds since the epoch; None where it is unusable."""
        known = _TimeCache()
        # Each head is gone before the next is made: all of them would be more than the caches of a
        # processor hold, and lie scattered between what stays.
        for index, head in enumerate(heads):
            self.by_signature[signature_values(head)].append(index)
            self.times.append(known[head.event_time])
        self.has_times = None not in known
        """Whether each has an event time, usable or not."""


class _TimeCache(dict[str | None, int | None]):
    def __missing__(self, text: str | None) -> int | None:
        time = self[text] = parse_time(text)
        return time


def parse_records(chunk: Chunk) -> Records:
    """The records of a chunk. Raises Incomplete or Unreadable where a document is no JSON."""
    if chunk.problem is not None:
        return _unread(chunk)
    data = _unmarked(chunk.data)
    try:
        raws = _raws(chunk, data)
        records = Records(raws, map(_record_head.decode, raws), verbatim=True)
        if records.has_times and (not raws or any(caller for caller, *_ in records.by_signature)):
            # Whole records: rows of a table that hold them have no caller beside.
            return records
    except (ValueError, RecursionError):
        pass
    try:
        return _one_by_one(data, chunk.lines)
    except Unreadable as error:
        if not chunk.member:
            raise
        return _unread(chunk._replace(problem=error))


def split_records(chunk: Chunk, verbatim: bool) -> RawRecords:
    """The records of a chunk that was parsed before, which said whether they are ``plain``, without
    their heads.

    Raises Incomplete or Unreadable where the file has changed since, and a document is no JSON.
    """
    if not verbatim:
        return parse_records(chunk)
    data = _unmarked(chunk.data)
    try:
        return RawRecords(_raws(chunk, data))
    except (ValueError, RecursionError) as error:
        raise Unreadable("corrupt-json", str(error)) from None


def _unmarked(data: memoryview) -> memoryview:
    return data[len(_BOM) :] if bytes(data[: len(_BOM)]) == _BOM else data


def _is_array(data: memoryview) -> bool:
    return bytes(data[:64]).lstrip(WHITESPACE)[:1] == b"["


def _raws(chunk: Chunk, data: memoryview) -> list[msgspec.Raw]:
    if chunk.lines:
        return _line_raws.decode_lines(data)
    return _array_raws.decode(data) if _is_array(data) else _trail_raws.decode(data).Records


def _unread(chunk: Chunk) -> Records:
    """A member of an archive that could not be read counts as one thing seen, with its reason."""
    assert chunk.problem is not None
    counted = Counter([chunk.problem.reason.code])
    if isinstance(chunk.problem, NotALog):
        return Records([], [], skipped=counted)
    return Records([], [], rejected=counted)


def _one_by_one(data: memoryview, lines: bool) -> Records:
    counted: dict[str, Counter[str]] = {
        "rejected": Counter(),
        "skipped": Counter(),
        "noted": Counter(),
    }
    items: list[ParsedRecord] = []
    for each in _in_lines(data) if lines else _in_document(data):
        if isinstance(each, ParsedRecord):
            items.append(each)
        else:
            counted[each.kind][each.reason] += 1
    heads = (each.head or _head(each.translated or each.raw) for each in items)
    return Records(
        items, heads, counted["rejected"], counted["skipped"], counted["noted"]["eventbridge"]
    )


def _in_lines(data: memoryview) -> Iterator[ParsedRecord | NonRecord]:
    for text in bytes(data).split(b"\n"):
        if text := text.strip(WHITESPACE).removeprefix(
            _BOM
        ):  # files put together bring their marks along
            try:
                yield from records(text)
            except RecursionError:
                yield NonRecord("rejected", "nested-too-deep")
            except json.JSONDecodeError:
                yield NonRecord("rejected", "not-json")


def _in_document(data: memoryview) -> Iterator[ParsedRecord | NonRecord]:
    with contextlib.suppress(ValueError, RecursionError):
        if (
            raws := _array_raws.decode(data)
            if _is_array(data)
            else _trail_raws.decode(data).Records
        ):
            return unwrap_elements(map(bytes, raws))
    if len(data) > ODD_CAP:
        raise Unreadable(
            "too-large",
            f"a document of an odd form, over {ODD_CAP >> 20} MiB: make lines of it with jq",
        )
    return _checked(bytes(data))


def _checked(data: bytes) -> Iterator[ParsedRecord | NonRecord]:
    try:
        yield from records(data)
    except RecursionError:
        yield NonRecord("rejected", "nested-too-deep")
    except json.JSONDecodeError as error:
        raise _json_problem(error) from None


def _json_problem(error: json.JSONDecodeError) -> Unreadable:
    if error.pos >= len(error.doc) or error.msg.startswith("Unterminated string"):
        return Incomplete("truncated-json", "the JSON ends too early")
    return Unreadable("corrupt-json", f"no JSON at character {error.pos}: {error.msg}")


def _head(raw: bytes) -> Head:
    try:
        return _record_head.decode(raw)
    except (ValueError, RecursionError):
        pass
    try:
        return decode(raw).head()
    except (ValueError, RecursionError):
        return Head()
