"""Where a row is after a list has changed."""

from __future__ import annotations

from collections.abc import Sequence

_NEAR = 1_000
"""Rows to either side that are looked at first: of a million, to ask where all of them went would
take long."""


def successor(old: Sequence[str], index: int, new: Sequence[str]) -> int:
    """The place in ``new`` of the key at ``old[index]``; where it went, of its nearest neighbour,
    the one below first.

    0 where there is nothing to go by.
    """
    if not new or not old:
        return 0
    index = min(index, len(old) - 1)
    try:
        return new.index(old[index])
    except ValueError:
        pass
    for reach in (_NEAR, len(old)):
        first = max(0, index - reach)
        near = old[first : index + reach]
        left = set(near).intersection(new)
        if left:
            places = [place for place, key in enumerate(near, first) if key in left]
            return new.index(
                old[min(places, key=lambda place: (abs(place - index), place < index))]
            )
    return min(index, len(new) - 1)
