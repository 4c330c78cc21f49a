"""The screen shown until the store is open."""

from __future__ import annotations

from typing import cast

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Static

from tui.keymap import OPEN, key
from tui.model.workspace import Workspace
from tui.screens.base.key_footer import KeyLine
from tui.widgets.top_line import TopLine


class OpeningScreen(Screen[None]):
    """Stands in for the list of alerts until the core is imported."""

    BINDINGS = [
        key(
            "opening.leave",
            "q,escape",
            "app.quit",
            "quit",
            "Quit while opening",
            OPEN,
            show=True,
        )
    ]

    def compose(self) -> ComposeResult:
        top = TopLine()
        top.show("trailhound › Alerts", "◌ opening", cast(Workspace, self.app).source_label)
        yield top
        yield Static("Opening the database and the rules …", id="opening")
        yield KeyLine()
