"""Break words that are longer than a line between their parts, not within a part."""

from __future__ import annotations

import re

_STRONG = re.compile(r"[:/](?=[^:/])")
_WEAK = re.compile(r"[.,=_+@-](?=\w)|[a-z0-9](?=[A-Z])")


def part_long_words(text: str, cells: int) -> str:
    """Put a space between the parts of each word of ASCII that is longer than ``cells``.

    A part ends after ``:`` or ``/``, else after other punctuation or before a capital letter. Any
    two neighbouring parts together exceed ``cells``, so a line never shows an inserted space.
    """
    return re.sub(rf"[!-~]{{{cells + 1},}}", lambda word: " ".join(_parts(word[0], cells)), text)


def _parts(word: str, cells: int) -> list[str]:
    parts = [""]
    while len(word) > cells:
        ends = [each.end() for each in _STRONG.finditer(word, 0, cells + 1)]
        ends = ends or [each.end() for each in _WEAK.finditer(word, 0, cells + 1)]
        end = ends[-1] if ends else cells
        _add(parts, word[:end], cells)
        word = word[end:]
    _add(parts, word, cells)
    return parts


def _add(parts: list[str], part: str, cells: int) -> None:
    """Append a part; join it to the last part if both fit on a line."""
    if len(parts[-1]) + len(part) <= cells:
        parts[-1] += part
    else:
        parts.append(part)
