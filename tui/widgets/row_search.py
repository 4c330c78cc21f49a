"""The search for rows with a match.

Most rows share a region or a user agent with others. So rows are searched in pieces, column by
column: the value on which a cell depends is read first, and the cell is formatted and searched only
for values that have not occurred in its column before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

from tui.concurrency.job import Job
from tui.widgets.columns import Column
from tui.widgets.line import match_spans, plain_text

R = TypeVar("R")

_MAX_VALUES = 20_000
"""Maximum number of values without a match that are remembered for one column."""


def first_match(
    columns: Sequence[Column[R]],
    pattern: re.Pattern[str],
    rows: Sequence[R],
    start: int,
    step: int,
    job: Job,
    heading: Callable[[R], object] | None = None,
) -> int | None:
    """Find the index of the first row with a match. Raises Cancelled.

    Searches from ``start`` in steps of ``step`` (1 or -1), wrapping around. Rows for which
    ``heading`` returns a heading have no cells and are skipped.
    """
    searches = [_ColumnSearch(column, pattern) for column in columns]
    for offsets in job.pieces(range(len(rows))):
        indices = [(start + step * offset) % len(rows) for offset in offsets]
        if heading is not None:
            indices = [index for index in indices if heading(rows[index]) is None]
        piece = [rows[index] for index in indices]
        matches = [search.first(piece) for search in searches]
        positions = [position for position in matches if position is not None]
        if positions:
            return indices[min(positions)]
    return None


class _ColumnSearch(Generic[R]):
    """A search in one column."""

    def __init__(self, column: Column[R], pattern: re.Pattern[str]) -> None:
        self._column = column
        self._pattern = pattern
        self._depends_on: Callable[[R], Hashable] = column.depends_on or column.text
        self._without_match: set[Hashable] = set()
        self._by_value: dict[Hashable, bool] = {}

    def first(self, rows: Sequence[R]) -> int | None:
        """Find the position of the first row whose cell has a match."""
        values = list(map(self._depends_on, rows))
        row_of_value = dict(zip(values, rows, strict=True))
        new_values = row_of_value.keys() - self._without_match
        matching = {value for value in new_values if self._has_match(row_of_value[value])}
        if matching:
            return next(position for position, value in enumerate(values) if value in matching)
        if len(self._without_match) > _MAX_VALUES:
            self._without_match.clear()
        self._without_match |= new_values
        return None

    def matches(self, row: R) -> bool:
        """Tell whether the cell of a row has a match."""
        value = self._depends_on(row)
        if value not in self._by_value:
            if len(self._by_value) > _MAX_VALUES:
                self._by_value.clear()
            self._by_value[value] = self._has_match(row)
        return self._by_value[value]

    def _has_match(self, row: R) -> bool:
        return bool(match_spans(self._pattern, plain_text(self._column.text(row))))


def matching_rows(
    columns: Sequence[Column[R]],
    pattern: re.Pattern[str],
    rows: Sequence[R],
    job: Job,
    heading: Callable[[R], object] | None = None,
) -> list[int]:
    """Find the indexes of all rows with a match, in order. Raises Cancelled."""
    searches = [_ColumnSearch(column, pattern) for column in columns]
    indexes: list[int] = []
    for piece in job.pieces(range(len(rows))):
        cells = [index for index in piece if heading is None or heading(rows[index]) is None]
        indexes += [
            index for index in cells if any(search.matches(rows[index]) for search in searches)
        ]
    return indexes
