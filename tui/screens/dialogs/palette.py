"""The command palette, with the cursor of lists before the command."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.command import CommandInput, CommandList, CommandPalette, SearchIcon
from textual.containers import Horizontal, Vertical
from textual.widgets import LoadingIndicator

from tui.screens.base.menu import Signed
from tui.terminal.textual_private import palette_placeholder


class Commands(CommandList, Signed):
    """The commands of the palette, with the cursor of lists."""


class Palette(CommandPalette):
    """Textual's command palette over another list of commands."""

    def compose(self) -> ComposeResult:
        """Compose what Textual's palette has, by the ids that it looks up."""
        with Vertical(id="--container"):
            with Horizontal(id="--input"):
                yield SearchIcon()
                yield CommandInput(placeholder=palette_placeholder(self), select_on_focus=False)
            with Vertical(id="--results"):
                yield Commands()
                yield LoadingIndicator()
