"""Switching between the panes of an alert."""

from __future__ import annotations

from collections.abc import Callable

from textual.widgets import ContentSwitcher

from tui.keymap import MOVE, OPEN, key
from tui.screens.alert.heat_strip_pane import AlertStrip
from tui.screens.base.screen import HuntScreen, ScreenPart
from tui.widgets.pane_tabs import PaneBar

PANES = ("calls", "fields", "raw", "guide", "rule", "notes")
_FOCUSED = {"guide": "questions"}
"""The id of the widget that gets the focus, by pane, for panes of several widgets."""


class PaneSwitcher(ScreenPart):
    """Switches between the panes.

    ``shown`` is called with the name of each pane that comes to the front.
    """

    BINDINGS = [
        key(
            "pane.next",
            "tab",
            "pane(1)",
            "next pane",
            "Calls, fields, raw record, guide, rule, notes",
            MOVE,
            show=True,
        ),
        key("pane.previous", "shift+tab", "pane(-1)", "previous pane", "Previous pane", MOVE),
        key(
            "pane.raw",
            "r",
            "raw",
            "raw",
            "Show the call's raw record, and back",
            OPEN,
            show=True,
        ),
        key(
            "strip.focus",
            "i",
            "strip",
            "time strip",
            "Navigate regions and time; again to return to the pane",
            MOVE,
            show=True,
        ),
        key("pane.zoom", "plus", "zoom", "zoom", "Zoom pane", OPEN),
    ]

    def __init__(self, screen: HuntScreen, shown: Callable[[str], object]) -> None:
        super().__init__(screen)
        self._shown = shown

    @property
    def front(self) -> str:
        """The name of the pane in front."""
        return self.screen.query_one(PaneBar).front

    def show(self, pane: str) -> None:
        """Bring a pane to the front, and focus it."""
        self.screen.query_one(PaneBar).front = pane
        self.screen.set_class(pane != "calls", "-reading")
        self.screen.query_one(ContentSwitcher).current = pane
        self.screen.query_one(f"#{_FOCUSED.get(pane, pane)}").focus()
        self._shown(pane)

    def action_pane(self, step: int) -> None:
        """Show the next pane, or the previous one."""
        self.show(self.screen.query_one(PaneBar).beside(step))

    def action_raw(self) -> None:
        """Show the raw record; if it is already in front, show the calls."""
        self.show("calls" if self.front == "raw" else "raw")

    def action_strip(self) -> None:
        """Move the focus to the strip; if it is already there, back to the pane."""
        strip = self.screen.query_one(AlertStrip)
        self.screen.remove_class("-zoomed")
        if self.front != "calls":
            self.show("calls")
        if strip.has_focus:
            self.show(self.front)
        else:
            strip.focus()

    def action_zoom(self) -> None:
        """Toggle whether the pane takes the whole screen."""
        self.screen.toggle_class("-zoomed")
