"""Finding the cursor's row after its list has changed."""

from __future__ import annotations

from collections.abc import Sequence

_NEIGHBORHOOD = 1_000
"""Rows to either side that are tried first, since searching a million rows is slow."""


def find_successor(old: Sequence[str], index: int, new: Sequence[str]) -> int:
    """Find the index in ``new`` of the key ``old[index]``.

    If the key is gone, find its nearest neighbor that still exists; of two equally near ones, the
    one below. If none exists, return the nearest valid index; 0 if a list is empty.
    """
    if not new or not old:
        return 0
    index = min(index, len(old) - 1)
    try:
        return new.index(old[index])
    except ValueError:
        pass
    for distance in (_NEIGHBORHOOD, len(old)):
        neighbor = _nearest_left(old, index, distance, new)
        if neighbor is not None:
            return new.index(old[neighbor])
    return min(index, len(new) - 1)


def _nearest_left(old: Sequence[str], index: int, distance: int, new: Sequence[str]) -> int | None:
    """Find the nearest index in ``old`` whose key is also in ``new``."""
    first = max(0, index - distance)
    neighbors = old[first : index + distance]
    left = set(neighbors).intersection(new)
    if not left:
        return None
    indices = [position for position, key in enumerate(neighbors, first) if key in left]
    return min(indices, key=lambda position: (abs(position - index), position < index))
