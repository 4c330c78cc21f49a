"""The bases of every full screen and of its parts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, ClassVar, cast

from textual import actions
from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget
from textual.worker import Worker

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
    """A full screen: top line, body, accounting, footer.

    ``show`` draws what the view model holds now.
    """

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (TALL, "-tall")]

    BINDINGS = [
        key(
            "back",
            "escape",
            "back",
            "back",
            "Clear search, filter, marks; then go back",
            OPEN,
        ),
        key(
            "leave",
            "q",
            "leave",
            "leave",
            "Back; on the first screen, quit",
            OPEN,
        ),
        key("undo", "z", "undo", "undo", "Undo your latest decision", MARK),
        key("redo", "Z", "redo", "redo", "Redo the decision undone last", MARK),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[ScreenPart] = []
        self._composed = False
        self._times: time_display.TimeMode = time_display.mode

    @property
    def workspace(self) -> Workspace:
        """What the screen may ask of the app."""
        return cast(Workspace, self.app)

    def compose(self) -> ComposeResult:
        yield TopLine()
        yield from self.compose_body()
        yield AccountingLine()
        yield KeyLine()

    def compose_body(self) -> Iterable[Widget]:
        """Yield the widgets between the top line and the accounting."""
        raise NotImplementedError

    def label_of(self, binding: Binding) -> str:
        """Return the label of a key: what it would do now."""
        labels = (part.label_of(binding) for part in self.parts)
        return next((label for label in labels if label is not None), binding.description)

    def screen_title(self) -> CellContent:
        """Return where the analyst is."""
        raise NotImplementedError

    def status_items(self) -> Sequence[CellContent]:
        """Return the status in the top line, the most important first."""
        return self.live_state(), self.workspace.source_label

    def live_state(self, paused: bool = False) -> Content:
        """Return whether the app reads, and how far behind it is."""
        view_model, store = self.workspace.view_model, self.workspace.store
        state: LiveState = "reading"
        if view_model.error:
            state = "stopped"
        elif store.read_only:
            state = "read-only"
        elif self.workspace.follows:
            state = "following"
        elif paused:
            state = "paused"
        elif view_model.live:
            state = "live"
        shown = live_state(state, view_model.newest, self.workspace.now())
        holder = store.holder if self.workspace.follows else None
        if holder:
            return Content.assemble(shown, safe.text(f": {holder} reads", "$foreground-muted"))
        return shown

    def show(self) -> None:
        """Draw what the view model holds now.

        Called when it has changed while this screen is in front, and when this screen comes to the
        front.
        """

    def redraw(self) -> None:
        """Draw all times again, as they are now shown otherwise."""
        for rows in self.query(RowView):
            rows.redraw()
        self.show()

    def on_mount(self) -> None:
        self._composed = True
        self.workspace.changed.subscribe(self, lambda _: self.show_if_in_front())

    def on_unmount(self) -> None:
        for part in self.parts:
            part.close()

    def on_screen_resume(self) -> None:
        self.show_if_in_front()

    def on_resize(self) -> None:
        self.call_after_refresh(self.tick)

    def show_if_in_front(self) -> None:
        """Draw, if this screen is in front.

        What lies under another screen is drawn when it comes back.
        """
        if self.is_in_front:
            if self._times == time_display.mode:
                self.show()
            else:
                self._times = time_display.mode
                self.redraw()
            self.show_status()

    def tick(self) -> None:
        """Draw what changes with time, or with more room.

        Called once a second.
        """
        if self.is_in_front:
            self.show_status()
            if time_display.mode == "relative":
                for rows in self.query(RowView):
                    rows.redraw()

    @property
    def is_in_front(self) -> bool:
        """Whether the whole screen is there to be drawn.

        It is not while it is made, nor while the app goes down.
        """
        return self._composed and self.app.is_running and self.app.screen is self

    def show_status(self) -> None:
        """Draw the top line and the accounting; the lag grows every second."""
        self.query_one(TopLine).show(self.screen_title(), *self.status_items())
        self.query_one(AccountingLine).show(self.workspace.view_model.accounting)
        self.refresh_parts()

    def refresh_parts(self) -> None:
        """Tell the parts that rows, marks or cursor may have changed."""
        for part in self.parts:
            part.refresh()

    def action_back(self) -> None:
        if not self.workspace.at_home:
            self.workspace.leave()

    def action_leave(self) -> None:
        self.workspace.leave()

    async def action_undo(self) -> None:
        await self._report(self.workspace.decisions.undo)

    async def action_redo(self) -> None:
        await self._report(self.workspace.decisions.redo)

    async def _report(self, change: Callable[[], Awaitable[str]]) -> None:
        if self.workspace.may_write():
            try:
                self.workspace.say(await change())
            except StateError as error:
                self.workspace.say(str(error), severity="error")


class ScreenPart:
    """A part of a screen, with its own keys and actions.

    The screen creates its parts, and lists their ``BINDINGS`` among its own in the order of the
    footer. Textual looks an action up on the screen by its name, so the part puts its action
    methods there.
    """

    BINDINGS: ClassVar[list[Binding]] = []

    def __init__(self, screen: HuntScreen) -> None:
        self.screen = screen
        screen.parts.append(self)
        for binding in self.BINDINGS:
            _, name, _ = actions.parse(binding.action)
            setattr(screen, f"action_{name}", getattr(self, f"action_{name}"))

    @property
    def workspace(self) -> Workspace:
        """What the screen may ask of the app."""
        return self.screen.workspace

    @property
    def is_running(self) -> bool:
        """Whether the screen is there; workers end with it."""
        return self.screen.is_running

    @property
    def run_worker(self) -> Callable[..., Worker[Any]]:
        """Begin a worker of the screen."""
        return self.screen.run_worker

    def label_of(self, binding: Binding) -> str | None:  # noqa: ARG002
        """Return a better label for a key, if it has one."""
        return None

    def refresh(self) -> None:
        """Take in that rows, marks or the cursor may have changed."""

    def close(self) -> None:
        """End what is going on, as the screen is removed."""
