"""Splits a JSON text into its parts, each as raw bytes.

The strict decoder splits nearly everything. Texts that it refuses (lone surrogates, invalid UTF-8,
raw control characters, several values in a row) are walked by the lenient scanner; texts nested too
deep for either are split by their brackets. All functions raise json.JSONDecodeError for text that
is not JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import msgspec

from detector.cloudtrail.record import loads
from detector.text.late_pattern import late_pattern

WHITESPACE = b" \t\r\n"
PARTS_CAP, LEAST_PART = 2_000_000, 16
"""A value of more than ``PARTS_CAP`` parts with fewer bytes on average than ``LEAST_PART`` is not
split; CloudTrail's average is 35."""

_scanner = json.JSONDecoder(strict=False, parse_int=str)  # integers of any length
_TOKEN = late_pattern(rb'"(?:[^"\\]|\\.)*+"|[\[\]{}]|,', re.S)
_value_decoder = msgspec.json.Decoder(msgspec.Raw)
_object_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_array_decoder = msgspec.json.Decoder(list[msgspec.Raw])


def split_values(data: bytes) -> Iterator[bytes]:
    """Yield the JSON values in data, with or without white space between them."""
    data = data.strip(WHITESPACE)
    try:
        yield bytes(_value_decoder.decode(data))
        return
    except (ValueError, RecursionError):
        pass
    try:
        text = data.decode("utf-8", "surrogateescape")
        spans = list(_walk_values(text))
    except RecursionError:
        yield from (data[start:end] for start, end in _split_by_brackets(data, 0))
    else:
        yield from (_bytes(text[start:end]) for start, end in spans)


def split_members(value: bytes) -> dict[str, bytes]:
    """Split an object into its members; if a name is repeated, the last one counts."""
    try:
        return {name: bytes(raw) for name, raw in _object_decoder.decode(value).items()}
    except (ValueError, RecursionError):
        pass
    try:
        text = value.decode("utf-8", "surrogateescape")
        return {name: _bytes(text[start:end]) for name, start, end in _walk_members(text)}
    except RecursionError:
        members = {}
        for start, end in _split_by_brackets(value, 1):
            name = _TOKEN.match(value, start)
            if name is None or name[0][:1] != b'"':
                raise json.JSONDecodeError("no name", "", start) from None
            members[str(loads(name[0]))] = value[name.end() : end].lstrip(WHITESPACE + b":")
        return members


def split_elements(value: bytes) -> list[bytes]:
    """Split an array into its elements."""
    try:
        return [bytes(raw) for raw in _array_decoder.decode(value)]
    except (ValueError, RecursionError):
        pass
    try:
        text = value.decode("utf-8", "surrogateescape")
        return [_bytes(text[start:end]) for start, end in _walk_elements(text)]
    except RecursionError:
        return [value[start:end] for start, end in _split_by_brackets(value, 1)]


def has_tiny_parts(text: bytes, separator: bytes) -> bool:
    """Return whether a text has millions of tiny parts, each of which would take memory."""
    if len(text) <= PARTS_CAP:
        return False
    parts = text.count(separator)
    return parts > PARTS_CAP and parts * LEAST_PART > len(text)


def decode_string(value: bytes) -> bytes:
    """Decode a JSON string into its text, in UTF-8."""
    return str(loads(value)).encode("utf-8", "backslashreplace")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _skip(text: str, offset: int, more: str = "") -> int:
    """Return the offset after any white space and characters in ``more``."""
    while offset < len(text) and text[offset] in " \t\r\n" + more:
        offset += 1
    return offset


def _check(text: str, opening: str) -> None:
    """Raise json.JSONDecodeError unless a text begins with a complete value.

    The walks therefore need no checks of their own.
    """
    if text[:1] != opening:
        raise json.JSONDecodeError(f"no {opening}", text, 0)
    _scanner.raw_decode(text)


def _walk_values(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(text):
        _, end = _scanner.raw_decode(text, start)
        yield start, end
        start = _skip(text, end)


def _walk_elements(text: str) -> Iterator[tuple[int, int]]:
    _check(text, "[")
    start = _skip(text, 1)
    while text[start] != "]":
        _, end = _scanner.raw_decode(text, start)
        yield start, end
        start = _skip(text, end, ",")


def _walk_members(text: str) -> Iterator[tuple[str, int, int]]:
    _check(text, "{")
    start = _skip(text, 1)
    while text[start] != "}":
        name, end = _scanner.raw_decode(text, start)
        start = _skip(text, end, ":")
        _, end = _scanner.raw_decode(text, start)
        yield name, start, end
        start = _skip(text, end, ",")


def _split_by_brackets(data: bytes, depth: int) -> Iterator[tuple[int, int]]:
    """Yield the span of each part that is ``depth`` brackets deep."""
    level, start = 0, 0
    for token in _TOKEN.finditer(data):
        character = token[0]
        if character in (b"[", b"{"):
            if level == depth and depth == 0:
                start = token.start()
            level += 1
            if level == depth:
                start = token.end()
        elif character in (b"]", b"}"):
            level -= 1
            if level == depth == 0:
                yield start, token.end()
            elif level == depth - 1:
                yield from _trimmed_span(data, start, token.start())
                return
        elif character == b"," and level == depth > 0:
            yield from _trimmed_span(data, start, token.start())
            start = token.end()
    if level:
        raise json.JSONDecodeError("Unterminated string", "", 0)


def _trimmed_span(data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield a span without surrounding white space; nothing if it is empty."""
    part = data[start:end]
    if part.strip(WHITESPACE):
        yield start + len(part) - len(part.lstrip(WHITESPACE)), start + len(part.rstrip(WHITESPACE))
