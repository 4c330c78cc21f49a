"""Numbers in as few bytes as the highest of them takes."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import NamedTuple


class Column(NamedTuple):
    """Unsigned numbers, as an array of this type code."""

    type_code: str
    data: bytes

    @classmethod
    def of(cls, numbers: Sequence[int]) -> Column:
        highest = max(numbers)
        for type_code, limit in (("B", 1 << 8), ("H", 1 << 16), ("I", 1 << 32)):
            if highest < limit:
                return cls(type_code, array(type_code, numbers).tobytes())
        return cls("Q", array("Q", numbers).tobytes())

    def numbers(self) -> Sequence[int]:
        values = array(self.type_code)
        values.frombytes(self.data)
        return values
