"""Facets: the top values of the chosen column, one key from a filter by them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from detector.filter.fields import Field, Fields
from detector.filter.quoting import format_term
from detector.investigation.facets import Facet, facet_of
from tui.keymap import FIND, key
from tui.presentation import format, safe
from tui.screens.base.filter_bar import FilterBar
from tui.screens.base.menu import Menu
from tui.screens.base.screen import HuntScreen, ScreenPart
from tui.widgets.row_list import RowList

_TOP = 15
_VALUE_CELLS = 44
_SCANNED = 100_000
"""Rows that are counted; of more it is said."""


class FacetedList(Protocol):
    """The list whose values are counted."""

    fields: Fields[Any]
    filter_bar: FilterBar[Any]

    @property
    def row_list(self) -> RowList[Any]:
        """The list itself."""

    def is_filterable(self, row: Any) -> bool:
        """Tell whether the row is one that the filter is asked of."""


class FacetMenu(ScreenPart):
    """Counts the values of a field in the rows shown, and filters by the chosen one."""

    BINDINGS = [
        key(
            "facets",
            "f2",
            "facets",
            "top values",
            "Top values of the chosen column, or of any field, with their counts",
            FIND,
        )
    ]

    def __init__(self, screen: HuntScreen, rows: FacetedList) -> None:
        super().__init__(screen)
        self._list = rows

    def action_facets(self) -> None:
        """Count the chosen column; without one, let the analyst choose a field."""
        column = self._list.row_list.column
        field = None
        if column is not None:
            field = self._list.fields.get(column.field or column.key)
        if field is not None:
            self._show(field)
            return
        options = [
            (each.name, safe.clip(f"{each.name:10}  {each.meaning}", _VALUE_CELLS))
            for each in self._list.fields
        ]

        def chosen(name: str | None) -> None:
            if name is not None:
                self._show(self._list.fields[name])

        self.screen.app.push_screen(Menu("Top values of", options, options[0][0]), chosen)

    def _show(self, field: Field[Any]) -> None:
        rows = [row for row in self._rows() if self._list.is_filterable(row)]
        facet = facet_of(field.name, rows[:_SCANNED], field.shown or field.read, _TOP)
        options = [
            (str(index), f"{count:>9,}  {safe.clip(safe.visible(value), _VALUE_CELLS)}")
            for index, (value, count) in enumerate(facet.top)
        ]
        if facet.missing:
            options.append(("missing", f"{facet.missing:>9,}  without a value"))
        if not options:
            self.workspace.say(f"No row has a value of {field.name}")
            return

        def chosen(option: str | None) -> None:
            if option is None:
                return
            values: list[str] = []
            if option != "missing":
                values = [facet.top[int(option)][0]]
            self._list.filter_bar.add_term(format_term(field, values, True))

        heading = _heading(facet, len(rows))
        self.screen.app.push_screen(Menu(heading, options, options[0][0]), chosen)

    def _rows(self) -> Sequence[Any]:
        return list(self._list.row_list.rows)


def _heading(facet: Facet, rows: int) -> str:
    heading = f"{facet.field}: {format.plural(rows, 'row')}"
    if rows > _SCANNED:
        heading += f", of which the first {_SCANNED:,} are counted"
    if facet.summary:
        heading += f" · {facet.summary}"
    return heading
