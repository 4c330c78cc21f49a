"""Help: every key of the screen behind it."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import ItemGrid, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from tui.keymap import OPEN, KeyEntry, group_entries, key, screen_entries
from tui.screens.base.fact_list import Fact, FactList, Line
from tui.screens.base.key_footer import KeyLine


class HelpScreen(ModalScreen[None]):
    """The keys of the screen ``beneath``, by group."""

    BINDINGS = [
        key(
            "help.close",
            "escape,q,question_mark,f1",
            "dismiss",
            "close",
            "Close the help",
            OPEN,
            show=True,
        ),
        key(
            "help.commands",
            "colon",
            "commands",
            "commands",
            "Find and run a command",
            OPEN,
            show=True,
        ),
        key("help.down", "j,down", "scroll(1)", "down", "Scroll down", OPEN),
        key("help.up", "k,up", "scroll(-1)", "up", "Scroll up", OPEN),
    ]

    def __init__(self, beneath: Screen[object]) -> None:
        super().__init__()
        groups = group_entries(screen_entries(beneath))
        self._groups = [(group.description, entries) for group, entries in groups]

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help", can_focus=False):
            yield Static("Keys on this screen", id="form-heading")
            with ItemGrid(min_column_width=44, stretch_height=False, regular=False):
                for name, entries in self._groups:
                    lines = _group_lines(name, entries)
                    yield FactList(lines, label_style="$text-accent", classes="keys")
        yield KeyLine()

    def action_commands(self) -> None:
        self.dismiss()
        self.app.call_after_refresh(self.app.action_command_palette)

    def action_scroll(self, lines: int) -> None:
        self.query_one("#help").scroll_relative(y=lines, animate=False)


def _group_lines(name: str, entries: Sequence[KeyEntry]) -> list[Line]:
    return [
        Content.styled(name, "$foreground-muted"),
        *(Fact(entry.shown_keys, entry.binding.tooltip) for entry in entries),
    ]
