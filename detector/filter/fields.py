"""The fields by which a kind of row can be filtered, each with its type."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

import msgspec

from detector.filter.field_types import Kind, Number, Time
from detector.text.suggest import nearest

R = TypeVar("R")


class Field(msgspec.Struct, Generic[R], frozen=True):
    """A named value of a row.

    ``read`` returns the value in the form that ``kind`` expects: a text, several texts, a number or
    None. ``shown`` returns the value without the alternative names that ``read`` adds.
    ``in_word_search``: a word without a field is also searched for here, if the value is text. Both
    functions must be importable by name, so that a filter can be pickled."""

    name: str
    meaning: str
    read: Callable[[R], Any]
    kind: Kind
    shown: Callable[[R], Any] | None = None
    in_word_search: bool = True


class Fields(msgspec.Struct, Generic[R], frozen=True):
    """The fields of one kind of row; ``rows`` is its name in the plural."""

    rows: str
    fields: tuple[Field[R], ...]

    def __iter__(self) -> Iterator[Field[R]]:
        return iter(self.fields)

    def get(self, name: str) -> Field[R] | None:
        return next((field for field in self.fields if field.name == name), None)

    def __getitem__(self, name: str) -> Field[R]:
        """Return a field by its name. Raises ValueError, with a suggestion, if there is none."""
        field = self.get(name)
        if field:
            return field
        near = nearest(name, [field.name for field in self.fields])
        raise ValueError(f"no field {name}" + (near or "; quote it to search for the text"))

    @property
    def in_word_search(self) -> tuple[Callable[[R], Any], ...]:
        """Readers of the fields in which a word without a field is searched for."""
        return tuple(
            field.read
            for field in self.fields
            if field.in_word_search and not isinstance(field.kind, Number | Time)
        )

    @property
    def time(self) -> Field[R] | None:
        """The field to which a time expression without a field applies; None if there is none."""
        return next((field for field in self.fields if isinstance(field.kind, Time)), None)
