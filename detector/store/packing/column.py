"""Numbers in as few bytes as the highest of them takes."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from detector.formats.native.columns import NumberColumn, narrowed


class Column(NamedTuple):
    """Unsigned numbers, as an array of this type code."""

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
    """Rows of unsigned numbers, which may have several widths, one behind the other."""

    widths: Column
    items: Column

    @classmethod
    def of(cls, widths: NumberColumn, items: NumberColumn) -> RowColumn:
        """Pack rows by their widths and what they have, row by row."""
        return cls(Column.of(widths), Column.of(items))

    def rows(self) -> Iterator[Sequence[int]]:
        """Yield each row."""
        items = self.items.numbers()
        ends = accumulate(self.widths.numbers(), initial=0)
        return (items[start:end] for start, end in pairwise(ends))
