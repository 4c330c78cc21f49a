"""Search in a list, with highlighted matches."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from textual.content import Content

from tui.keymap import FIND, key, key_of
from tui.presentation import safe
from tui.screens.base.query_line import Purpose, QueryLine
from tui.screens.base.screen import HuntScreen, ScreenPart
from tui.widgets.row_list import RowList


class Search(ScreenPart):
    """Searches in the list that ``row_list`` returns.

    ``prepare`` is called before a search begins. The screen must hold a QueryLine, in which the
    text is typed.
    """

    BINDINGS = [
        key("find", "slash", "find", "find", "Search in the list", FIND),
        key("find.next", "n", "hit(1)", "next match", "Next search match", FIND),
        key(
            "find.previous",
            "N",
            "hit(-1)",
            "previous match",
            "Previous search match",
            FIND,
        ),
    ]

    purpose: Purpose = "find"

    def __init__(
        self,
        screen: HuntScreen,
        row_list: Callable[[], RowList[Any]],
        prepare: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__(screen)
        self._row_list = row_list
        self._prepare = prepare
        self.text = ""
        self._position = ""

    @property
    def _query_line(self) -> QueryLine:
        return self.screen.query_one(QueryLine)

    def action_find(self) -> None:
        """Let the analyst type what to search for."""
        self._prepare()
        self._query_line.ask(self, self.text)

    def action_hit(self, step: int) -> None:
        """Go to the next match, or to the previous one."""
        if not self.text:
            self.workspace.say(f"No active search: {key_of('find')} starts a search")
        elif step > 0:
            self._row_list().next_match()
        else:
            self._row_list().previous_match()

    def clear(self) -> bool:
        """End the search; return whether there was one."""
        if not self.text:
            return False
        self._search("")
        return True

    def description(self) -> Content | None:
        """Return the search for the line under the list, or None without a search."""
        if not self.text:
            return None
        return Content.assemble(
            ("find ", "$foreground-muted"),
            safe.text(self.text),
            (f"   {self._position}" if self._position else "", "$foreground"),
            (f"   {key_of('find.next')} next · {key_of('back')} ends", "$foreground-muted"),
        )

    def show_position(self, position: int, total: int) -> None:
        """Show the number of the match under the cursor, and of all matches."""
        self._position = f"{position:,} of {total:,}"
        if self._query_line.asking:
            self._query_line.message(Content(self._position))
        else:
            self._query_line.show_idle()

    def typed(self, text: str, done: bool) -> bool:  # noqa: ARG002
        """Search for the typed text."""
        self._search(text)
        return True

    def cancelled(self) -> None:
        """End the search, since the analyst cancelled the typing."""
        self._search("")

    def closed(self) -> None:
        """Return the focus to the list."""
        self._row_list().focus()

    def _search(self, text: str) -> None:
        self.text, self._position = text.strip(), ""
        pattern = re.compile(re.escape(self.text), re.IGNORECASE) if self.text else None
        self._row_list().set_highlight(pattern)
        if not self._query_line.asking:
            self._query_line.show_idle()
        elif pattern:
            self._query_line.message(Content(""))
            self._row_list().next_match(here=True)
