"""Find a value in a JSON text, with the semantics of Elasticsearch's parser.

The text is read only up to the end of the value, so the rest may be invalid. Comments count as
blanks, and a duplicate key in an object is an error if it is read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NoReturn

from detector.text.late_pattern import late_pattern

_BLANKS = late_pattern(r"(?:[ \t\r\n]++|/\*(?:[^*]|\*(?!/))*+\*/|//[^\r\n]*+)*+")
_STRING = late_pattern(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+"')
_NUMBER = late_pattern(
    r"-?(?:0(?![0-9])|[1-9][0-9]*+)(?:\.[0-9]++|(?!\.))(?:[eE][+-]?[0-9]++|(?![eE]))"
)
_WORD = late_pattern(r"true|false|null")
_MOST_DEPTH = 1000


def json_value(text: str, path: Sequence[str | int]) -> str | None:
    """Return the value at a path: a decoded string, or the source text of any other value.

    None for null. Raises ValueError if there is no such value, or if the text up to its end is not
    JSON."""
    position = _after_blanks(text, text.startswith("\ufeff"))
    for segment in path:
        opening = text[position : position + 1]
        if isinstance(segment, str) and opening == "{":
            position = _find_member(text, position, segment)
        elif isinstance(segment, int) and opening == "[":
            position = _find_element(text, position, segment)
        else:
            _fail()
    end = _skip_value(text, position, len(path))
    written = text[position:end]
    if written == "null":
        return None
    if written[0] == '"':
        return _decode_string(written)
    if not path and written[0] in "-0123456789" and text[end : end + 1] not in (*" \t\r\n", ""):
        _fail()
    return written


def _fail() -> NoReturn:
    raise ValueError("no such value in the JSON")


def _after_blanks(text: str, position: int) -> int:
    match = _BLANKS.match(text, position)
    assert match is not None
    return match.end()


def _find_member(text: str, position: int, key: str) -> int:
    """Return the start of a key's value in the object at ``position``."""
    seen: set[str] = set()
    position = _after_blanks(text, position + 1)
    while text[position : position + 1] != "}":
        name, position = _member_name(text, position, seen)
        if name == key:
            return position
        position = _next_item(text, _skip_value(text, position), "}")
    _fail()


def _find_element(text: str, position: int, index: int) -> int:
    """Return the start of an element in the array at ``position``."""
    position = _after_blanks(text, position + 1)
    count = 0
    while text[position : position + 1] != "]":
        if count == index:
            return position
        position = _next_item(text, _skip_value(text, position), "]")
        count += 1
    _fail()


def _member_name(text: str, position: int, seen: set[str]) -> tuple[str, int]:
    """Read a key and its colon; return the key and the start of its value."""
    match = _STRING.match(text, position)
    if match is None:
        _fail()
    name = _decode_string(match[0])
    if name in seen:
        raise ValueError(f"the key {name} comes twice")
    seen.add(name)
    position = _after_blanks(text, match.end())
    if text[position : position + 1] != ":":
        _fail()
    return name, _after_blanks(text, position + 1)


def _next_item(text: str, position: int, closing: str) -> int:
    """Return the position of the next item or the closing bracket after an item."""
    position = _after_blanks(text, position)
    if text[position : position + 1] == closing:
        return position
    if text[position : position + 1] != ",":
        _fail()
    position = _after_blanks(text, position + 1)
    if text[position : position + 1] == closing:
        _fail()
    return position


def _skip_value(text: str, position: int, depth: int = 0) -> int:
    """Return the end of the value at ``position``, which is nested in ``depth`` structures."""
    opened: list[set[str] | None] = []
    """The keys read so far of each open object; None for an open array."""
    while True:
        opening = text[position : position + 1]
        if opening and opening in "{[":
            opened.append(set() if opening == "{" else None)
            if depth + len(opened) > _MOST_DEPTH:
                raise ValueError("the JSON is nested too deeply")
            position = _after_blanks(text, position + 1)
        else:
            position = _skip_scalar(text, position)
            if not opened:
                return position
            position = _next_item(text, position, _closing(opened[-1]))
        while text[position : position + 1] == _closing(opened[-1]):
            opened.pop()
            position += 1
            if not opened:
                return position
            position = _next_item(text, position, _closing(opened[-1]))
        keys = opened[-1]
        if keys is not None:
            _, position = _member_name(text, position, keys)


def _closing(keys: set[str] | None) -> str:
    return "]" if keys is None else "}"


def _skip_scalar(text: str, position: int) -> int:
    match = _STRING.match(text, position) or _NUMBER.match(text, position)
    if match is not None:
        return match.end()
    match = _WORD.match(text, position)
    if match is None:
        _fail()
    follower = text[match.end() : match.end() + 1]
    if follower >= "0" and f"a{follower}".isidentifier():
        _fail()
    return match.end()


def _decode_string(written: str) -> str:
    """Decode a JSON string; a lone surrogate becomes U+FFFD, as in Lucene."""
    if "\\" not in written:
        return written[1:-1]
    text: str = json.loads(written)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
