"""Columns of unsigned numbers, packed at the width that the highest of them needs."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from detector.formats.native.columns import NumberColumn, narrowed


class Column(NamedTuple):
    """Packed unsigned numbers: the bytes of an array with this type code."""

    type_code: str
    data: bytes

    @classmethod
    def of(cls, numbers: NumberColumn) -> Column:
        """Pack numbers."""
        narrow = narrowed(numbers)
        return cls(narrow.typecode, narrow.tobytes())

    def numbers(self) -> array[int]:
        """Return the numbers."""
        values = array(self.type_code)
        values.frombytes(self.data)
        return values


class RowColumn(NamedTuple):
    """Concatenated rows of unsigned numbers, whose widths may differ."""

    widths: Column
    items: Column

    @classmethod
    def of(cls, widths: NumberColumn, items: NumberColumn) -> RowColumn:
        """Pack rows, given the width of each row and the concatenated items."""
        return cls(Column.of(widths), Column.of(items))

    def rows(self) -> Iterator[Sequence[int]]:
        """Yield each row."""
        items = self.items.numbers()
        ends = accumulate(self.widths.numbers(), initial=0)
        return (items[start:end] for start, end in pairwise(ends))
