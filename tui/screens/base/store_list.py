"""Screens with a list that is loaded from the store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

from textual import on
from textual.containers import Horizontal
from textual.widget import Widget

from detector.store import StateError
from tui.concurrency.worker import work
from tui.screens.base.fact_list import FactList, Line
from tui.screens.base.filtered_list import ListScreen
from tui.screens.base.query_line import QueryLine
from tui.screens.base.row_actions import RowActions
from tui.screens.base.text_pane import Reader
from tui.widgets.columns import Column
from tui.widgets.row_list import RowList

R = TypeVar("R")

_REST = 1.0
"""Seconds between two loads while the view model keeps changing."""


class StoreListScreen(ListScreen[R], Generic[R]):
    """A list of rows from the store, next to the details of the row under the cursor."""

    BINDINGS = [*RowActions.BINDINGS]

    noun: str
    """The noun for a row."""

    empty = "Nothing here yet."

    def __init__(self) -> None:
        super().__init__()
        self.row_actions = RowActions(self, self, self.noun)
        self._loaded: Sequence[R] | None = None
        self._is_loading = False
        self._load_again = False

    def load_rows(self) -> Sequence[R]:
        """Load all rows; called in a thread. Raises StateError."""
        raise NotImplementedError

    def columns(self) -> tuple[Column[R], ...]:
        """Return the columns of the list."""
        raise NotImplementedError

    def row_id(self, row: R) -> str:
        """Return the id of a row."""
        raise NotImplementedError

    def row_style(self, row: R) -> str:  # noqa: ARG002
        """Return the style of a row."""
        return ""

    def details(self, row: R) -> list[Line]:
        """Return the details of the row under the cursor."""
        raise NotImplementedError

    def compose_body(self) -> Iterable[Widget]:
        with Horizontal(classes="halves"):
            yield RowList(self.columns(), key=self.row_id, row_style=self.row_style)
            with Reader(classes="half"):
                yield FactList(id="entry")
        yield QueryLine(self.query_description)

    def show(self) -> None:
        self._draw()
        if self._is_loading:
            self._load_again = True
        else:
            self._keep_loading()

    async def reload(self) -> None:
        """Load now, because the analyst has changed something. Raises StateError."""
        self._loaded = await asyncio.to_thread(self.load_rows)
        self._draw()

    @work(group="ask")
    async def _keep_loading(self) -> None:
        self._is_loading = True
        try:
            await self.reload()
            while self._load_again and self.is_in_front:
                self._load_again = False
                await asyncio.sleep(_REST)
                await self.reload()
        except StateError as error:
            self.workspace.say(str(error), severity="error")
        finally:
            self._is_loading = self._load_again = False

    def _draw(self) -> None:
        if not self.is_in_front:
            return
        if self._loaded is None:
            self.show_rows((), "Loading…", is_complete=False)
        else:
            self.show_rows(self._loaded, self.empty, is_complete=True)
        self._show_details()

    def show_status(self) -> None:
        """Redraw the rows too, since they show how long ago events happened."""
        super().show_status()
        self.row_list.show(self.row_list.rows)

    @on(RowList.Highlighted)
    def _show_details(self) -> None:
        row = self.row_list.cursor_row
        self.query_one(FactList).show(self.details(row) if row is not None else [])

    @on(RowList.Opened)
    def _focus_details(self) -> None:
        self.query_one(Reader).focus()
