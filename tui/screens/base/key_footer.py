"""The footer: the keys that matter here."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.content import Content
from textual.geometry import Offset
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

from tui.keymap import KeyEntry, display, screen_entries

_BETWEEN = "  "


class KeyLine(Widget):
    """As many keys as fit, the last of them always.

    The last one is help. A click on a key presses it.
    """

    ALLOW_SELECT = False

    COMPONENT_CLASSES = {"key-line--key", "key-line--label"}

    def __init__(self) -> None:
        super().__init__()
        self._entries: Sequence[KeyEntry] | None = None
        """None: to be found out."""

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._bindings_changed)

    def _bindings_changed(self, screen: Screen[object]) -> None:
        if (
            screen.app.app_focus
        ):  # while the terminal has not got it, nothing has the focus, and the line stays
            self._entries = None
            self.refresh()

    def render(self) -> Content:
        key, label = (
            self.get_visual_style("key-line--key"),
            self.get_visual_style("key-line--label"),
        )
        return Content(_BETWEEN).join(
            Content.assemble((display(entry.keys[0]), key), (f" {entry.label}", label)).stylize(
                "" if entry.enabled else "dim"
            )
            for entry in self._fitting()
        )

    def on_mouse_down(self, event: events.MouseDown) -> None:
        entry = self._at(event.get_content_offset(self))
        if entry and entry.enabled:
            self.app.simulate_key(entry.keys[0])
        elif entry:
            self.app.bell()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        entry = self._at(event.get_content_offset(self))
        self.tooltip = entry.binding.tooltip if entry else None

    def _at(self, place: Offset | None) -> KeyEntry | None:
        start = 0
        for entry in self._fitting():
            if place and start <= place.x < start + _cells(entry):
                return entry
            start += _cells(entry) + len(_BETWEEN)
        return None

    def _fitting(self) -> Sequence[KeyEntry]:
        if self._entries is None:
            self._entries = self._shown()
        fitting = list(self._entries)
        while (
            sum(map(_cells, fitting)) + len(_BETWEEN) * (len(fitting) - 1) > self.size.width
            and len(fitting) > 1
        ):
            del fitting[-2]
        return fitting

    def _shown(self) -> Sequence[KeyEntry]:
        shown = [entry for entry in screen_entries(self.screen) if entry.binding.show]
        shown.sort(
            key=lambda entry: entry.label == entry.binding.description
        )  # what tells most of now comes first
        if isinstance(self.screen.focused, Input) and not self.screen.is_modal:
            shown = [
                entry for entry in shown if entry.node is self.screen.focused
            ]  # letters are typed, not obeyed
        return shown


def _cells(entry: KeyEntry) -> int:
    return len(display(entry.keys[0])) + 1 + len(entry.label)
