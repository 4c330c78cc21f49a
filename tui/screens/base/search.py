"""Screens with a list that is searched in: the hits are painted, and gone to one after the other."""

from __future__ import annotations

import re
from typing import Any

from textual import on
from textual.content import Content

from tui.keymap import FIND, key, key_of
from tui.presentation import safe
from tui.screens.base.copy_actions import TakingScreen
from tui.screens.base.query_line import QueryLine
from tui.widgets.row_list import RowList


class SearchScreen(TakingScreen):
    """``/`` searches in ``searched_list()``. The body must hold a QueryLine."""

    BINDINGS = [
        key("find", "slash", "find", "find", "Search in the list", FIND),
        key("find.next", "n", "hit(1)", "next hit", "Go to the next hit of the search", FIND),
        key(
            "find.previous",
            "N",
            "hit(-1)",
            "previous hit",
            "Go to the previous hit of the search",
            FIND,
        ),
    ]

    _sought = ""

    def searched_list(self) -> RowList[Any]:
        raise NotImplementedError

    @property
    def query_line(self) -> QueryLine:
        return self.query_one(QueryLine)

    def action_find(self) -> None:
        self.query_line.ask("find", self._sought)

    def action_hit(self, step: int) -> None:
        if not self._sought:
            self.workspace.say(f"Nothing is being searched: {key_of('find')} starts a search")
        elif step > 0:
            self.searched_list().next_match()
        else:
            self.searched_list().previous_match()

    def action_back(self) -> None:
        if self._sought:
            self._seek("")
        else:
            super().action_back()

    def query_typed(self, event: QueryLine.Changed) -> bool:
        """Take what is typed; whether it makes sense."""
        self._seek(event.text)
        return True

    def query_given_up(self) -> None:
        self._seek("")

    def settle_query(self) -> None:
        """Nothing is typed any more: back to the list."""
        self.query_line.state(self.query_state())
        self.searched_list().focus()

    def query_state(self) -> Content | None:
        """What stays written under the list."""
        if not self._sought:
            return None
        return Content.assemble(
            ("find ", "$foreground-muted"),
            safe.text(self._sought),
            (f"   {key_of('find.next')} next · {key_of('back')} ends", "$foreground-muted"),
        )

    @on(QueryLine.Changed)
    def _changed_query(self, event: QueryLine.Changed) -> None:
        if self.query_typed(event) and event.done:
            self.settle_query()

    @on(QueryLine.Cancelled)
    def _cancelled_query(self) -> None:
        self.query_given_up()
        self.settle_query()

    @on(RowList.NoMatch)
    def _no_hit(self) -> None:
        self.query_line.complain("no hit")

    @on(RowList.Searching)
    def _searching(self, event: RowList.Searching) -> None:
        if event.share is None:
            self.settle_progress()
        else:
            self.tell_progress("searching", event.share)

    def tell_progress(self, what: str, share: float) -> None:
        """``searching 34 %  esc stops``, under the list."""
        stops = key_of("query.cancel" if self.query_line.asking else "back")
        said = Content.assemble(
            (f"{what} {share:.0%}", "$text-accent"), (f"   {stops} stops", "$foreground-muted")
        )
        if self.query_line.asking:
            self.query_line.message(said)
        else:
            self.query_line.state(said)

    def settle_progress(self) -> None:
        """It has come to its end: what stood under the list before."""
        if not self.query_line.asking:
            self.query_line.state(self.query_state())

    def _seek(self, text: str) -> None:
        self._sought = text.strip()
        pattern = re.compile(re.escape(self._sought), re.IGNORECASE) if self._sought else None
        self.searched_list().set_highlight(pattern)
        if not self.query_line.asking:
            self.query_line.state(self.query_state())
        elif pattern:
            self.query_line.message(Content(""))
            self.searched_list().next_match(here=True)
