"""Wildcards, escapes, placeholders and encodings in Sigma's text values."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import NamedTuple

_DASHES = ("-", "/", "\u2013", "\u2014", "\u2015")
_DASH = re.compile(r"\B[-/]\b")
_MOST_DASHES = 3
_MOST_VARIANTS = 10_000
_PLACEHOLDER = re.compile(r"\\%|%([^%\\]+)%")
_BASE64_STARTS = (0, 2, 3)
_BASE64_ENDS = (None, -3, -2)


class PatternPart(NamedTuple):
    """A literal text, or one of the wildcards ``*`` and ``?`` if ``wild``."""

    text: str
    wild: bool = False


WildcardPattern = tuple[PatternPart, ...]
ANY = PatternPart("*", True)


def parse_pattern(text: str) -> WildcardPattern:
    r"""Parse a text with wildcards.

    ``\`` escapes a wildcard or another ``\``; before any other character it is literal.
    """
    parts: list[PatternPart] = []
    literal = ""
    characters = iter(text)
    for character in characters:
        if character == "\\":
            following = next(characters, "")
            literal += following if following in ("*", "?", "\\") else character + following
            if not following:
                break
        elif character in "*?":
            if literal:
                parts.append(PatternPart(literal))
            parts.append(PatternPart(character, True))
            literal = ""
        else:
            literal += character
    if literal:
        parts.append(PatternPart(literal))
    return tuple(parts)


def expand_placeholders(text: str, values: Mapping[str, Sequence[str]]) -> list[str]:
    r"""Return the text with ``%name%`` replaced by each of its values; ``\%`` is a percent sign.

    Raises KeyError with the name of an unknown placeholder, ValueError for too many results.
    """
    pieces: list[Sequence[str]] = []
    end = 0
    for match in _PLACEHOLDER.finditer(text):
        pieces.append([text[end : match.start()]])
        pieces.append(["%"] if match[1] is None else values[match[1]])
        end = match.end()
    pieces.append([text[end:]])
    if prod(map(len, pieces)) > _MOST_VARIANTS:
        raise ValueError(f"over {_MOST_VARIANTS:,} texts by its placeholders")
    return ["".join(chosen) for chosen in product(*pieces)]


def is_literal(pattern: WildcardPattern) -> bool:
    return not any(part.wild for part in pattern)


def literal_text(pattern: WildcardPattern) -> str:
    return "".join(part.text for part in pattern)


def map_literals(pattern: WildcardPattern, change: Callable[[str], str]) -> WildcardPattern:
    """Apply ``change`` to the literal parts of a pattern."""
    return tuple(part if part.wild else PatternPart(change(part.text)) for part in pattern)


def windash_variants(pattern: WildcardPattern) -> list[WildcardPattern]:
    """Return the variants of a pattern with each word's leading dash or slash in all forms.

    Raises ValueError for too many dashes.
    """
    options: list[Sequence[PatternPart]] = []
    dashes = 0
    for part in pattern:
        if part.wild:
            options.append([part])
            continue
        end = 0
        for match in _DASH.finditer(part.text):
            options.append([PatternPart(part.text[end : match.start()])])
            options.append([PatternPart(dash) for dash in _DASHES])
            end = match.end()
            dashes += 1
        options.append([PatternPart(part.text[end:])])
    if dashes > _MOST_DASHES:
        raise ValueError(f"windash takes at most {_MOST_DASHES} dashes in one text")
    return [_joined(chosen) for chosen in product(*options)]


def _joined(parts: Sequence[PatternPart]) -> WildcardPattern:
    """Join adjacent literal parts and drop empty ones."""
    joined: list[PatternPart] = []
    for part in parts:
        if part.wild or not joined or joined[-1].wild:
            joined.append(part)
        else:
            joined[-1] = PatternPart(joined[-1].text + part.text)
    return tuple(part for part in joined if part.text)


def base64_text(data: bytes) -> str:
    return b64encode(data).decode()


def base64_variants(data: bytes) -> Iterator[str]:
    """Yield the base64 that any text containing ``data`` must contain, for each offset modulo 3."""
    for offset in range(3):
        encoded = b64encode(b" " * offset + data).decode()
        yield encoded[_BASE64_STARTS[offset] : _BASE64_ENDS[(len(data) + offset) % 3]]
