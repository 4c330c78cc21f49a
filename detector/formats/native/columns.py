"""Operations on columns, natively or in Python: hash marks, sorting, gathering and renumbering."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, MutableSequence, Sequence
from itertools import accumulate, chain, groupby
from struct import iter_unpack, pack
from typing import NamedTuple, Self

from detector.formats.native.library import LIBRARY
from detector.text.numbers import Numbers

IDENTITY = 16
"""The bytes of an identity."""
_MARK = 8
"""The bytes of a mark."""
_MASK = (1 << 64) - 1
NumberColumn = MutableSequence[int]
"""A column of numbers: an array for native code, a list, which is faster in Python, without it."""
_LIMITS = (("B", 1 << 8), ("H", 1 << 16), ("I", 1 << 32), ("Q", 1 << 64))
"""Type codes of arrays, each with the least number that no longer fits."""


class MarkTable(NamedTuple):
    """An open-addressing hash table of marks, the first eight bytes of identities; 0: free.

    It has 2**bits places, at least one of which is free. The high bits of a mark's product with the
    factor give its place; collisions are resolved by linear probing."""

    marks: array[int]
    bits: int
    factor: int

    @classmethod
    def of_size(cls, bits: int, factor: int) -> MarkTable:
        """Return an empty table."""
        return cls(array("Q", bytes(8 << bits)), bits, factor)

    def add(self, identities: bytes) -> int:
        """Add the marks of identities, for which there must be room; return how many are new."""
        return self._add(identities, IDENTITY)

    def add_marks_of(self, other: MarkTable) -> None:
        """Add the marks of another table, for which there must be room."""
        self._add(array("Q", filter(None, other.marks)).tobytes(), _MARK)

    def _add(self, identities: bytes, stride: int) -> int:
        """Add the marks that begin every ``stride`` bytes; return how many are new."""
        if LIBRARY is not None:
            marks, count = self.marks.buffer_info()[0], len(identities) // stride
            added: int = LIBRARY.trailhound_add_marks(
                marks, self.bits, self.factor, identities, count, stride
            )
            return added
        table, new = self.marks, 0
        for mark, place in self._placed(identities, stride):
            if not table[place]:
                table[place] = mark
                new += 1
        return new

    def find(self, identities: bytes) -> Sequence[int]:
        """Return the indexes of the concatenated identities whose marks are present."""
        count = len(identities) // IDENTITY
        if LIBRARY is not None:
            numbers = array("i", bytes(4 * count))
            marks, numbers_at = self.marks.buffer_info()[0], numbers.buffer_info()[0]
            found = LIBRARY.trailhound_find_marks(
                marks, self.bits, self.factor, identities, count, numbers_at
            )
            return numbers[:found]
        table = self.marks
        places = enumerate(self._placed(identities, IDENTITY))
        return [number for number, (_, place) in places if table[place]]

    def _placed(self, identities: bytes, stride: int) -> Iterator[tuple[int, int]]:
        """Yield the marks that begin every ``stride`` bytes, each with its place in the table."""
        table, factor, shift, last = self.marks, self.factor, 64 - self.bits, len(self.marks) - 1
        for each in array("Q", identities)[:: stride // _MARK]:
            mark = each or 1
            place = (mark * factor & _MASK) >> shift
            while table[place] not in (0, mark):
                place = (place + 1) & last
            yield mark, place


def identities_in(joined: bytes | bytearray) -> list[bytes]:
    """Split concatenated identities."""
    return [identity for (identity,) in iter_unpack(f"{IDENTITY}s", joined)]


class RowOrder:
    """An order of all or some rows, which can be applied to columns.

    ``order`` are the numbers of the rows."""

    def __init__(self, order: array[int]) -> None:
        self._order = order

    @classmethod
    def by_time(cls, times: array[int], identities: bytes) -> Self:
        """Return the order of rows by time and identity."""
        count = len(times)
        if LIBRARY is None:
            name_of, time_of = identities_in(identities).__getitem__, times.__getitem__
            seconds = groupby(sorted(range(count), key=time_of), time_of)
            order = chain.from_iterable(sorted(rows, key=name_of) for _, rows in seconds)
            return cls(number_array("i", list(order)))
        ordered = cls(array("i", range(count)))
        other = array("i", bytes(4 * count))
        LIBRARY.trailhound_sort_rows(
            _address(times), identities, count, _address(ordered._order), _address(other)
        )
        return ordered

    def column(self, column: array[int]) -> array[int]:
        """Return a column's items in this order."""
        return array(column.typecode, gather(column, self._order))

    def identities(self, identities: bytes) -> bytes:
        """Return concatenated identities in this order."""
        if LIBRARY is None:
            return b"".join(map(identities_in(identities).__getitem__, self._order))
        ordered = array("B", bytes(IDENTITY * len(self._order)))
        LIBRARY.trailhound_gather(
            identities, IDENTITY, _address(self._order), len(self._order), _address(ordered)
        )
        return ordered.tobytes()


class NumberedRows:
    """Rows of numbers, of different widths, from which some can be selected at a time."""

    def __init__(self, rows: Iterable[Iterable[int]]) -> None:
        self._rows = list(map(tuple, rows))
        self._items = number_array("i", list(chain.from_iterable(self._rows)))
        self._starts = array("i", accumulate(map(len, self._rows), initial=0))

    def __len__(self) -> int:
        return len(self._rows)

    def chosen(self, numbers: NumberColumn) -> tuple[NumberColumn, NumberColumn]:
        """Return the widths of the rows with these numbers, and their items, row by row."""
        if LIBRARY is None or not isinstance(numbers, array):
            rows = list(map(self._rows.__getitem__, numbers))
            return list(map(len, rows)), list(chain.from_iterable(rows))
        widths = array("i", bytes(4 * len(numbers)))
        columns = *map(_address, (self._starts, self._items, numbers)), len(numbers)
        count = LIBRARY.trailhound_gather_rows(*columns, _address(widths), None)
        items = array("i", bytes(4 * count))
        LIBRARY.trailhound_gather_rows(*columns, _address(widths), _address(items))
        return widths, items


def gather(column: array[int], numbers: array[int]) -> NumberColumn:
    """Return a column's items at the rows with these numbers."""
    if LIBRARY is None:
        return list(map(column.tolist().__getitem__, numbers))
    gathered = array(column.typecode, bytes(column.itemsize * len(numbers)))
    LIBRARY.trailhound_gather(
        _address(column), column.itemsize, _address(numbers), len(numbers), _address(gathered)
    )
    return gathered


def renumber(parts_of: NumberColumn, parts: int) -> tuple[NumberColumn, NumberColumn]:
    """Renumber the parts of rows in the order of their first rows.

    ``parts_of`` has the part of each row, a number below ``parts``. Returns the used parts in their
    new order, and each row's new part number."""
    if LIBRARY is None or not isinstance(parts_of, array):
        used: Numbers[int] = Numbers()
        numbered = list(map(used.__getitem__, parts_of))
        return list(used), numbered
    rows = len(parts_of)
    found, numbers = array("i", bytes(4 * min(rows, parts))), array("i", bytes(4 * rows))
    renumbered = array("i", bytes(4 * parts))
    columns = map(_address, (renumbered, found, numbers))
    return found[: LIBRARY.trailhound_renumber(_address(parts_of), rows, *columns)], numbers


def narrowed(numbers: NumberColumn) -> array[int]:
    """Return numbers, none below 0, in an array with the narrowest items that fit them."""
    if LIBRARY is None or not isinstance(numbers, array) or numbers.typecode not in "iq":
        return number_array(_code_for(max(numbers, default=0)), numbers)
    column = _address(numbers), numbers.itemsize, len(numbers)
    narrow = array(_code_for(LIBRARY.trailhound_highest(*column)))
    narrow.frombytes(bytes(narrow.itemsize * len(numbers)))
    LIBRARY.trailhound_narrow(*column, narrow.itemsize, _address(narrow))
    return narrow


def number_array(type_code: str, numbers: Sequence[int]) -> array[int]:
    """Return numbers as an array. Raises struct.error if one does not fit.

    Packing all numbers at once is four times as fast as the array's constructor."""
    filled = array(type_code)
    filled.frombytes(pack(f"{len(numbers)}{type_code}", *numbers))
    return filled


def _code_for(highest: int) -> str:
    """Return the type code of the narrowest items that fit a number."""
    return next(code for code, limit in _LIMITS if highest < limit)


def _address(column: array[int]) -> int:
    return column.buffer_info()[0]
