"""Signals as cells: two bytes for the second of the hour, then the identity of the event."""

from __future__ import annotations

import sys
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from operator import floordiv, mod
from typing import NamedTuple

from detector.detection.columns.identity_set import IdentitySet
from detector.detection.signals.signal_event import HOUR
from detector.formats.native.columns import IDENTITY, RowOrder

CELL = 2 + IDENTITY
"""The size of a cell in bytes."""


class HourCells(NamedTuple):
    """The sorted, distinct cells of a group's signals in one hour, numbered since the epoch."""

    group: int
    hour: int
    cells: bytes


def cells_in(joined: bytes) -> list[bytes]:
    """Split concatenated cells."""
    return [joined[at : at + CELL] for at in range(0, len(joined), CELL)]


def join_cells(cells: Iterable[bytes]) -> bytes:
    """Return the distinct cells, sorted and concatenated."""
    return b"".join(sorted(set(cells)))


def pack_hours(
    groups: Sequence[int], times: Sequence[int], identities: bytes
) -> Iterator[HourCells]:
    """Pack the signals of each group by hour.

    ``groups`` and ``times`` (epoch seconds) have an entry for each signal, ``identities`` are
    concatenated; there is at least one signal."""
    first = min(times) // HOUR
    hours = max(times) // HOUR - first + 1
    # Each group gets a range that covers all hours, so these sort by group, hour and second.
    moments = array(
        "q",
        [HOUR * (group * hours - first) + time for group, time in zip(groups, times, strict=True)],
    )
    order = RowOrder.by_time(moments, identities)
    moments, identities = order.column(moments), order.identities(identities)
    cells = _cells(array("H", map(mod, moments, repeat(HOUR))), identities)
    is_repeated = IdentitySet().add_all(identities) < len(moments)
    start = 0
    for slot, count in Counter(map(floordiv, moments, repeat(HOUR))).items():
        end = start + CELL * count
        group, hour = divmod(slot, hours)
        of_hour = cells[start:end]
        yield HourCells(
            group, first + hour, join_cells(cells_in(of_hour)) if is_repeated else of_hour
        )
        start = end


def _cells(seconds: array[int], identities: bytes) -> bytes:
    if sys.byteorder == "little":
        seconds.byteswap()
    cells = bytearray(CELL * len(seconds))
    for width, start, column in (2, 0, seconds.tobytes()), (IDENTITY, 2, identities):
        for at in range(width):
            cells[start + at :: CELL] = column[at::width]
    return bytes(cells)
