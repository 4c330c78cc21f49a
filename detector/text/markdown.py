"""Untrusted text in Markdown, escaped so that it is never markup."""

from __future__ import annotations

import re
from collections.abc import Iterable

from detector.text.late_pattern import late_pattern
from detector.text.visible import visible

WHOLE = 1 << 20
"""Maximum characters of one string in an export: more than any person writes."""


def codes(values: Iterable[str]) -> str:
    """Format values as code spans, separated by commas."""
    return ", ".join(code(value) for value in values)


def code(text: str) -> str:
    """Format text as a code span in which nothing acts as Markdown or HTML."""
    if not text:
        return ""
    shown = visible(text, WHOLE).replace("|", "\\|")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    needs_space = shown[0] in "` " or shown[-1] in "` "
    space = " " if needs_space else ""
    return f"{fence}{space}{shown}{space}{fence}"


_ACTIVE = late_pattern(r"([\\`*_{}\[\]<>#|!~&])|(?<=:)(?=//)|(?<=www)(?=\.)")


def plain(text: str) -> str:
    """Escape Markdown in a text, so that it is shown as it is."""
    return _ACTIVE.sub(lambda match: "\\" + match[0], visible(text, WHOLE))
