"""Columns of rows in native code, and the same without it: marks, order and numbers."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from typing import NamedTuple, Self

from detector.formats.native.library import LIBRARY

IDENTITY = 16
"""Bytes of an identity."""
_MARK = 8
"""Bytes of a mark."""
_MASK = (1 << 64) - 1


class MarkTable(NamedTuple):
    """A table of the first eight bytes of identities, 0 where it is free.

    It has 2**bits places, of which at least one is free. A mark is at the place that its product
    with the factor names, or behind it."""

    marks: array[int]
    bits: int
    factor: int

    @classmethod
    def of_size(cls, bits: int, factor: int) -> MarkTable:
        """Return a table without marks."""
        return cls(array("Q", bytes(8 << bits)), bits, factor)

    def add(self, identities: bytes) -> int:
        """Add the marks of identities, which have room; return how many were not there."""
        return self._add(identities, IDENTITY)

    def add_marks_of(self, other: MarkTable) -> None:
        """Add the marks of a table, which have room."""
        self._add(array("Q", filter(None, other.marks)).tobytes(), _MARK)

    def _add(self, identities: bytes, stride: int) -> int:
        """Add the marks that begin every ``stride`` bytes."""
        if LIBRARY is not None:
            marks, count = self.marks.buffer_info()[0], len(identities) // stride
            added: int = LIBRARY.trailhound_add_marks(
                marks, self.bits, self.factor, identities, count, stride
            )
            return added
        added = 0
        for first in range(0, len(identities), stride):
            mark = _mark_at(identities, first)
            place = self._place(mark)
            added += not self.marks[place]
            self.marks[place] = mark
        return added

    def find(self, identities: bytes) -> Sequence[int]:
        """Return the numbers of the identities whose marks are here."""
        count = len(identities) // IDENTITY
        if LIBRARY is not None:
            numbers = array("i", bytes(4 * count))
            marks, numbers_at = self.marks.buffer_info()[0], numbers.buffer_info()[0]
            found = LIBRARY.trailhound_find_marks(
                marks, self.bits, self.factor, identities, count, numbers_at
            )
            return numbers[:found]
        places = [
            self._place(_mark_at(identities, first))
            for first in range(0, len(identities), IDENTITY)
        ]
        return [number for number, place in enumerate(places) if self.marks[place]]

    def _place(self, mark: int) -> int:
        place = (mark * self.factor & _MASK) >> (64 - self.bits)
        while self.marks[place] not in (0, mark):
            place = (place + 1) & (len(self.marks) - 1)
        return place


def _mark_at(identities: bytes, first: int) -> int:
    return int.from_bytes(identities[first : first + _MARK], sys.byteorder) or 1


def identities_in(joined: bytes | bytearray) -> list[bytes]:
    """Return identities that follow each other."""
    whole = bytes(joined)
    return [whole[first : first + IDENTITY] for first in range(0, len(whole), IDENTITY)]


class RowOrder:
    """The order of rows, or of some of them, in which their columns are put.

    ``order`` are the numbers of rows."""

    def __init__(self, order: array[int]) -> None:
        self._order = order

    @classmethod
    def by_time(cls, times: array[int], identities: bytes) -> Self:
        """Return the order of rows by time and identity."""
        count = len(times)
        if LIBRARY is None:
            names = identities_in(identities)
            order = sorted(range(count), key=names.__getitem__)
            order.sort(key=times.__getitem__)
            return cls(array("i", order))
        ordered = cls(array("i", range(count)))
        other = array("i", bytes(4 * count))
        LIBRARY.trailhound_sort_rows(
            times.buffer_info()[0], identities, count, ordered._at, other.buffer_info()[0]
        )
        return ordered

    @property
    def _at(self) -> int:
        return self._order.buffer_info()[0]

    def column(self, column: array[int]) -> array[int]:
        """Return a column in this order."""
        if LIBRARY is None:
            return array(column.typecode, map(column.__getitem__, self._order))
        count = len(self._order)
        ordered = array(column.typecode, bytes(column.itemsize * count))
        LIBRARY.trailhound_gather(
            column.buffer_info()[0],
            column.itemsize,
            self._at,
            count,
            ordered.buffer_info()[0],
        )
        return ordered

    def identities(self, identities: bytes) -> bytes:
        """Return identities that follow each other in this order."""
        if LIBRARY is None:
            return b"".join(map(identities_in(identities).__getitem__, self._order))
        count = len(self._order)
        ordered = array("B", bytes(IDENTITY * count))
        LIBRARY.trailhound_gather(identities, IDENTITY, self._at, count, ordered.buffer_info()[0])
        return ordered.tobytes()


def renumber(
    kinds: array[int], part_of: array[int], parts: int
) -> tuple[Sequence[int], Sequence[int]]:
    """Return the parts that rows have by their kinds, in order, and the number of each row's there.

    ``part_of`` is that of each kind, of so many ``parts``."""
    count = len(kinds)
    if LIBRARY is None:
        numbers = list(map(part_of.__getitem__, kinds))
        new = {part: number for number, part in enumerate(dict.fromkeys(numbers))}
        return list(new), list(map(new.__getitem__, numbers))
    used, of_rows = array("i", bytes(4 * count)), array("i", bytes(4 * count))
    renumbered = array("i", bytes(4 * parts))
    columns = part_of, renumbered, used, of_rows
    found = LIBRARY.trailhound_renumber(
        kinds.buffer_info()[0], count, *[column.buffer_info()[0] for column in columns]
    )
    return used[:found], of_rows
