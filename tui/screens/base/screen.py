"""The base classes of full screens and of their parts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, ClassVar, cast

from textual import actions, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget
from textual.worker import Worker

from detector.store import StateError
from tui.keymap import MARK, OPEN, key
from tui.model.areas import listed_areas
from tui.model.workspace import Workspace
from tui.presentation import safe, time_display
from tui.screens.base.key_footer import KeyLine
from tui.widgets.areas_bar import AreasBar
from tui.widgets.line import CellContent
from tui.widgets.row_view import RowView
from tui.widgets.status import AccountingLine, LiveState, live_items
from tui.widgets.top_line import TopLine

_NARROW = 72
"""Terminal columns from which a list and its details fit side by side at all."""

WIDE = 110
"""Terminal columns from which two panes fit side by side comfortably."""

SPLIT = 160
"""Terminal columns from which an opened row fits next to its list."""

TALL = 32
"""Terminal lines from which two panes fit one above the other."""


class HuntScreen(Screen[None]):
    """A full screen: areas, title, body, accounting, footer.

    The first screen of an area has no title, since the line of areas shows where the analyst is.
    ``show`` draws the current content of the view model.
    """

    HORIZONTAL_BREAKPOINTS = [
        (0, "-tiny"),
        (_NARROW, "-narrow"),
        (WIDE, "-wide"),
        (SPLIT, "-panes"),
    ]
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

    area = ""
    """The area whose first screen this is; ``""`` for other screens."""

    def __init__(self, classes: str | None = None) -> None:
        super().__init__(classes=classes)
        self.parts: list[ScreenPart] = []
        self._composed = False
        self._times: time_display.TimeMode = time_display.mode

    @property
    def workspace(self) -> Workspace:
        """The app, as the interface that screens may use."""
        return cast(Workspace, self.app)

    def compose(self) -> ComposeResult:
        yield AreasBar()
        if not self.area:
            yield TopLine()
        yield from self.compose_body()
        yield AccountingLine()
        yield KeyLine()

    def compose_body(self) -> Iterable[Widget]:
        """Yield the widgets between the top line and the accounting."""
        raise NotImplementedError

    def label_of(self, binding: Binding) -> str:
        """Return the label of a key, which says what the key would do now."""
        labels = (part.label_of(binding) for part in self.parts)
        return next((label for label in labels if label is not None), binding.description)

    paused = False
    """Whether the analyst has paused the display."""

    def target_phrase(self, cells: int) -> str:
        """Return what actions apply to now, for the footer of ``cells``; ``""`` if to nothing."""
        phrases = (part.target_phrase(cells) for part in self.parts)
        return next(filter(None, phrases), "")

    def screen_title(self) -> CellContent:
        """Return the title of a screen that is not the first of its area."""
        return ""

    def title_items(self) -> Sequence[CellContent]:
        """Return the items at the right of the title, the most important first."""
        return ()

    def live_items(self) -> Sequence[Content]:
        """Return the live state, the latest event's time, who ingests instead, and the source."""
        view_model, store = self.workspace.view_model, self.workspace.store
        state: LiveState = "reading"
        if view_model.error:
            state = "stopped"
        elif store.read_only:
            state = "read-only"
        elif self.workspace.follows:
            state = "following" if store.holder else "no source"
        elif self.paused:
            state = "paused"
        elif view_model.live:
            state = "live"
        items = live_items(state, view_model.newest, self.workspace.now())
        holder = store.holder if self.workspace.follows else None
        if holder:
            items.append(safe.text(f"{holder} ingests", "$foreground-muted"))
        return [*items, safe.text(self.workspace.source_label, "$foreground-muted")]

    def show(self) -> None:
        """Draw the current content of the view model.

        Called when the view model changes while this screen is in front, and when this screen
        comes to the front.
        """

    def redraw(self) -> None:
        """Redraw all times, since their display format has changed."""
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
        """Draw the screen if it is in front.

        A screen behind another one is drawn when it comes back to the front.
        """
        if self.is_in_front:
            if self._times == time_display.mode:
                self.show()
            else:
                self._times = time_display.mode
                self.redraw()
            self.show_status()

    def tick(self) -> None:
        """Redraw what depends on the time or on the terminal's size.

        Called once a second and after a resize.
        """
        if self.is_in_front:
            self.show_status()
            if time_display.mode == "relative":
                for rows in self.query(RowView):
                    rows.redraw()

    @property
    def is_in_front(self) -> bool:
        """Whether this screen is in front and completely composed, so that it can be drawn.

        False while the screen is being composed and while the app shuts down.
        """
        return self._composed and self.app.is_running and self.app.screen is self

    def show_status(self) -> None:
        """Draw the top line and the accounting, whose lag grows every second."""
        front = getattr(self.app, "current_mode", "")
        self.query_one(AreasBar).show(listed_areas(self.workspace, front), front, self.live_items())
        for title in self.query(TopLine):
            title.show(self.screen_title(), *self.title_items())
        self.query_one(AccountingLine).show(self.workspace.view_model.accounting)
        self.refresh_parts()

    def refresh_parts(self) -> None:
        """Notify the parts that rows, marks or cursor may have changed."""
        for part in self.parts:
            part.refresh()

    @on(AreasBar.Chosen)
    def _area_chosen(self, event: AreasBar.Chosen) -> None:
        self.workspace.go_to_area(event.name)

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
    footer. Textual looks up an action by its name on the screen, so the part sets its action
    methods as attributes of the screen.
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
        """The app, as the interface that screens may use."""
        return self.screen.workspace

    @property
    def is_running(self) -> bool:
        """Whether the screen is running; its workers end with it."""
        return self.screen.is_running

    @property
    def run_worker(self) -> Callable[..., Worker[Any]]:
        """Return the screen's method that starts a worker."""
        return self.screen.run_worker

    def label_of(self, binding: Binding) -> str | None:  # noqa: ARG002
        """Return a better label for a key, or None to keep the usual one."""
        return None

    def target_phrase(self, cells: int) -> str:  # noqa: ARG002
        """Return what the part's actions apply to, in a width independent of the number."""
        return ""

    def refresh(self) -> None:
        """Update the part, since rows, marks or the cursor may have changed."""

    def close(self) -> None:
        """End running work, since the screen is being removed."""


def breadcrumbs(trail: Sequence[str], cells: int) -> Content:
    """Return the names of the screens, from the first to the one in front.

    The names may quote a log. A narrow terminal shows only the last two.
    """
    shown = trail if cells >= WIDE or len(trail) < 3 else ("…", *trail[-2:])
    room = max(16, cells // len(shown))
    return Content(" › ").join(safe.title(name, room) for name in shown)
