"""What every full screen has: where am I, is it live, the accounting, the keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import cast

from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget

from detector.store import StateError
from tui.keymap import MARK, OPEN, key
from tui.model.workspace import Workspace
from tui.presentation import safe, time_display
from tui.screens.base.key_footer import KeyLine
from tui.widgets.line import CellContent
from tui.widgets.row_view import RowView
from tui.widgets.status import AccountingLine, LiveState, live_state
from tui.widgets.top_line import TopLine

WIDE = 110
"""Columns from which there is room for two things side by side."""

TALL = 32
"""Lines from which there is room for two things one above the other."""


class HuntScreen(Screen[None]):
    """``body`` is what lies between the top line and the accounting. ``show`` draws the picture as
    it now is."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (TALL, "-tall")]

    BINDINGS = [
        key(
            "back",
            "escape",
            "back",
            "back",
            "Take back search, filter and marks, one a press; then go back",
            OPEN,
        ),
        key(
            "leave",
            "q",
            "leave",
            "leave",
            "Go back to the screen before; on the first one, quit",
            OPEN,
        ),
        key("undo", "z", "undo", "undo", "Take the latest decision back, whatever it was", MARK),
        key("redo", "Z", "redo", "redo", "Make the decision again that was taken back last", MARK),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._composed = False
        self._times: time_display.TimeMode = time_display.mode

    @property
    def workspace(self) -> Workspace:
        return cast(Workspace, self.app)

    def compose(self) -> ComposeResult:
        yield TopLine()
        yield from self.compose_body()
        yield AccountingLine()
        yield KeyLine()

    def compose_body(self) -> Iterable[Widget]:
        raise NotImplementedError

    def label_of(self, binding: Binding) -> str:
        """What a key would do now, as the last line says it."""
        return binding.description

    def screen_title(self) -> CellContent:
        """Where am I."""
        raise NotImplementedError

    def status_items(self) -> Sequence[CellContent]:
        """What is so now, the weightiest first: is it live, and what is read."""
        return self.live_state(), self.workspace.source_label

    def live_state(self, paused: bool = False) -> Content:
        view_model, read_only = self.workspace.view_model, self.workspace.store.read_only
        state: LiveState = (
            "stopped"
            if view_model.error
            else "read-only"
            if read_only
            else "paused"
            if paused
            else "live"
            if view_model.live
            else "reading"
        )
        shown = live_state(state, view_model.newest, self.workspace.now())
        if read_only:
            return Content.assemble(
                shown,
                safe.text(f": {self.workspace.store.holder} writes here", "$foreground-muted"),
            )
        return shown

    def show(self) -> None:
        """Draw what the picture holds now. Called when it has changed while this screen is in
        front, and when this screen comes to the front."""

    def redraw(self) -> None:
        """Draw again all that says a time: the analyst wants them said in another way."""
        for rows in self.query(RowView):
            rows.redraw()
        self.show()

    def on_mount(self) -> None:
        self._composed = True
        self.workspace.changed.subscribe(self, lambda _: self._changed())

    def on_screen_resume(self) -> None:
        self._changed()

    def on_resize(self) -> None:
        self.call_after_refresh(self.tick)

    def _changed(self) -> None:
        """Draw, if in front: what lies under a form or another screen holds still, and is drawn
        when it comes back."""
        if self._in_front:
            if self._times == time_display.mode:
                self.show()
            else:
                self._times = time_display.mode
                self.redraw()
            self.show_status()

    def tick(self) -> None:
        """Once a second, as time has passed, and when there is more or less room to say it in."""
        if self._in_front:
            self.show_status()
            if time_display.mode == "relative":
                for rows in self.query(RowView):
                    rows.redraw()

    @property
    def _in_front(self) -> bool:
        """Whether all of this screen is there to be drawn: not while it is made, nor while the app
        goes down."""
        return self._composed and self.app.is_running and self.app.screen is self

    def show_status(self) -> None:
        """The top line and the accounting; also drawn once a second, as the lag grows."""
        self.query_one(TopLine).show(self.screen_title(), *self.status_items())
        self.query_one(AccountingLine).show(self.workspace.view_model.accounting)

    def action_back(self) -> None:
        if not self.workspace.at_home:
            self.workspace.leave()

    def action_leave(self) -> None:
        self.workspace.leave()

    async def action_undo(self) -> None:
        await self._turn(self.workspace.decisions.undo)

    async def action_redo(self) -> None:
        await self._turn(self.workspace.decisions.redo)

    async def _turn(self, turn: Callable[[], Awaitable[str]]) -> None:
        if self.workspace.may_write():
            try:
                self.workspace.say(await turn())
            except StateError as error:
                self.workspace.say(str(error), severity="error")
