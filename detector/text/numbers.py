"""Consecutive numbers for values, in order of first appearance."""

from __future__ import annotations

from typing import Generic, TypeVar

_T = TypeVar("_T")


class Numbers(dict[_T, int], Generic[_T]):
    """A dictionary that gives each new value the next number, from 0."""

    def __missing__(self, value: _T) -> int:
        number = self[value] = len(self)
        return number
