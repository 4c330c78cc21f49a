"""Which row a search comes to first.

Most rows have a region or a user agent that others have too. So rows are looked at in fit_cell, column by column: what
the cells follow from is read, and a cell is written and looked through only for what the column has not had before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

from tui.concurrency.job import Job
from tui.widgets.columns import Column
from tui.widgets.line import match_spans, plain_text

R = TypeVar("R")

_REMEMBERED = 20_000
"""What cells follow from, of one column, that is known to have no hit."""


def first_hit(
    columns: Sequence[Column[R]],
    pattern: re.Pattern[str],
    rows: Sequence[R],
    start: int,
    step: int,
    job: Job,
    no_cells: Callable[[R], object] | None = None,
) -> int | None:
    """The place of the first row with a hit in a cell of ``columns``, from ``start`` on by ``step``
    (1 or -1) and round the end; None where there is none. Rows of which ``no_cells`` gives
    something are passed over. Raises Cancelled."""
    looks = [_Look(column, pattern) for column in columns]
    for counts in job.pieces(range(len(rows))):
        places = [(start + step * count) % len(rows) for count in counts]
        if no_cells is not None:
            places = [place for place in places if no_cells(rows[place]) is None]
        piece = [rows[place] for place in places]
        if found := [first for look in looks if (first := look.first(piece)) is not None]:
            return places[min(found)]
    return None


class _Look(Generic[R]):
    """A search in one column."""

    def __init__(self, column: Column[R], pattern: re.Pattern[str]) -> None:
        self._column = column
        self._pattern = pattern
        self._of: Callable[[R], Hashable] = column.of or column.text
        self._without: set[Hashable] = set()

    def first(self, rows: Sequence[R]) -> int | None:
        """The place of the first row whose cell has a hit."""
        followed = list(map(self._of, rows))
        example = dict(zip(followed, rows, strict=True))
        unknown = example.keys() - self._without
        if with_hit := {
            of
            for of in unknown
            if match_spans(self._pattern, plain_text(self._column.text(example[of])))
        }:
            return next(place for place, of in enumerate(followed) if of in with_hit)
        if len(self._without) > _REMEMBERED:
            self._without.clear()
        self._without |= unknown
        return None
