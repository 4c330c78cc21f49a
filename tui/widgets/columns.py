"""The columns of a list, and which of them fit a width."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from tui.widgets.line import CellContent

R = TypeVar("R")
V = TypeVar("V", bound=Hashable)

GAP = 2
"""Blank cells between two columns."""

OPTIONAL = 7
"""From this drop priority on, a column is shown only if all other columns have their ``wish``."""


@dataclass(frozen=True)
class Column(Generic[R]):
    """One column of a list.

    ``title`` is a function if the title changes. ``width`` is in cells. ``cell`` returns a row's
    content; a plain ``str`` is treated as log text and made visible. As the width shrinks,
    columns are dropped one by one, the highest ``drop_priority`` first. A ``flex`` column also gets
    a share of the spare width. ``field`` is the name of the column's filter field if it differs
    from ``key``. ``depends_on`` returns all that the cell depends on, if reading that is faster
    than formatting the cell. ``shorten`` formats the cell for fewer cells than it needs; without
    it, the end is cut. ``wish`` is the width that the column gets before a column of ``OPTIONAL``
    priority is shown, and before ``flex`` columns share the rest.
    """

    key: str
    title: str | Callable[[], str]
    width: int
    cell: Callable[[R], CellContent]
    align: Literal["left", "right"] = "left"
    drop_priority: int = 0
    flex: bool = False
    field: str = ""
    depends_on: Callable[[R], Hashable] | None = None
    shorten: Callable[[R, int], CellContent] | None = None
    wish: int = 0

    def text(self, row: R) -> str:
        """Return the plain text of the cell; log text is unchanged."""
        cell = self.cell(row)
        if isinstance(cell, str):
            return cell
        return cell.plain


def derived_column(
    key: str,
    title: str | Callable[[], str],
    width: int,
    depends_on: Callable[[R], V],
    format: Callable[[V], CellContent],
    **options: Any,
) -> Column[R]:
    """Make a column whose cells depend on one value of a row."""
    return Column(
        key,
        title,
        width,
        lambda row: format(depends_on(row)),
        depends_on=depends_on,
        **options,
    )


def fit(columns: Sequence[Column[R]], cells: int) -> list[tuple[Column[R], int]]:
    """Choose the columns that fit ``cells``, each with its width.

    At least one column is kept, cut if necessary.
    """
    shown = list(columns)
    while _wished_width(shown) > cells and shown[_least(shown)].drop_priority >= OPTIONAL:
        del shown[_least(shown)]
    while len(shown) > 1 and _width(shown) > cells:
        del shown[_least(shown)]
    spare = cells - _width(shown)
    if spare < 0:
        return [(column, max(0, cells)) for column in shown]
    base = _grown(shown, spare)
    spare = cells - sum(base) - GAP * (len(shown) - 1)
    flex_left = sum(column.flex for column in shown)
    widths = []
    for column, width in zip(shown, base, strict=True):
        share = 0
        if column.flex:
            share = spare // flex_left
            spare -= share
            flex_left -= 1
        widths.append((column, width + share))
    return widths


def _grown(columns: Sequence[Column[R]], spare: int) -> list[int]:
    """Return the widths after sharing ``spare`` cells evenly among columns below their wish."""
    widths = [column.width for column in columns]
    while spare > 0:
        below = [index for index, width in enumerate(widths) if width < columns[index].wish]
        if not below:
            break
        for index in below[:spare]:
            widths[index] += 1
        spare -= min(spare, len(below))
    return widths


def _least(columns: Sequence[Column[R]]) -> int:
    """Return the index of the column to drop first; of equal priorities, the last one."""
    return max(range(len(columns)), key=lambda index: (columns[index].drop_priority, index))


def _wished_width(columns: Sequence[Column[R]]) -> int:
    wishes = sum(max(column.width, column.wish) for column in columns)
    return wishes + GAP * (len(columns) - 1)


def _width(columns: Sequence[Column[R]]) -> int:
    return sum(column.width for column in columns) + GAP * (len(columns) - 1)
