"""Facets of a list: the most frequent values of each field, including missing ones."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from detector.filter import Field, Fields
from detector.filter.field_types import Number, Time
from detector.filter.quoting import field_values, format_term
from detector.investigation.facets import facet_of
from tui.concurrency.worker import work
from tui.keymap import OPEN, key
from tui.presentation import format
from tui.screens.base.key_footer import KeyLine
from tui.widgets.columns import Column
from tui.widgets.row_list import RowList

_TOP = 5
"""Number of values shown for each field."""

_BAR_CELLS = 20


@dataclass(frozen=True)
class FacetRow:
    """A field, or one of its values with its count; ``term`` is the matching filter term."""

    field: str
    value: str
    count: int
    share: float
    term: str = ""

    @property
    def key(self) -> str:
        return f"{self.field}\0{self.term}\0{self.value}"


def facet_rows(fields: Fields[Any], rows: Sequence[Any]) -> list[FacetRow]:
    """Return the facets of rows, for every field in which rows share values."""
    return [
        row
        for field in fields
        if not isinstance(field.kind, Number | Time)
        for row in _rows_of_field(field, rows)
    ]


def _rows_of_field(field: Field[Any], rows: Sequence[Any]) -> Iterator[FacetRow]:
    facet = facet_of(field.name, rows, lambda row: list(field_values(field, row)), _TOP)
    if not facet.top or facet.top[0][1] <= 1 < facet.distinct:
        return  # every value is different, so no value narrows the list usefully
    summary = f"  {facet.summary}" if facet.summary else ""
    yield FacetRow(field.name, f"{field.name}{summary}", 0, 0)
    for value, count in facet.top:
        term = format_term(field, [value], True)
        yield FacetRow(field.name, value, count, count / facet.rows, term)
    if facet.missing:
        term = format_term(field, [], True)
        yield FacetRow(field.name, "none", facet.missing, facet.missing / facet.rows, term)


def _bar(row: FacetRow) -> Content:
    return Content.styled("█" * max(1, round(row.share * _BAR_CELLS)), "$accent")


_COLUMNS: tuple[Column[FacetRow], ...] = (
    Column("value", "value", 30, lambda row: row.value, drop_priority=0, flex=True),
    Column(
        "count", "rows", 8, lambda row: format.number(row.count), align="right", drop_priority=1
    ),
    Column("share", "", _BAR_CELLS, _bar, drop_priority=2),
)


class FacetScreen(ModalScreen[str | None]):
    """Dismissed with the filter term of the chosen value, or None."""

    BINDINGS = [key("facets.close", "escape,q", "dismiss", "close", "Close", OPEN, show=True)]

    def __init__(self, fields: Fields[Any], rows: Sequence[Any]) -> None:
        super().__init__()
        self._fields = fields
        self._listed = rows

    def compose(self) -> ComposeResult:
        with Vertical(id="form", classes="tall"):
            yield Static("Facets – enter filters by the value", id="form-heading")
            yield RowList(
                _COLUMNS, key=lambda row: row.key, empty="", heading=_heading, marking=False
            )
        yield KeyLine()

    def on_mount(self) -> None:
        self._count()

    def label_of(self, binding: Binding) -> str:
        return "filter" if binding.id == "list.open" else binding.description

    @work(exclusive=True, group="facets")
    async def _count(self) -> None:
        rows = self.query_one(RowList)
        found = await asyncio.to_thread(facet_rows, self._fields, self._listed)
        rows.empty = "No values in common."
        rows.show(found)
        if len(found) > 1:
            rows.move_to(found[1].key)

    @on(RowList.Opened)
    def _chosen(self, event: RowList.Opened) -> None:
        if event.row.term:
            self.dismiss(event.row.term)


def _heading(row: FacetRow) -> Content | None:
    if row.term:
        return None
    return Content.styled(row.value, "$foreground-muted")
