"""A list whose rows are asked of the state: in a thread, one question at a time, and no oftener than it is worth."""

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
from tui.screens.base.query_line import QueryLine
from tui.screens.base.text_pane import Reader
from tui.screens.base.triage_actions import DecidingListScreen
from tui.widgets.columns import Column
from tui.widgets.row_list import RowList

R = TypeVar("R")

_REST = 1.0
"""Seconds between the end of a question and the next one, while the picture keeps changing."""


class StateListScreen(DecidingListScreen[R], Generic[R]):
    """``ask`` gives the rows, ``columns`` says how they are listed, ``whole`` what is beside
    them."""

    empty = "Nothing here yet."

    def __init__(self) -> None:
        super().__init__()
        self._rows: Sequence[R] | None = None
        self._asking = False
        self._ask_again = False

    def ask(self) -> Sequence[R]:
        """All rows as they are now; in a thread. Raises StateError."""
        raise NotImplementedError

    def columns(self) -> tuple[Column[R], ...]:
        raise NotImplementedError

    def row_style(self, row: R) -> str:  # noqa: ARG002
        return ""

    def whole(self, row: R) -> list[Line]:
        raise NotImplementedError

    def compose_body(self) -> Iterable[Widget]:
        with Horizontal(classes="halves"):
            yield RowList(self.columns(), key=self.row_id, row_style=self.row_style)
            with Reader(classes="half"):
                yield FactList(id="entry")
        yield QueryLine()

    def show(self) -> None:
        self._draw()
        if self._asking:
            self._ask_again = True
        else:
            self._keep_asking()

    async def renew(self) -> None:
        """Ask now, because the analyst has changed something. Raises StateError."""
        self._rows = await asyncio.to_thread(self.ask)
        self._draw()

    @work(group="ask")
    async def _keep_asking(self) -> None:
        self._asking = True
        try:
            await self.renew()
            while self._ask_again and self._in_front:
                self._ask_again = False
                await asyncio.sleep(_REST)
                await self.renew()
        except StateError as error:
            self.workspace.say(str(error), severity="error")
        finally:
            self._asking = self._ask_again = False

    def _draw(self) -> None:
        if not self._in_front:
            return
        self.row_list.empty = (
            "Asking the state…"
            if self._rows is None
            else self.nothing_matches()
            if self.filter
            else self.empty
        )
        self.row_list.show(self.narrowed(self._rows or ()))
        if self._rows is not None:
            self.rows_are_here()
        self.refresh_query()
        self._show_entry()

    def show_status(self) -> None:
        """Also how long ago things were, which grows."""
        super().show_status()
        self.row_list.show(self.row_list.rows)

    @on(RowList.Highlighted)
    def _show_entry(self) -> None:
        row = self.row_list.cursor_row
        self.query_one(FactList).show(self.whole(row) if row is not None else [])

    @on(RowList.Opened)
    def _read_entry(self) -> None:
        self.query_one(Reader).focus()
