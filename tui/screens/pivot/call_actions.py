"""Actions on a call: pivot on one of its values, or explain it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from detector.investigation.pivot import EventRow
from detector.investigation.raw_record import EvidenceGone, raw_record
from tui.concurrency.worker import work
from tui.keymap import OPEN, key
from tui.presentation import safe
from tui.screens.base.menu import Menu
from tui.screens.base.screen import HuntScreen, ScreenPart
from tui.screens.pivot.rows import FurtherPivot, next_pivots

_OPTION_CELLS = 48


class CallActions(ScreenPart):
    """Actions on the call that ``current`` returns.

    ``trail`` returns the names of the screens so far; ``open_pivot`` opens the chosen pivot around
    the time of the call."""

    BINDINGS = [
        key(
            "pivot",
            "p",
            "further",
            "pivot",
            "Pivot on a value of this event",
            OPEN,
            show=True,
        ),
        key(
            "explain",
            "E",
            "explain",
            "explain",
            "Why a rule fired for this call, or did not",
            OPEN,
        ),
    ]

    def __init__(
        self,
        screen: HuntScreen,
        trail: Callable[[], Sequence[str]],
        current: Callable[[], EventRow | None],
        open_pivot: Callable[[FurtherPivot, int], None],
    ) -> None:
        super().__init__(screen)
        self._trail = trail
        self._current = current
        self._open_pivot = open_pivot

    @work(exclusive=True, group="further")
    async def action_further(self) -> None:
        """Ask which value of the call to pivot on."""
        row, raw = self._current(), b""
        if row is None:
            return
        try:
            raw = await asyncio.to_thread(raw_record, row.event)
        except EvidenceGone as error:
            self.workspace.say(str(error), severity="warning")
        pivots = next_pivots(row.event, raw)
        options = [
            (str(index), safe.clip(safe.visible(title), _OPTION_CELLS))
            for index, (title, _) in enumerate(pivots)
        ]

        def open_chosen(chosen: str | None) -> None:
            if chosen is not None:
                self._open_pivot(pivots[int(chosen)], row.event.time)

        self.screen.app.push_screen(Menu("Pivot on", options, "0"), open_chosen)

    def action_explain(self) -> None:
        """Open each rule's explanation of the call."""
        row = self._current()
        if row is not None:
            self.workspace.routes.explain_call(self._trail(), row.event)
