"""What the app works on, and the screen that stands until it is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Static

from tui.keymap import OPEN, key
from tui.screens.key_line import KeyLine
from tui.widgets.top_line import TopLine

if TYPE_CHECKING:
    from detector.pipeline import Pipeline
    from detector.rules import RuleSet
    from detector.store import Store
    from tui.app import HuntApp
    from tui.session import SessionFile


@dataclass(frozen=True)
class Opened:
    """The state, the rules, and what reads into the state; None: another trailhound does, and this one looks on.

    ``session`` is where it is kept how the app is left; None: nowhere.
    """

    store: Store
    rules: RuleSet
    pipeline: Pipeline | None
    session: SessionFile | None = None


Opening = Callable[[], Opened]
"""Opens all of it; in a thread. What it raises closes the app, and is what the command fails with."""


class OpeningScreen(Screen[None]):
    """The frame of the list of alerts. It imports nothing of the core, so it is there at once."""

    BINDINGS = [key("opening.leave", "q,escape", "app.quit", "quit", "Leave before it has begun", OPEN, show=True)]

    def compose(self) -> ComposeResult:
        top = TopLine()
        top.show("trailhound › Alerts", "◌ opening", cast("HuntApp", self.app).where)
        yield top
        yield Static("Opening the state and the rules …", id="opening")
        yield KeyLine()
