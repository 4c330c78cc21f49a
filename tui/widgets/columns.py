"""The columns of a list: what each shows, and which of them fit a width."""

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
    """One column. ``cell`` gives what it shows of a row; a plain ``str`` is taken for log text and
    made visible.

    ``title`` is a word of ours, or what gives one that changes. ``width`` is in cells. As the width
    shrinks, columns go one by one, the highest ``drop_priority`` first. A ``flex`` column also takes a
    share of the width that is to spare. ``field`` is the filter's name for what it shows, where
    that is not its ``key``. ``of`` gives what the cell follows from, and from nothing else of the
    row, where that is read sooner than the cell is written."""

    key: str
    title: str | Callable[[], str]
    width: int
    cell: Callable[[R], CellContent]
    align: Literal["left", "right"] = "left"
    drop_priority: int = 0
    flex: bool = False
    field: str = ""
    of: Callable[[R], Hashable] | None = None

    def text(self, row: R) -> str:
        """The letters of the cell, as the log has them."""
        cell = self.cell(row)
        return cell if isinstance(cell, str) else cell.plain


def derived_column(
    key: str,
    title: str | Callable[[], str],
    width: int,
    of: Callable[[R], V],
    said: Callable[[V], CellContent],
    **given: Any,
) -> Column[R]:
    """A column that says what ``of`` reads of a row, and whose cells so follow from that alone."""
    return Column(key, title, width, lambda row: said(of(row)), of=of, **given)


def fit(columns: Sequence[Column[R]], cells: int) -> list[tuple[Column[R], int]]:
    """The columns that fit ``cells``, in their order, each with its width. One always stays,
    clipped if it must be."""
    kept = list(columns)
    while len(kept) > 1 and _needed(kept) > cells:
        # of equals the last goes first
        kept.remove(max(reversed(kept), key=lambda column: column.drop_priority))
    spare = cells - _needed(kept)
    if spare < 0:
        return [(column, max(0, cells)) for column in kept]
    growing = [column for column in kept if column.flex]
    widths = []
    for column in kept:
        share = 0
        if column.flex:
            share = spare // len(growing)
            spare -= share
            growing.remove(column)
        widths.append((column, column.width + share))
    return widths


def _needed(columns: Sequence[Column[R]]) -> int:
    return sum(column.width for column in columns) + GAP * (len(columns) - 1)
