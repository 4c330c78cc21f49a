"""The rows of a query, as columns of a list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from textual.content import Content

from detector.detection.indicator import Indicator, known_indicator
from detector.ecs.values import Value
from detector.investigation.hunts.run import HuntResult, ResultRow
from tui.presentation import safe
from tui.widgets.columns import Column

_WIDEST = 44
_MEASURED = 200
"""Number of rows from which a column's width is computed."""


class ResultLine(NamedTuple):
    """A row of a run; ``new`` means that the previous run did not return it."""

    number: int
    row: ResultRow
    new: bool


def lines_of_result(result: HuntResult) -> list[ResultLine]:
    """Return the rows of a run, new rows first."""
    lines = [
        ResultLine(number, row, is_new)
        for number, (row, is_new) in enumerate(zip(result.rows, result.new, strict=True))
    ]
    return sorted(lines, key=lambda line: not line.new)


def result_columns(result: HuntResult) -> list[Column[ResultLine]]:
    """Return a list column for each of the result's columns, wide enough for most values."""
    columns: list[Column[ResultLine]] = []
    if result.compared:
        columns.append(Column("new", "", 3, _new_mark, drop_priority=0))
    for index, name in enumerate(result.columns):
        columns.append(_column(name, index, result))
    return columns


def _column(name: str, index: int, result: HuntResult) -> Column[ResultLine]:
    values = [row.get(name) for row in result.rows[:_MEASURED]]
    is_number = any(isinstance(value, int | float) for value in values)
    longest = max((len(cell_text(value)) for value in values), default=0)
    title = safe.visible(name if longest >= len(name) else name.rpartition(".")[2])
    width = min(_WIDEST, max(longest, len(title)))
    return Column(
        name,
        title,
        width,
        lambda line: cell_text(line.row.get(name)),
        align="right" if is_number and not isinstance(values[0], list) else "left",
        drop_priority=index,
        flex=index == len(result.columns) - 1,
    )


def _new_mark(line: ResultLine) -> Content:
    return Content.styled("new", "$text-accent") if line.new else Content("")


def cell_text(value: Value) -> str:
    """Format a value for a cell; ``–`` for None."""
    if value is None:
        return "–"
    if isinstance(value, list):
        return ", ".join(map(cell_text, value))
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def result_phrase(result: HuntResult, unread: Sequence[str]) -> str:
    """Return the result of a run in one line, with the files that could not be read."""
    said = result.phrase
    if unread:
        said += f"; not read: {safe.visible(unread[0], 120)}"
    if len(unread) > 1:
        said += f" and {len(unread) - 1:,} more"
    return said


def indicators_in(row: ResultRow) -> Iterator[tuple[str, Indicator]]:
    """Yield each distinct principal, key, address and event in a row, with its label."""
    seen: set[str] = set()
    for value in row.values():
        for each in value if isinstance(value, list) else [value]:
            indicator = known_indicator(each) if isinstance(each, str) else None
            if indicator is not None and indicator.text not in seen:
                seen.add(indicator.text)
                yield f"{indicator.kind} {indicator.text}", indicator
