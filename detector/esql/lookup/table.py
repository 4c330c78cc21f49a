"""In-memory lookup tables, indexed by the values of columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from detector.ecs.values import Type, ip_from_text, number_from_text
from detector.text.time import parse_milliseconds

RowsByValue = Mapping[tuple[Any, ...], list[int]]
"""The indexes of a table's rows, by their values in certain columns."""


class LookupFileError(Exception):
    """An unusable table; the message is one line that says what to do."""


class LookupColumn(msgspec.Struct, frozen=True):
    """A column: its typed values and their source texts; ``many``: values may be lists."""

    type: Type
    many: bool
    values: Sequence[Any]
    texts: Sequence[str | None]


class LookupTable(msgspec.Struct, frozen=True):
    """A table; ``key`` is ENRICH's key column, ``digest`` changes with the content."""

    columns: Mapping[str, LookupColumn]
    key: str
    digest: str
    _indexes: dict[tuple[tuple[str, Type], ...], RowsByValue] = msgspec.field(default_factory=dict)

    def rows_by(self, columns: Iterable[tuple[str, Type]]) -> RowsByValue:
        """Return the index of the rows by columns, each converted to the type of its lookups."""
        wanted = tuple(columns)
        if wanted not in self._indexes:
            self._indexes[wanted] = self._index(wanted)
        return self._indexes[wanted]

    def _index(self, wanted: tuple[tuple[str, Type], ...]) -> RowsByValue:
        index: dict[tuple[Any, ...], list[int]] = defaultdict(list)
        parts = [
            [_converted(text, type) for text in self.columns[name].texts] for name, type in wanted
        ]
        for row, values in enumerate(zip(*parts, strict=True)):
            if None not in values:
                index[values].append(row)
        return dict(index)


def _converted(text: str | None, type: Type) -> Any:
    """Convert a text to a type; None if it is not a value of the type."""
    if text is None or type == "keyword":
        return text
    if type == "ip":
        return ip_from_text(text)
    if type == "boolean":
        return _BOOLEANS.get(text)
    if type == "date":
        return parse_milliseconds(text)
    return number_from_text(text, type)


_BOOLEANS = {"true": True, "false": False}
_GUESSES: tuple[Type, ...] = ("boolean", "long", "double", "date")


def column_of_texts(texts: Sequence[str | None]) -> LookupColumn:
    """Make a column from texts, with the first type that fits all of them, otherwise keyword.

    Numbers must be written in the usual form: ``0123`` is text, but an account id of twelve digits
    without a leading zero is a number."""
    known = [text for text in texts if text is not None]
    for type in _GUESSES if known else ():
        values = [_converted(text, type) for text in known]
        if None not in values and all(_is_usual(text, type) for text in known):
            converted = iter(values)
            column = [None if text is None else next(converted) for text in texts]
            return LookupColumn(type, False, column, texts)
    return LookupColumn("keyword", False, texts, texts)


def _is_usual(text: str, type: Type) -> bool:
    if type == "long":
        return text == str(int(text)) if text.lstrip("-").isdecimal() else False
    if type == "double":
        digits = text.lstrip("-")
        return digits[:1].isdigit() and not (digits[0] == "0" and digits[1:2].isdigit())
    if type == "date":
        return len(text) >= len("2026-01-01")
    return True
