"""Differences between two alerts, principals or calls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ComparedField:
    """The distinct values of one field on both sides of a comparison."""

    name: str
    left: tuple[str, ...]
    right: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether one side has a value that the other lacks."""
        return set(self.left) != set(self.right)

    @property
    def values(self) -> list[str]:
        """All values: first those only on the left, then only on the right, then common ones."""
        return [*self.only_left, *self.only_right, *self.common]

    @property
    def only_left(self) -> list[str]:
        return [value for value in self.left if value not in self.right]

    @property
    def only_right(self) -> list[str]:
        return [value for value in self.right if value not in self.left]

    @property
    def common(self) -> list[str]:
        return [value for value in self.left if value in self.right]


def compare(name: str, left: Iterable[str], right: Iterable[str]) -> ComparedField:
    """Compare the values of one field."""
    return ComparedField(name, tuple(dict.fromkeys(left)), tuple(dict.fromkeys(right)))


def differing_first(fields: Iterable[ComparedField]) -> list[ComparedField]:
    """Order fields with differing ones first; drop fields without values on either side."""
    known: Sequence[ComparedField] = [field for field in fields if field.values]
    return sorted(known, key=lambda field: not field.differs)
