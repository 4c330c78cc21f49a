"""A comparison of two rows of a list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from detector.filter import Fields
from detector.investigation.comparison import ComparedField, compare
from tui.presentation.field_words import field_name, plain_values

R = TypeVar("R")

_IDENTITIES = ("id", "event")
"""Fields whose value is unique to each row."""


def _nothing_more() -> Sequence[ComparedField]:
    return ()


@dataclass(frozen=True)
class Comparison:
    """Two rows, compared field by field.

    ``titles`` name the rows and may quote a log. ``read_more`` returns further fields; it may read
    the database, so call it in a thread; it raises StateError.
    """

    titles: tuple[str, str]
    fields: Sequence[ComparedField]
    read_more: Callable[[], Sequence[ComparedField]] = _nothing_more


def compare_rows(fields: Fields[R], left: R, right: R) -> list[ComparedField]:
    """Compare two rows, in plain words, by every field that can be used to filter the list."""
    return [
        compare(field_name(fields, field), plain_values(field, left), plain_values(field, right))
        for field in fields
        if field.name not in _IDENTITIES
    ]
