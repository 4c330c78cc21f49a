"""JSON cut into its parts, each as the bytes that it stands as.

The strict decoder cuts nearly everything; what it refuses (lone surrogates, bytes that are no UTF-8, raw controls,
several values one after the other) is walked, and what is nested deeper than either can go is cut by its brackets. All
raise json.JSONDecodeError where there is no JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import msgspec

from detector.cloudtrail.record import loads

WHITESPACE = b" \t\r\n"

_scan = json.JSONDecoder(strict=False, parse_int=str)  # integers of any length
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[\]{}]|,', re.S)
_value = msgspec.json.Decoder(msgspec.Raw)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_elements = msgspec.json.Decoder(list[msgspec.Raw])


def split_values(data: bytes) -> Iterator[bytes]:
    """The JSON values that stand one after the other in ``data``, with or without white space
    between them."""
    data = data.strip(WHITESPACE)
    try:
        yield bytes(_value.decode(data))
        return
    except (ValueError, RecursionError):
        pass
    try:
        text = data.decode("utf-8", "surrogateescape")
        spans = list(_walk_values(text))
    except RecursionError:
        yield from (data[start:end] for start, end in _by_brackets(data, 0))
    else:
        yield from (_bytes(text[start:end]) for start, end in spans)


def split_members(value: bytes) -> dict[str, bytes]:
    """The members of an object; as in JSON, the last of one name counts."""
    try:
        return {name: bytes(raw) for name, raw in _members.decode(value).items()}
    except (ValueError, RecursionError):
        pass
    try:
        text = value.decode("utf-8", "surrogateescape")
        return {name: _bytes(text[start:end]) for name, start, end in _walk_members(text)}
    except RecursionError:
        found = {}
        for start, end in _by_brackets(value, 1):
            name = _TOKEN.match(value, start)
            if name is None or name[0][:1] != b'"':
                raise json.JSONDecodeError("no name", "", start) from None
            found[str(loads(name[0]))] = value[name.end() : end].lstrip(WHITESPACE + b":")
        return found


def split_elements(value: bytes) -> list[bytes]:
    """The elements of an array."""
    try:
        return [bytes(raw) for raw in _elements.decode(value)]
    except (ValueError, RecursionError):
        pass
    try:
        text = value.decode("utf-8", "surrogateescape")
        return [_bytes(text[start:end]) for start, end in _walk_elements(text)]
    except RecursionError:
        return [value[start:end] for start, end in _by_brackets(value, 1)]


def decode_string(value: bytes) -> bytes:
    """The text of a JSON string."""
    return str(loads(value)).encode("utf-8", "backslashreplace")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _blank(text: str, at: int, more: str = "") -> int:
    while at < len(text) and text[at] in " \t\r\n" + more:
        at += 1
    return at


def _check(text: str, opening: str) -> None:
    """So that what follows only meets sound JSON."""
    if text[:1] != opening:
        raise json.JSONDecodeError(f"no {opening}", text, 0)
    _scan.raw_decode(text)


def _walk_values(text: str) -> Iterator[tuple[int, int]]:
    at = 0
    while at < len(text):
        _, end = _scan.raw_decode(text, at)
        yield at, end
        at = _blank(text, end)


def _walk_elements(text: str) -> Iterator[tuple[int, int]]:
    _check(text, "[")
    at = _blank(text, 1)
    while text[at] != "]":
        _, end = _scan.raw_decode(text, at)
        yield at, end
        at = _blank(text, end, ",")


def _walk_members(text: str) -> Iterator[tuple[str, int, int]]:
    _check(text, "{")
    at = _blank(text, 1)
    while text[at] != "}":
        name, end = _scan.raw_decode(text, at)
        at = _blank(text, end, ":")
        _, end = _scan.raw_decode(text, at)
        yield name, at, end
        at = _blank(text, end, ",")


def _by_brackets(data: bytes, depth: int) -> Iterator[tuple[int, int]]:
    """What stands ``depth`` brackets deep, each part from its first byte to its last: cut without
    looking inside."""
    level, start = 0, 0
    for token in _TOKEN.finditer(data):
        mark = token[0]
        if mark in (b"[", b"{"):
            if level == depth and depth == 0:
                start = token.start()
            level += 1
            if level == depth:
                start = token.end()
        elif mark in (b"]", b"}"):
            level -= 1
            if level == depth == 0:
                yield start, token.end()
            elif level == depth - 1:
                yield from _part(data, start, token.start())
                return
        elif mark == b"," and level == depth > 0:
            yield from _part(data, start, token.start())
            start = token.end()
    if level:
        raise json.JSONDecodeError("Unterminated string", "", 0)


def _part(data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    part = data[start:end]
    if part.strip(WHITESPACE):
        yield start + len(part) - len(part.lstrip(WHITESPACE)), start + len(part.rstrip(WHITESPACE))
