"""The command palette: Textual's, with the sign of lists before the command under the cursor."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.command import CommandInput, CommandList, CommandPalette, SearchIcon
from textual.containers import Horizontal, Vertical
from textual.widgets import LoadingIndicator

from tui.screens.base.menu import Signed
from tui.terminal.textual_private import palette_placeholder


class Commands(CommandList, Signed):
    pass


class Palette(CommandPalette):
    def compose(self) -> ComposeResult:
        """What Textual's has, by the ids that it looks for."""
        with Vertical(id="--container"):
            with Horizontal(id="--input"):
                yield SearchIcon()
                yield CommandInput(placeholder=palette_placeholder(self), select_on_focus=False)
            with Vertical(id="--results"):
                yield Commands()
                yield LoadingIndicator()
