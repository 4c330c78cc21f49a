"""Escapes for untrusted text: invisible and active characters become visible.

User agents, session names and error messages are written by the callers of AWS. Screens, tables and
exports show them through ``visible``; evidence in JSON stays byte for byte.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from detector.text.late_pattern import late_pattern

LIMIT = 2_000
"""Maximum characters shown of one string; the rest is cut."""

_MAX_MARKS = 3
"""Maximum combining marks on one letter; more would smear over neighbouring lines."""

# Printable according to Unicode, yet invisible: joiners, fillers, the empty braille cell, and
# variation selectors (which also change widths and can carry hidden bytes).
_UNSEEN = late_pattern(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def visible(text: str, limit: int = LIMIT, *, lines: bool = False) -> str:
    r"""Escape characters that are invisible or would act on a terminal.

    Escapes are Python's (``\x1b``, ``\u202e``, ``\ud800``); they replace controls, C1,
    bidirectional and zero-width characters, surrogates, tags, odd spaces, private and unassigned
    characters, and piled-up combining marks. With ``lines``, line breaks are kept. Of a text longer
    than ``limit`` characters the rest is replaced by its length.
    """
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    shown, rest = text[:limit], len(text) - limit
    split = shown.replace("\r\n", "\n").split("\n") if lines else [shown]
    shown = "\n".join(map(_escaped, split))
    return f"{shown}…(+{rest:,} characters)" if rest > 0 else shown


def masked(line: str) -> str:
    """Replace each character that ``visible`` would escape with a replacement mark.

    For text that is being edited, where every character must keep its cell."""
    return _replaced(line, lambda _: "\ufffd")


def _escaped(line: str) -> str:
    return _replaced(line, lambda character: ascii(character)[1:-1])


def _replaced(line: str, replacement: Callable[[str], str]) -> str:
    if line.isprintable() and (
        line.isascii() or (not _UNSEEN.search(line) and not _has_marks(line))
    ):
        return line
    shown = []
    marks = _MAX_MARKS  # a mark at the very start would combine with the text drawn before it
    for character in line:
        if unicodedata.category(character) in ("Mn", "Me"):
            marks += 1
            is_visible = marks <= _MAX_MARKS and not _UNSEEN.match(character)
        else:
            marks = 0
            is_visible = character.isprintable() and not _UNSEEN.match(character)
        shown.append(character if is_visible else replacement(character))
    return "".join(shown)


def _has_marks(line: str) -> bool:
    return any(unicodedata.category(character) in ("Mn", "Me") for character in line)
