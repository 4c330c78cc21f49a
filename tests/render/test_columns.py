"""Widths of columns."""

from __future__ import annotations

from typing import Any

import pytest

from tui.widgets.columns import GAP, Column, fit


def column(key: str, width: int, **options: Any) -> Column[str]:
    return Column(key, key, width, str, **options)


COLUMNS = (
    column("call", 6, wish=10, flex=True),
    column("outcome", 4, wish=8),
    column("rule", 5, flex=True),
)
LEAST = 6 + 4 + 5 + 2 * GAP


@pytest.mark.parametrize(
    ("spare", "widths"),
    [(0, (6, 4, 5)), (3, (8, 5, 5)), (8, (10, 8, 5)), (11, (11, 8, 7)), (20, (16, 8, 11))],
)
def test_wishes_are_met_evenly_before_flex_columns_share(
    spare: int, widths: tuple[int, ...]
) -> None:
    assert tuple(width for _, width in fit(COLUMNS, LEAST + spare)) == widths


def test_widths_fill_the_line_where_a_column_is_flex() -> None:
    for cells in range(LEAST, 80):
        assert sum(width for _, width in fit(COLUMNS, cells)) + 2 * GAP == cells
