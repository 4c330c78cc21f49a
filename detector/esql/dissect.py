"""DISSECT: splits a text at fixed delimiters.

Source: Elastic's ES|QL reference, "Process data with DISSECT".
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from detector.text.late_pattern import late_pattern

PartValues = list[str | None]


class _Key(msgspec.Struct, frozen=True):
    """A key such as ``%{+name/2->}``: its column and the delimiter after it.

    ``name`` None: the part is skipped. ``order`` is the position of the part among joined ones.
    ``padded``: the delimiter may be repeated.
    """

    name: str | None
    order: int
    padded: bool
    delimiter: str


def compile_dissect(
    pattern: str, separator: str
) -> tuple[list[str], Callable[[str], PartValues | None]]:
    """Compile a pattern to column names and a function that splits texts.

    The function returns the columns' values, or None for a text that does not match. The parts of
    the same ``+name`` are joined by ``separator``. Raises ValueError for an invalid pattern.
    """
    prefix, keys = _parse(pattern)
    names = list(dict.fromkeys(key.name for key in keys if key.name is not None))
    if not names:
        raise ValueError("the pattern names no column")

    def dissect(text: str) -> PartValues | None:
        parts = _cut(text, prefix, keys)
        if parts is None:
            return None
        return [separator.join(_parts_of(name, keys, parts)) for name in names]

    return names, dissect


def _parts_of(name: str, keys: list[_Key], parts: list[str]) -> list[str]:
    ordered = [(key.order, part) for key, part in zip(keys, parts, strict=True) if key.name == name]
    ordered.sort(key=lambda pair: pair[0])
    return [part for _, part in ordered]


def _cut(text: str, prefix: str, keys: list[_Key]) -> list[str] | None:
    if not text.startswith(prefix):
        return None
    parts = []
    start = len(prefix)
    for key in keys:
        if not key.delimiter:
            parts.append(text[start:])
            break
        end = text.find(key.delimiter, start)
        if end < 0:
            return None
        parts.append(text[start:end])
        start = end + len(key.delimiter)
        while key.padded and text.startswith(key.delimiter, start):
            start += len(key.delimiter)
    return parts


def _parse(pattern: str) -> tuple[str, list[_Key]]:
    """Return the literal text before the first key, and the keys."""
    matches = list(re.finditer(r"%\{([^}]*)\}", pattern))
    if not matches:
        raise ValueError("the pattern has no %{key}")
    keys = []
    following = [*matches[1:], None]
    for number, (match, after) in enumerate(zip(matches, following, strict=True)):
        end = after.start() if after else len(pattern)
        delimiter = pattern[match.end() : end]
        if after and not delimiter:
            raise ValueError(f"a delimiter must stand between {match[0]} and {after[0]}")
        keys.append(_key(match[1], number, delimiter))
    return pattern[: matches[0].start()], keys


def _key(text: str, number: int, delimiter: str) -> _Key:
    padded = text.endswith("->")
    name = text.removesuffix("->")
    modifier = _MODIFIER.search(name)
    if modifier is None:
        return _Key(name or None, number, padded, delimiter)
    # As in Elasticsearch, text before a modifier is not part of the name.
    name = modifier[2]
    if modifier[1] in "*&":
        raise ValueError(f"reference keys such as %{{{text}}} are not supported by ES|QL")
    if modifier[1] == "?":
        return _Key(None, number, padded, delimiter)
    name, slash, digits = name.partition("/")
    if slash and not digits.isdecimal():
        raise ValueError(f"the order in %{{{text}}} must be a number")
    if not name:
        raise ValueError(f"%{{{text}}} names no column")
    return _Key(name, int(digits) if slash else number, padded, delimiter)


_MODIFIER = late_pattern(r"([+*&?])(.*)", re.DOTALL)
"""The first modifier of a key, at any position, and the name after it."""
