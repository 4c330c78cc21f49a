"""The fields of a kind of rows, each with its type."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

import msgspec

from detector.filter.field_types import Kind, Number, Time
from detector.text.suggest import nearest

R = TypeVar("R")


class Field(msgspec.Struct, Generic[R], frozen=True):
    """A named value of a row.

    ``read`` returns the value: a text, several, a number or None, as ``kind`` has it. ``shown``
    returns the value without the further names that ``read`` adds. ``in_word_search``: a word
    without a field is looked for here too, where the value is text. Both functions are importable
    by name, so that a filter can be pickled."""

    name: str
    meaning: str
    read: Callable[[R], Any]
    kind: Kind
    shown: Callable[[R], Any] | None = None
    in_word_search: bool = True


class Fields(msgspec.Struct, Generic[R], frozen=True):
    """The fields of one kind of rows, ``rows`` in the plural."""

    rows: str
    fields: tuple[Field[R], ...]

    def __iter__(self) -> Iterator[Field[R]]:
        return iter(self.fields)

    def get(self, name: str) -> Field[R] | None:
        return next((field for field in self.fields if field.name == name), None)

    def __getitem__(self, name: str) -> Field[R]:
        """Return a field by its name. Raises ValueError with the nearest name."""
        field = self.get(name)
        if field:
            return field
        near = nearest(name, [field.name for field in self.fields])
        raise ValueError(f"no field {name}" + (near or "; quote it to search for the text"))

    @property
    def in_word_search(self) -> tuple[Callable[[R], Any], ...]:
        """Readers of the texts that a word is looked for in."""
        return tuple(
            field.read
            for field in self.fields
            if field.in_word_search and not isinstance(field.kind, Number | Time)
        )

    @property
    def time(self) -> Field[R] | None:
        """The field that a time expression without a field compares."""
        return next((field for field in self.fields if isinstance(field.kind, Time)), None)
