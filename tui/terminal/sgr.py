"""SGR, the codes by which a terminal draws letters: from one way to another in as few of them as it takes."""

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
"""What ends each attribute. Some end two."""

_ON_BLANKS = frozenset({"4", "7", "9", "21", "51", "52", "53"})
"""Attributes that show where there is no letter, in the colour of letters."""

_PARAMETERS = {"5": 2, "2": 4}
"""How many codes tell a colour after 38 or 48, by the first of them: of 256, or by red, green and
blue."""


class _Pen(NamedTuple):
    """``""`` is the terminal's own colour."""

    attributes: frozenset[str]
    foreground: str
    background: str


@lru_cache(4096)
def _pen(style: str) -> _Pen:
    attributes, colours = set(), {"3": "", "4": ""}
    for code in _codes(style):
        if code in _OFF:
            attributes.add(code)
        else:  # 3x, 9x: a foreground; 4x, 10x: a background
            colours["3" if code[0] in "39" else "4"] = "" if code in ("39", "49") else code
    return _Pen(frozenset(attributes), colours["3"], colours["4"])


def _codes(style: str) -> Iterator[str]:
    parts = style.split(";") if style else []
    while parts:
        taken = 1 + _PARAMETERS[parts[1]] if parts[0] in ("38", "48") else 1
        yield ";".join(parts[:taken])
        del parts[:taken]


@lru_cache(4096)
def on_blank(style: str) -> str:
    """What can be seen of a style where there is no letter: two styles of which this is the same
    look the same."""
    pen = _pen(style)
    return style if pen.attributes & _ON_BLANKS else pen.background


@lru_cache(4096)
def turned(before: str, after: str) -> str:
    """The escape sequence that makes a terminal that draws as ``before`` draw as ``after``; both in
    SGR codes."""
    had, wanted = _pen(before), _pen(after)
    off = {_OFF[attribute] for attribute in had.attributes - wanted.attributes}
    on = {each for each in wanted.attributes if each not in had.attributes or _OFF[each] in off}
    codes = [*sorted(off), *sorted(on)]
    if wanted.foreground != had.foreground:
        codes.append(wanted.foreground or "39")
    if wanted.background != had.background:
        codes.append(wanted.background or "49")
    return f"\x1b[{';'.join(codes)}m" if codes else ""
