"""Untrusted text made visible: what would act on a terminal, or cannot be seen, becomes an escape.

Whoever writes to a trail writes user agents, session names and error messages. Screens, tables and exports show them
through ``visible``; evidence in JSON stays byte-true.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

LIMIT = 2_000
"""Characters of one string that are shown before it is cut."""

_STACK = 3
"""Combining marks that one letter may carry; more are a smear over the lines around it."""

# Printable to Unicode, yet nothing is seen: joiners, fillers, the empty braille cell, variation
# selectors (which also change widths and can carry hidden bytes).
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def visible(text: str, limit: int = LIMIT, *, lines: bool = False) -> str:
    r"""``text`` as one line of characters that can be seen and keep their place.

    What cannot be seen or would act on the terminal becomes the escape that Python writes for it (``\x1b``, ``\u202e``,
    ``\ud800``): controls, C1, bidirectional and zero-width characters, surrogates, tags, odd spaces, private and
    unassigned characters, piled-up combining marks. With ``lines`` line breaks are kept: for text of several lines.
    Over ``limit`` characters the rest is cut, and its length said.
    """
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    shown, rest = text[:limit], len(text) - limit
    split = shown.replace("\r\n", "\n").split("\n") if lines else [shown]
    shown = "\n".join(map(_escaped, split))
    return f"{shown}…(+{rest:,} characters)" if rest > 0 else shown


def masked(line: str) -> str:
    """``line`` with one mark in place of each character that ``visible`` would escape: for text
    that is being edited, where every character must keep its place."""
    return _replaced(line, lambda _: "\ufffd")


def _escaped(line: str) -> str:
    return _replaced(line, lambda character: ascii(character)[1:-1])


def _replaced(line: str, instead: Callable[[str], str]) -> str:
    if line.isprintable() and (
        line.isascii() or (not _UNSEEN.search(line) and not _has_marks(line))
    ):
        return line
    shown = []
    marks = _STACK  # a mark at the very start would sit on whatever is drawn before it
    for character in line:
        if unicodedata.category(character) in ("Mn", "Me"):
            marks += 1
            seen = marks <= _STACK and not _UNSEEN.match(character)
        else:
            marks = 0
            seen = character.isprintable() and not _UNSEEN.match(character)
        shown.append(character if seen else instead(character))
    return "".join(shown)


def _has_marks(line: str) -> bool:
    return any(unicodedata.category(character) in ("Mn", "Me") for character in line)
