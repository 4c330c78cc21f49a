"""Reads structures written as text in various forms.

JSON; a Python literal, as data frames write objects into cells; ``{type=IAMUser, arn=…}``, as
Athena, Presto and Java write structs and maps; any of these packed (``packed_text``). JSON may
follow other text on its line.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from detector.cloudtrail.record import loads
from detector.formats.decompress import Budget
from detector.formats.errors import Unreadable
from detector.formats.json_spans import WHITESPACE, split_values
from detector.formats.packed_text import begins_packed, unpack_text
from detector.text.late_pattern import late_pattern

BLANK = WHITESPACE + b"\0"
"""Bytes to strip from a line: a log that was truncated while being written has zero bytes."""
_LITERAL_CAP = 1 << 20
_STRUCTURE_CAP = 1 << 20
"""The most bytes that a structure may unpack to."""
_NO_VALUE = frozenset({"", "null", "NULL", "None", "nan", "NaN", r"\N", "<null>"})
_JSON_BEGINNING = r'\{\s*"|\[\s*[\[{"]|\{\s*\x27'
_JSON_BEGINS, _JSON_BEGINS_TEXT = (
    late_pattern(_JSON_BEGINNING.encode()),
    late_pattern(_JSON_BEGINNING),
)
_LITERAL_BEGINNING = r"[\[{]\s*(?:\{\s*)?'"
_LITERAL_BEGINS, _LITERAL_BEGINS_TEXT = (
    late_pattern(_LITERAL_BEGINNING.encode()),
    late_pattern(_LITERAL_BEGINNING),
)
_SCALAR = late_pattern(rb'".*"|null|true|false|-?\d[\d.eE+-]*', re.DOTALL)
_BRACKET = late_pattern(rb"[\[\]{}]")
_COMMENT = late_pattern(rb"(?:#|//|--|;|<!--|/\*|\*)")
_PAIR = late_pattern(r"\s*([A-Za-z_]\w*)\s*=")
_SPACED, _CLOSE = late_pattern(r"[{}\[\]]|,\s"), late_pattern(r"[{}\[\]]|,(?=[A-Za-z_]\w*=)")
"""Names of users and sessions may have commas and ``=``, but no spaces."""


class NotJson(json.JSONDecodeError):
    """A text without JSON."""

    def __init__(self, text: str = "not JSON") -> None:
        super().__init__(text, " ", 0)


class Values(NamedTuple):
    """The JSON values of a text."""

    values: list[bytes]
    is_all: bool
    """Whether the text contains nothing else."""


def json_values(text: bytes) -> Values:
    """Return the JSON values of a text, or those that follow other text on a line.

    Raises json.JSONDecodeError if there are none, or RecursionError.
    """
    text = text.strip(BLANK)
    if _SCALAR.fullmatch(text):
        return Values(list(split_values(text)), is_all=True)
    if text[:1] in (b"{", b"["):
        try:
            return Values(list(split_values(text)), is_all=True)
        except json.JSONDecodeError:
            if _LITERAL_BEGINS.match(text):
                return Values([python_literal(text)], is_all=True)
            if _is_document(text):
                raise
    return Values(list(_behind_text(text)), is_all=False)


def _is_document(text: bytes) -> bool:
    """Return whether a text that is not JSON is a damaged document, not JSON after other text.

    A complete document may be followed by lines of text, but not by brackets.
    """
    if _JSON_BEGINS.match(text):
        rest = text[_value_end(text) :]
        is_text = rest.lstrip(b" \t\r")[:1] == b"\n" and _BRACKET.search(rest) is None
        return _JSON_BEGINS.search(rest) is None and not is_text
    return text[1:].strip(BLANK)[:1] in (b"", b"{")


def _behind_text(text: bytes) -> Iterator[bytes]:
    """Yield each JSON value between other text.

    A value that begins must be complete: the inner values of a truncated value do not count.
    """
    match = _JSON_BEGINS.search(text)
    if match is None:
        raise NotJson
    last = text[match.start() :]
    if is_value(last):
        yield last
        return
    decoded = last.decode("utf-8", "surrogateescape")
    found: re.Match[str] | None = _JSON_BEGINS_TEXT.match(decoded)
    while found:
        if _LITERAL_BEGINS_TEXT.match(decoded, found.start()):
            end = decoded.rfind("}") + 1
            yield python_literal(_encoded(decoded[found.start() : end]))
        else:
            _, end = _scanner.raw_decode(decoded, found.start())
            yield _encoded(decoded[found.start() : end])
        found = _JSON_BEGINS_TEXT.search(decoded, end)


_scanner = json.JSONDecoder(strict=False, parse_int=str)
_value_decoder = msgspec.json.Decoder(msgspec.Raw)


def is_value(text: bytes) -> bool:
    """Return whether a text is one complete JSON value."""
    try:
        _value_decoder.decode(text)
    except (ValueError, RecursionError):
        return False
    return True


def _value_end(text: bytes) -> int:
    """Return the end of the JSON value that a text begins with."""
    if is_value(text):
        return len(text)
    decoded = text.decode("utf-8", "surrogateescape")
    _, end = _scanner.raw_decode(decoded)
    return len(_encoded(decoded[:end]))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def begins_json(text: bytes) -> bool:
    """Return whether a text begins like JSON."""
    return text[:1] == b'"' or _JSON_BEGINS.match(text) is not None


def contains_json(text: bytes) -> bool:
    """Return whether JSON begins anywhere in a text, or the text seems to encode JSON."""
    return text[:1] == b'"' or _JSON_BEGINS.search(text) is not None or begins_packed(text)


def begins_value(line: bytes) -> bool:
    """Return whether a line that is not JSON is a Python literal, or encodes JSON."""
    if begins_packed(line):
        return True
    if _LITERAL_BEGINS.match(line) is None or line[-1:] not in (b"}", b"]"):
        return False
    try:
        return bool(python_literal(line))
    except NotJson:
        return False


def is_json_behind_text(line: bytes) -> bool:
    """Return whether a line is a JSON object after other text, and not a part of a document."""
    match = _JSON_BEGINS.search(line)
    if match is None or match[0][:1] != b"{" or line[: match.start()].rstrip()[-2:] == b'":':
        return False
    try:
        return bool(json_values(line).values)
    except (ValueError, RecursionError):
        return False


def is_comment(line: bytes) -> bool:
    """Return whether a line is a comment."""
    return _COMMENT.match(line) is not None


def python_literal(text: bytes) -> bytes:
    """Convert a Python literal to JSON. Raises NotJson."""
    if len(text) > _LITERAL_CAP:
        raise NotJson
    try:
        value = ast.literal_eval(text.decode("utf-8", "backslashreplace"))
        return msgspec.json.encode(value, enc_hook=str)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError, OverflowError):
        raise NotJson from None


def structure(text: str) -> Any:
    """Return the structure that a text represents; None if it represents none."""
    text = text.strip()
    data = text.encode("utf-8", "backslashreplace")
    if text[:1] not in ("{", "["):
        inner = _inner_text(data)
        return None if inner is None else structure(inner)
    try:
        return loads(data)
    except (ValueError, RecursionError):
        pass
    try:
        return loads(python_literal(data))
    except ValueError:
        pass
    try:
        return _struct(text)
    except (ValueError, RecursionError):
        return None


def _inner_text(data: bytes) -> str | None:
    """Return the text inside a JSON string or a packed text; None for other texts."""
    if data[:1] == b'"':
        try:
            inner = loads(data)
        except (ValueError, RecursionError):
            return None
        return inner if isinstance(inner, str) else None
    try:
        unpacked = unpack_text(data, Budget(_STRUCTURE_CAP))
    except Unreadable:
        return None
    if unpacked is None or unpacked[:1] not in (b"{", b"["):
        return None
    return unpacked.decode("utf-8", "backslashreplace")


def struct_json(text: bytes) -> bytes:
    """Convert the structure that a text represents to JSON; ``null`` if it represents none."""
    return msgspec.json.encode(structure(text.decode("utf-8", "backslashreplace")))


def _struct(text: str) -> Any:
    """Parse ``{name=value, name={…}, …}``; a list if no value has a name, None if only some
    have."""
    parts = _split_parts(text[1:-1])
    if text[:1] == "[":
        return [_struct_value(part) for part in parts]
    pairs = [_PAIR.match(part) for part in parts]
    if all(pairs):
        return {
            pair[1]: _struct_value(part[pair.end() :])
            for part, pair in zip(parts, pairs, strict=True)
            if pair
        }
    if not any(pairs):
        return [_struct_value(part) for part in parts]
    return None


def _struct_value(text: str) -> Any:
    text = text.strip()
    if text[:1] in ("{", "[") and text[-1:] in ("}", "]"):
        return _struct(text)
    return absent_if_empty(text)


def _split_parts(text: str) -> list[str]:
    """Split at commas outside brackets: those with a space, or if there is none, before
    ``name=``."""
    parts, start, level = [], 0, 0
    for token in (_SPACED if ", " in text else _CLOSE).finditer(text):
        character = token[0]
        if character in "{[":
            level += 1
        elif character in "}]":
            level -= 1
        elif not level:
            parts.append(text[start : token.start()])
            start = token.end()
    if level:
        raise NotJson
    parts.append(text[start:])
    return [part for part in parts if part.strip()]


def absent_if_empty(text: str) -> str | None:
    """Return a cell's text; None for the words by which tables denote no value."""
    return None if text in _NO_VALUE else text
