"""The command palette, with the same cursor sign as lists."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.command import CommandInput, CommandList, CommandPalette, SearchIcon
from textual.containers import Horizontal, Vertical
from textual.widgets import LoadingIndicator

from tui.screens.base.menu import Signed
from tui.terminal.textual_private import palette_placeholder


class Commands(CommandList, Signed):
    """The commands of the palette, with the same cursor sign as lists."""


class Palette(CommandPalette):
    """Textual's command palette with our own list widget for the commands."""

    def compose(self) -> ComposeResult:
        """Compose the same widgets as Textual's palette, with the ids that it looks up."""
        with Vertical(id="--container"):
            with Horizontal(id="--input"):
                yield SearchIcon()
                yield CommandInput(placeholder=palette_placeholder(self), select_on_focus=False)
            with Vertical(id="--results"):
                yield Commands()
                yield LoadingIndicator()
