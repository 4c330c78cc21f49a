"""Suggestions for names that are not known."""

from __future__ import annotations

from collections.abc import Iterable

_MAX_LENGTH = 60
"""Characters of a name that is compared: the time grows with the square of them."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Suggest a known name: ``"; did you mean X?"`` or ``""``."""
    if len(name) > _MAX_LENGTH:
        return ""
    import difflib  # 80 kB of code, for names that are not known

    by_lower = {candidate.lower(): candidate for candidate in known}
    matches = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.7)
    if not matches:
        return ""
    return f"; did you mean {by_lower[matches[0]]}?"
