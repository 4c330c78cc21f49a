"""What was probably meant by a name that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LONGEST = 60
"""Characters of a name that is compared: the time that takes grows with the square of them."""


def nearest(name: str, known: Iterable[str]) -> str:
    """``"; did you mean X?"``, or nothing where no known name is near."""
    by_lower = {each.lower(): each for each in known}
    found = (
        difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.7)
        if len(name) <= _LONGEST
        else []
    )
    return f"; did you mean {by_lower[found[0]]}?" if found else ""
