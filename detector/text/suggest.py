"""Suggestions for unknown names."""

from __future__ import annotations

from collections.abc import Iterable

_MAX_LENGTH = 60
"""Maximum characters of a name to compare: time grows with the square of the length."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean X?"`` for the most similar known name, or ``""``."""
    if len(name) > _MAX_LENGTH:
        return ""
    import difflib  # imported late: 80 kB of code, needed only for unknown names

    by_lower = {candidate.lower(): candidate for candidate in known}
    matches = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.7)
    if not matches:
        return ""
    return f"; did you mean {by_lower[matches[0]]}?"
