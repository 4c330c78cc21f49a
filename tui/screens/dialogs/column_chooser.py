"""The choice of a list's columns."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.keymap import OPEN, key
from tui.screens.base.key_footer import KeyLine
from tui.widgets.columns import Column
from tui.widgets.row_list import RowList

_COLUMNS: tuple[Column[Column[Any]], ...] = (
    Column("name", "column", 20, lambda column: column.key, flex=True),
)


class ColumnChooser(ModalScreen[list[str] | None]):
    """Dismissed with the keys of the marked columns; empty for the usual ones, None for no change.

    Only chosen columns are shown, as many of them as fit.
    """

    BINDINGS = [
        key(
            "columns.usual",
            "r",
            "usual",
            "usual columns",
            "Show the usual columns",
            OPEN,
            show=True,
        ),
        key("columns.close", "escape,q", "dismiss", "close", "Cancel", OPEN, show=True),
    ]

    def __init__(self, columns: Sequence[Column[Any]], chosen: Collection[str]) -> None:
        super().__init__()
        self._columns = columns
        self._chosen = chosen

    def compose(self) -> ComposeResult:
        with Vertical(id="form", classes="small tall"):
            yield Static("Columns – space chooses, enter applies", id="form-heading")
            yield RowList(_COLUMNS, key=lambda column: column.key)
        yield KeyLine()

    def on_mount(self) -> None:
        rows = self.query_one(RowList)
        rows.show(self._columns)
        rows.marks = self._chosen or [column.key for column in self._columns]

    def label_of(self, binding: Binding) -> str:
        labels = {"list.open": "apply", "list.mark": "choose"}
        return labels.get(binding.id or "", binding.description)

    def on_row_list_opened(self) -> None:
        marks = self.query_one(RowList).marks
        keys = [column.key for column in self._columns if column.key in marks]
        self.dismiss([] if len(keys) == len(self._columns) else keys)

    def action_usual(self) -> None:
        self.dismiss([])
