"""The last line: the keys that matter here, from the bindings that are active now."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widgets import Footer, Input
from textual.widgets._footer import FooterKey

from tui.keymap import display, of_screen

_BETWEEN = 3
"""Cells between a key and its label, and after them."""


class KeyLine(Footer):
    """As many keys as fit, the last of them (help) always."""

    def __init__(self) -> None:
        super().__init__(show_command_palette=False, compact=True)

    def compose(self) -> ComposeResult:
        shown = [entry for entry in of_screen(self.screen) if entry.binding.show]
        shown.sort(key=lambda entry: entry.label == entry.binding.description)  # what tells most of now comes first
        if isinstance(self.screen.focused, Input) and not self.screen.is_modal:
            shown = [entry for entry in shown if entry.node is self.screen.focused]  # letters are typed, not obeyed
        widths = [len(display(entry.keys[0])) + len(entry.label) + _BETWEEN for entry in shown]
        while sum(widths) > self.app.size.width - 2 + _BETWEEN and len(shown) > 1:
            del shown[-2], widths[-2]
        for entry in shown:
            yield FooterKey(
                entry.keys[0], display(entry.keys[0]), entry.label, entry.binding.action,
                disabled=not entry.enabled, tooltip=entry.binding.tooltip,
            )

    def on_resize(self) -> None:
        self.call_after_refresh(self.recompose)
