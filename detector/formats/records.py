"""A chunk of JSON -> its records.

The document is cut into records, and the head of each is decoded, typed; a record whose turn comes is decoded whole.
Trail files, arrays and lines of records go this way. Where that fails, or something has no time, the chunk goes the
general way: one by one, through the forms that ``forms`` knows. So one odd record costs itself only.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from detector.cloudtrail.record import Call, Head, Record, call_of, decode, parse_time
from detector.formats.chunks import Chunk
from detector.formats.errors import Incomplete, NotALog, Unreadable
from detector.formats.json_spans import BLANK
from detector.formats.wrappers import Aside, Found, records, records_of


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


class Rows:
    """The records of a chunk, by their place in it, each read when it is asked for."""

    def __init__(self, found: Sequence[Found | msgspec.Raw]) -> None:
        self._found = found

    def __len__(self) -> int:
        return len(self._found)

    def raw(self, index: int) -> bytes:
        """The record as the file has it: its own bytes where they stand as JSON, or the text that a
        wrapper's string says, or the whole document where others have renamed its fields."""
        found = self._found[index]
        return found.raw if isinstance(found, Found) else bytes(found)

    def canonical(self, index: int) -> bytes:
        """The record's JSON in CloudTrail's names: ``raw``, but where the file has other names."""
        found = self._found[index]
        return found.translated or found.raw if isinstance(found, Found) else bytes(found)

    def record(self, index: int) -> Record:
        """The whole record. Only for an index whose head is not empty."""
        found = self._found[index]
        return decode((found.translated or found.raw) if isinstance(found, Found) else found)


class Records(Rows):
    """The records of a chunk with what is read of each: of one that is no JSON object, nothing.

    ``rejected`` and ``skipped`` count what is no record, by reason. ``plain``: the records stand in
    the chunk as they are."""

    def __init__(
        self,
        found: Sequence[Found | msgspec.Raw],
        heads: Iterable[Head],
        rejected: Counter[str] | None = None,
        skipped: Counter[str] | None = None,
        bridged: int = 0,
        plain: bool = False,
    ) -> None:
        super().__init__(found)
        self.rejected = rejected or Counter()
        self.skipped = skipped or Counter()
        self.bridged = bridged
        """How many came by EventBridge."""
        self.plain = plain
        self.calls: dict[Call, list[int]] = defaultdict(list)
        """Where the records of each call are, in order: some hundred calls for thousands of
        records, mostly."""
        self.times: list[int | None] = []
        """The event time of each record, in seconds since the epoch; None where it is unusable."""
        known = _Times()
        # Each head is gone before the next is made: all of them would be more than the caches of a
        # processor hold, and lie scattered between what stays.
        for index, head in enumerate(heads):
            self.calls[call_of(head)].append(index)
            self.times.append(known[head.event_time])
        self.timed = None not in known
        """Whether each has an event time, usable or not."""


class _Times(dict[str | None, int | None]):
    def __missing__(self, text: str | None) -> int | None:
        time = self[text] = parse_time(text)
        return time


def parse(chunk: Chunk) -> Records:
    """The records of a chunk. Raises Incomplete or Unreadable where a document is no JSON."""
    if chunk.problem is not None:
        return _unread(chunk)
    data = _unmarked(chunk.data)
    try:
        raws = _raws(chunk, data)
        records = Records(raws, map(_record_head.decode, raws), plain=True)
        if records.timed and (not raws or any(caller for caller, *_ in records.calls)):
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


def rows(chunk: Chunk, plain: bool) -> Rows:
    """The records of a chunk that was parsed before, which said whether they are ``plain``, without
    their heads.

    Raises Incomplete or Unreadable where the file has changed since, and a document is no JSON.
    """
    if not plain:
        return parse(chunk)
    data = _unmarked(chunk.data)
    try:
        return Rows(_raws(chunk, data))
    except (ValueError, RecursionError) as error:
        raise Unreadable("corrupt-json", str(error)) from None


def _unmarked(data: memoryview) -> memoryview:
    return data[len(_BOM) :] if bytes(data[: len(_BOM)]) == _BOM else data


def _is_array(data: memoryview) -> bool:
    return bytes(data[:64]).lstrip(BLANK)[:1] == b"["


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
    found: list[Found] = []
    for each in _in_lines(data) if lines else _in_document(data):
        if isinstance(each, Found):
            found.append(each)
        else:
            counted[each.kind][each.reason] += 1
    heads = (each.head or _head(each.translated or each.raw) for each in found)
    return Records(
        found, heads, counted["rejected"], counted["skipped"], counted["noted"]["eventbridge"]
    )


def _in_lines(data: memoryview) -> Iterator[Found | Aside]:
    for text in bytes(data).split(b"\n"):
        if text := text.strip(BLANK).removeprefix(
            _BOM
        ):  # files put together bring their marks along
            try:
                yield from records(text)
            except RecursionError:
                yield Aside("rejected", "nested-too-deep")
            except json.JSONDecodeError:
                yield Aside("rejected", "not-json")


def _in_document(data: memoryview) -> Iterator[Found | Aside]:
    with contextlib.suppress(ValueError, RecursionError):
        if (
            raws := _array_raws.decode(data)
            if _is_array(data)
            else _trail_raws.decode(data).Records
        ):
            return records_of(map(bytes, raws))
    if len(data) > ODD_CAP:
        raise Unreadable(
            "too-large",
            f"a document of an odd form, over {ODD_CAP >> 20} MiB: make lines of it with jq",
        )
    return _checked(bytes(data))


def _checked(data: bytes) -> Iterator[Found | Aside]:
    try:
        yield from records(data)
    except RecursionError:
        yield Aside("rejected", "nested-too-deep")
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
