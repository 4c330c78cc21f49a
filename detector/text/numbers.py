"""Numbers for values, in the order in which these come."""

from __future__ import annotations

from typing import Generic, TypeVar

_T = TypeVar("_T")


class Numbers(dict[_T, int], Generic[_T]):
    """Values, each with its number in order."""

    def __missing__(self, value: _T) -> int:
        number = self[value] = len(self)
        return number
