"""Where a row is after a list has changed."""

from __future__ import annotations

from collections.abc import Sequence


def successor(old: Sequence[str], index: int, new: Sequence[str]) -> int:
    """The place in ``new`` of the key at ``old[index]``; where it went, of its nearest neighbour, the one below first.

    0 where there is nothing to go by.
    """
    if not new or not old:
        return 0
    index = min(index, len(old) - 1)
    try:
        return new.index(old[index])
    except ValueError:
        places = {key: place for place, key in enumerate(new)}
    for away in range(1, len(old)):
        for near in (index + away, index - away):
            if 0 <= near < len(old) and (place := places.get(old[near])) is not None:
                return place
    return min(index, len(new) - 1)
