"""Text of others in Markdown: nothing in it becomes markup, a link or HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable

from detector.text.visible import visible

WHOLE = 1 << 20
"""Characters of one string in an export: all of them, but for what no person wrote."""


def codes(values: Iterable[str]) -> str:
    return ", ".join(code(value) for value in values)


def code(text: str) -> str:
    """A log's own text as a code span, in which Markdown and HTML mean nothing."""
    if not text:
        return ""
    shown = visible(text, WHOLE).replace("|", "\\|")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    space = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{space}{shown}{space}{fence}"


_ACTIVE = re.compile(r"([\\`*_{}\[\]<>#|!~&])|(?<=:)(?=//)|(?<=www)(?=\.)")


def plain(text: str) -> str:
    """A person's text as plain words: no markup, link or HTML comes of what they may have
    pasted."""
    return _ACTIVE.sub(lambda found: "\\" + found[0], visible(text, WHOLE))
