"""SGR, the codes that style text on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

_OFF = {
    "1": "22",
    "2": "22",
    "3": "23",
    "4": "24",
    "5": "25",
    "6": "25",
    "7": "27",
    "8": "28",
    "9": "29",
    "21": "24",
    "51": "54",
    "52": "54",
    "53": "55",
}
"""The code that ends each attribute. Some codes end two attributes."""

_ON_BLANKS = frozenset({"4", "7", "9", "21", "51", "52", "53"})
"""Attributes that are visible on a blank, in the foreground colour."""

_PARAMETERS = {"5": 2, "2": 4}
"""Number of codes after 38 or 48, by the first of them: 5 is one of 256 colours, 2 is RGB."""


class _Style(NamedTuple):
    """A style by its SGR codes; ``""`` is the terminal's own colour."""

    attributes: frozenset[str]
    foreground: str
    background: str


@lru_cache(4096)
def _parse_style(style: str) -> _Style:
    attributes, colours = set(), {"3": "", "4": ""}
    for code in _codes(style):
        if code in _OFF:
            attributes.add(code)
        else:  # 3x, 9x: a foreground; 4x, 10x: a background
            colours["3" if code[0] in "39" else "4"] = "" if code in ("39", "49") else code
    return _Style(frozenset(attributes), colours["3"], colours["4"])


def _codes(style: str) -> Iterator[str]:
    parts = style.split(";") if style else []
    while parts:
        length = 1 + _PARAMETERS[parts[1]] if parts[0] in ("38", "48") else 1
        yield ";".join(parts[:length])
        del parts[:length]


@lru_cache(4096)
def blank_style(style: str) -> str:
    """Return the part of a style that is visible on a blank."""
    parsed = _parse_style(style)
    if parsed.attributes & _ON_BLANKS:
        return style
    return parsed.background


@lru_cache(4096)
def transition(before: str, after: str) -> str:
    """Return the escape sequence from one style to another, as SGR codes."""
    old, new = _parse_style(before), _parse_style(after)
    off = {_OFF[attribute] for attribute in old.attributes - new.attributes}
    # a code that ends two attributes may also have ended one that must stay on
    on = {each for each in new.attributes if each not in old.attributes or _OFF[each] in off}
    codes = [*sorted(off), *sorted(on)]
    if new.foreground != old.foreground:
        codes.append(new.foreground or "39")
    if new.background != old.background:
        codes.append(new.background or "49")
    if codes:
        return f"\x1b[{';'.join(codes)}m"
    return ""
