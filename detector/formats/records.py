"""A chunk of JSON -> its records: trail files, bare arrays, single records, and each of them as a line.

The head of every record is decoded at once, typed; a record whose turn comes is decoded whole, from its
own bytes. One odd record costs itself only: where the typed decode of a chunk fails, its records are
taken one by one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import msgspec

from detector.formats.containers import Chunk, Incomplete, Unreadable
from detector.record import Head, Record, decode


class _Heads(msgspec.Struct, gc=False):
    Records: list[Head]


class _Raws(msgspec.Struct, gc=False):
    Records: list[msgspec.Raw] | None = None


_trail_heads = msgspec.json.Decoder(_Heads)
_array_heads = msgspec.json.Decoder(list[Head])
_line_heads = msgspec.json.Decoder(Head)
_trail_raws = msgspec.json.Decoder(_Raws)
_array_raws = msgspec.json.Decoder(list[msgspec.Raw])
_line_raws = msgspec.json.Decoder(msgspec.Raw)

_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n"
_scan = json.JSONDecoder(strict=False)


class Records:
    """The records of a chunk, by their place in it.

    ``heads[i]`` is what is read of every record, an empty one where there is no JSON object; ``rejected`` counts
    the lines that are no JSON at all, by reason.
    """

    def __init__(self, data: bytes | bytearray, split: Callable[[bytes | bytearray], Sequence[bytes | msgspec.Raw]],
                 heads: Sequence[Head], rejected: Counter[str] | None = None) -> None:
        self.heads = heads
        self.rejected = rejected or Counter()
        self._data = data
        self._split = split

    @cached_property
    def _raws(self) -> Sequence[bytes | msgspec.Raw]:
        return self._split(self._data)

    def raw(self, index: int) -> bytes:
        """The record's own bytes, as they stand in the chunk."""
        return bytes(self._raws[index])

    def record(self, index: int) -> Record:
        """The whole record. Only for an index whose head is not empty."""
        return decode(self._raws[index])


def parse(chunk: Chunk) -> Records:
    """The records of a chunk. Raises Incomplete or Unreadable where a document is no JSON."""
    data = chunk.data[len(_BOM):] if chunk.data.startswith(_BOM) else chunk.data
    try:
        if chunk.lines:
            heads = _line_heads.decode_lines(data)
            if all(head.event_time for head in heads):
                return Records(data, _line_raws.decode_lines, heads)
        elif data[:64].lstrip()[:1] == b"[":
            return Records(data, _array_raws.decode, _array_heads.decode(data))
        else:
            return Records(data, _trail_records, _trail_heads.decode(data).Records)
    except (ValueError, RecursionError):
        pass  # odd somewhere: one by one
    return _one_by_one(bytes(data), chunk.lines)


def _trail_records(data: bytes | bytearray) -> list[msgspec.Raw]:
    return _trail_raws.decode(data).Records or []


def _one_by_one(data: bytes, lines: bool) -> Records:
    rejected: Counter[str] = Counter()
    raws: list[bytes] = []
    for text in data.split(b"\n") if lines else [data]:
        if not (text := text.strip(_BLANK)):
            continue
        try:
            raws.extend(_split(text))
        except RecursionError:
            rejected["nested-too-deep"] += 1
        except json.JSONDecodeError as error:
            if not lines:
                raise _json_problem(error) from None
            rejected["not-json"] += 1
    heads = [_head(raw) for raw in raws]
    return Records(data, lambda _: raws, heads, rejected)


def _json_problem(error: json.JSONDecodeError) -> Unreadable:
    if error.pos >= len(error.doc) or error.msg.startswith("Unterminated string"):
        return Incomplete("truncated-json", "the JSON ends too early")
    return Unreadable("corrupt-json", f"no JSON at character {error.pos}: {error.msg}")


def _split(text: bytes) -> list[bytes]:
    """The records in one JSON value, each as the bytes that it stands as."""
    try:
        if text[:1] == b"[":
            return [bytes(raw) for raw in _array_raws.decode(text)]
        records = _trail_raws.decode(text).Records
        return [text] if records is None else [bytes(raw) for raw in records]
    except (ValueError, RecursionError):
        return list(_walk(text))


def _walk(data: bytes) -> Iterator[bytes]:
    """``_split`` for what a strict decoder refuses (lone surrogates, bytes that are no UTF-8, raw controls)."""
    text = data.decode("utf-8", "surrogateescape")
    value, end = _scan.raw_decode(text)
    if end != len(text):
        raise json.JSONDecodeError("Extra data", text, end)
    if isinstance(value, list):
        spans = _elements(text, 0)
    elif isinstance(value, dict) and isinstance(value.get("Records"), list):
        spans = _elements(text, _member(text, "Records"))
    else:
        spans = iter([(0, end)])
    for start, stop in spans:
        yield text[start:stop].encode("utf-8", "surrogateescape")


def _skip(text: str, at: int, more: str = "") -> int:
    while at < len(text) and text[at] in " \t\r\n" + more:
        at += 1
    return at


def _elements(text: str, at: int) -> Iterator[tuple[int, int]]:
    """Where each element of the array that opens at ``at`` begins and ends."""
    at = _skip(text, at + 1)
    while text[at] != "]":
        _, end = _scan.raw_decode(text, at)
        yield at, end
        at = _skip(text, end, ",")


def _member(text: str, name: str) -> int:
    """Where the value of the last member ``name`` of the object ``text`` begins (as in JSON, the last one counts)."""
    at = _skip(text, 1)
    found = -1
    while text[at] != "}":
        key, end = _scan.raw_decode(text, at)
        at = _skip(text, end, ":")
        if key == name:
            found = at
        at = _skip(text, _scan.raw_decode(text, at)[1], ",")
    return found


def _head(raw: bytes) -> Head:
    try:
        return _line_heads.decode(raw)
    except (ValueError, RecursionError):
        pass
    try:
        record = decode(raw)
    except (ValueError, RecursionError):
        return Head()
    return Head(record.event_time, record.event_source, record.event_name, record.event_category)
