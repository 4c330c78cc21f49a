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


@dataclass(frozen=True)
class Column(Generic[R]):
    """One column of a list.

    ``title`` may be a function where it changes. ``width`` is in cells. ``cell`` returns what is
    shown of a row; a plain ``str`` is taken for log text and made visible. As the width shrinks,
    columns go one by one, the highest ``drop_priority`` first. A ``flex`` column also takes a share
    of the width to spare. ``field`` is the filter's name for what the column shows, where that is
    not its ``key``. ``depends_on`` returns all that the cell depends on, where that is read faster
    than the cell is written.
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

    def text(self, row: R) -> str:
        """Return the text of the cell as the log has it."""
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

    One column always stays, cut if it must be.
    """
    shown = list(columns)
    while len(shown) > 1 and _width(shown) > cells:
        # of equals the last goes first
        shown.remove(max(reversed(shown), key=lambda column: column.drop_priority))
    spare = cells - _width(shown)
    if spare < 0:
        return [(column, max(0, cells)) for column in shown]
    flex_left = sum(column.flex for column in shown)
    widths = []
    for column in shown:
        share = 0
        if column.flex:
            share = spare // flex_left
            spare -= share
            flex_left -= 1
        widths.append((column, column.width + share))
    return widths


def _width(columns: Sequence[Column[R]]) -> int:
    return sum(column.width for column in columns) + GAP * (len(columns) - 1)
