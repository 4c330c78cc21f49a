"""What rows can be asked for: named fields, each of a kind that says how it is compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from detector.filter.field_types import Kind, Number, Time
from detector.text.suggest import nearest

R = TypeVar("R")


@dataclass(frozen=True)
class Field(Generic[R]):
    """``read`` gives its value in a row: a text or several, a number or None, as ``kind`` has it.

    ``shown`` gives the same without other names for it that ``read`` gives too. ``worded``: a word
    without a field is looked for here as well, where it is text. What reads is importable by name,
    so that a filter can be pickled."""

    name: str
    meaning: str
    read: Callable[[R], Any]
    kind: Kind
    shown: Callable[[R], Any] | None = None
    worded: bool = True


@dataclass(frozen=True)
class Fields(Generic[R]):
    """The fields of one kind of rows, ``rows`` in the plural."""

    rows: str
    fields: tuple[Field[R], ...]

    def __iter__(self) -> Iterator[Field[R]]:
        return iter(self.fields)

    def get(self, name: str) -> Field[R] | None:
        return next((field for field in self.fields if field.name == name), None)

    def __getitem__(self, name: str) -> Field[R]:
        """Raises ValueError with the nearest name."""
        if field := self.get(name):
            return field
        near = nearest(name, [field.name for field in self.fields])
        raise ValueError(f"no field {name}" + (near or "; quote it to look for the text"))

    @property
    def worded(self) -> tuple[Callable[[R], Any], ...]:
        """What reads the texts that a word without a field is looked for in."""
        return tuple(
            field.read
            for field in self.fields
            if field.worded and not isinstance(field.kind, Number | Time)
        )

    @property
    def time(self) -> Field[R] | None:
        """What time expressions are about."""
        return next((field for field in self.fields if isinstance(field.kind, Time)), None)
