"""The functions on text, including encodings and hashes.

Lengths and positions are in characters; positions begin at 1.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import urllib.parse
from collections.abc import Iterator
from functools import lru_cache

from detector.esql.functions.registry import LONGEST_TEXT, bounded_join, function
from detector.esql.json_path import parse_json_path
from detector.esql.json_value import json_value
from detector.esql.regex import Regex, Spans


@function("starts_with(keyword, keyword) -> boolean")
def starts_with(text: str, prefix: str) -> bool:
    return text.startswith(prefix)


@function("ends_with(keyword, keyword) -> boolean")
def ends_with(text: str, suffix: str) -> bool:
    return text.endswith(suffix)


@function("contains(keyword, keyword) -> boolean")
def contains(text: str, part: str) -> bool:
    return part in text


@function("concat(keyword, keyword...) -> keyword")
def concat(*parts: str) -> str:
    return bounded_join(parts)


@function("length(keyword) -> integer")
def length(text: str) -> int:
    return len(text)


@function("byte_length(keyword) -> integer")
def byte_length(text: str) -> int:
    return len(text.encode(errors="surrogatepass"))


@function("bit_length(keyword) -> integer")
def bit_length(text: str) -> int:
    return 8 * byte_length(text)


@function("substring(keyword, integer, integer?) -> keyword")
def substring(text: str, start: int, length: int | None = None) -> str:
    """Return a part of a text.

    A negative start counts from the end; 0 means 1.
    """
    if length is not None and length < 0:
        raise ValueError
    first = max(len(text) + start, 0) if start < 0 else max(start - 1, 0)
    if length is None:
        return text[first:]
    return text[first : first + length]


@function("left(keyword, integer) -> keyword")
def left(text: str, length: int) -> str:
    return text[: max(length, 0)]


@function("right(keyword, integer) -> keyword")
def right(text: str, length: int) -> str:
    return text[-length:] if length > 0 else ""


@function("locate(keyword, keyword, integer?) -> integer")
def locate(text: str, part: str, start: int = 1) -> int:
    """Return the position of a part; 0 if it is not found."""
    return text.find(part, max(start - 1, 0)) + 1


@function("to_lower(keyword*) -> keyword")
def to_lower(text: str) -> str:
    return text.lower()


@function("to_upper(keyword*) -> keyword")
def to_upper(text: str) -> str:
    return text.upper()


@function("trim(keyword) -> keyword")
def trim(text: str) -> str:
    return text.strip()


@function("ltrim(keyword) -> keyword")
def ltrim(text: str) -> str:
    return text.lstrip()


@function("rtrim(keyword) -> keyword")
def rtrim(text: str) -> str:
    return text.rstrip()


@function("reverse(keyword) -> keyword")
def reverse(text: str) -> str:
    return text[::-1]


@function("repeat(keyword, integer) -> keyword")
def repeat(text: str, times: int) -> str:
    if times < 0 or len(text) * times > LONGEST_TEXT:
        raise ValueError
    return text * times


@function("space(integer) -> keyword")
def space(times: int) -> str:
    return repeat(" ", times)


@function("split(keyword, keyword) -> keyword[]")
def split(text: str, delimiter: str) -> list[str]:
    if not delimiter:
        raise ValueError
    return text.split(delimiter)


@lru_cache(256)
def _java_regex(pattern: str) -> Regex:
    """Compile a Java regex; its named groups and end anchor are translated. Raises ValueError."""
    named = re.sub(r"\(\?<([A-Za-z]\w*)>", r"(?P<\1>", pattern)
    return Regex(named.replace(r"\z", r"\Z"))


@lru_cache(256)
def _replacement(by: str) -> tuple[str | int, ...]:
    """Split a replacement into literal texts and group numbers.

    ``$1`` is the first group; a backslash escapes the next character.
    """
    return tuple(
        int(group) if group else escaped or plain
        for escaped, group, plain in re.findall(r"\\(.)|\$(\d)|([^\\$]+|[\\$])", by, re.DOTALL)
    )


@function("replace(keyword, keyword, keyword) -> keyword", constant_checks={1: _java_regex})
def replace(text: str, pattern: str, by: str) -> str:
    """Replace the matches of a Java regex; ``$1`` in ``by`` is the first group."""
    regex = _java_regex(pattern)
    template = _replacement(by)
    pieces = []
    end = size = 0
    for spans in regex.matches(text):
        start = spans[0][0]
        pieces.append(text[end:start])
        filled = "".join(_filled(template, text, spans))
        size += len(filled)
        if size > LONGEST_TEXT:
            raise ValueError
        pieces.append(filled)
        end = spans[0][1]
    pieces.append(text[end:])
    return bounded_join(pieces)


def _filled(template: tuple[str | int, ...], text: str, spans: Spans) -> Iterator[str]:
    for part in template:
        if isinstance(part, str):
            yield part
        elif part < len(spans):
            start, end = spans[part]
            yield text[max(start, 0) : max(end, 0)]
        else:
            raise ValueError(f"no group {part}")


@function("from_base64(keyword) -> keyword")
def from_base64(text: str) -> str:
    """Decode base64. Raises ValueError (null) if the text is invalid or not UTF-8."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode()
    except binascii.Error as error:
        raise ValueError from error


@function("to_base64(keyword) -> keyword")
def to_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@function("url_decode(keyword) -> keyword")
def url_decode(text: str) -> str:
    return urllib.parse.unquote_plus(text, errors="strict")


@function("url_encode(keyword) -> keyword")
def url_encode(text: str) -> str:
    return urllib.parse.quote_plus(text, safe="*-._")


@function("url_encode_component(keyword) -> keyword")
def url_encode_component(text: str) -> str:
    return urllib.parse.quote(text, safe="")


def _hash_name(algorithm: str) -> str:
    """Return Python's name of a hash algorithm. Raises ValueError if unknown."""
    name = algorithm.lower().replace("sha-", "sha").replace("-", "_")
    if name not in hashlib.algorithms_guaranteed or name.startswith("shake"):
        raise ValueError(f"no algorithm {algorithm}")
    return name


@function("hash(keyword, keyword) -> keyword", constant_checks={0: _hash_name})
def hash_text(algorithm: str, text: str) -> str:
    return hashlib.new(_hash_name(algorithm), text.encode(), usedforsecurity=False).hexdigest()


@function("md5(keyword) -> keyword")
def md5(text: str) -> str:
    return hash_text("md5", text)


@function("sha1(keyword) -> keyword")
def sha1(text: str) -> str:
    return hash_text("sha1", text)


@function("sha256(keyword) -> keyword")
def sha256(text: str) -> str:
    return hash_text("sha256", text)


@function("json_extract(keyword, keyword) -> keyword", constant_checks={1: parse_json_path})
def json_extract(text: str, path: str) -> str | None:
    """Return the value at a path in a JSON text; non-strings are returned as their source text."""
    return json_value(text, parse_json_path(path))
