"""The footer: the keys that matter on the current screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from textual import events
from textual.content import Content
from textual.geometry import Offset
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, TextArea

from tui.keymap import TRIAGE, KeyEntry, display, screen_entries

_BETWEEN = "  "


@runtime_checkable
class Targets(Protocol):
    """A screen whose actions apply to rows."""

    def target_phrase(self, cells: int) -> str:
        """Return what actions apply to now, for a line of ``cells``; ``""`` if to nothing."""


class KeyLine(Widget):
    """As many keys as fit, preceded by what they apply to.

    The last key, help, is always shown. The order never changes, so a key keeps its place. A click
    on a key presses it.
    """

    ALLOW_SELECT = False

    COMPONENT_CLASSES = {"key-line--key", "key-line--label"}

    def __init__(self) -> None:
        super().__init__()
        self._entries: Sequence[KeyEntry] | None = None
        """The keys to show, the most important first; None if they must be looked up again."""

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._bindings_changed)

    def _bindings_changed(self, screen: Screen[object]) -> None:
        # while the terminal is out of focus no widget has the focus: keep the keys unchanged
        if screen.app.app_focus:
            self._entries = None
            self.refresh()

    def render(self) -> Content:
        key_style = self.get_visual_style("key-line--key")
        label_style = self.get_visual_style("key-line--label")
        target = self._target()
        parts = []
        if target:
            parts.append(Content.styled(target, label_style))
        for entry in self._fitting_entries():
            key, label = display(entry.keys[0]), f" {entry.label}"
            part = Content.assemble((key, key_style), (label, label_style))
            parts.append(part if entry.enabled else part.stylize("dim"))
        return Content(_BETWEEN).join(parts)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        entry = self._entry_at(event.get_content_offset(self))
        if entry and entry.enabled:
            self.app.simulate_key(entry.keys[0])
        elif entry:
            self.app.bell()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        entry = self._entry_at(event.get_content_offset(self))
        self.tooltip = entry.binding.tooltip if entry else None

    def _entry_at(self, offset: Offset | None) -> KeyEntry | None:
        start = _lead_cells(self._target())
        for entry in self._fitting_entries():
            if offset and start <= offset.x < start + _cells(entry):
                return entry
            start += _cells(entry) + len(_BETWEEN)
        return None

    def _fitting_entries(self) -> Sequence[KeyEntry]:
        if self._entries is None:
            self._entries = self._shown_entries()
        fitting = list(self._entries)
        room = self.size.width - _lead_cells(self._target())
        while len(fitting) > 1 and _line_cells(fitting) > room:
            del fitting[-2]
        return fitting

    def _target(self) -> str:
        """Return what actions apply to, in a width that does not depend on their number."""
        screen = self.screen
        if not isinstance(screen, Targets) or screen.is_modal:
            return ""
        return screen.target_phrase(self.size.width)

    def _shown_entries(self) -> Sequence[KeyEntry]:
        shown = [entry for entry in screen_entries(self.screen) if entry.binding.show]
        # decisions come first, right after the rows that they apply to
        shown.sort(key=lambda entry: entry.group is not TRIAGE)
        focused = self.screen.focused
        if isinstance(focused, Input | TextArea) and not self.screen.is_modal:
            # letters go into the input, so only the input's own keys work
            shown = [entry for entry in shown if entry.node is focused]
        return shown


def _lead_cells(target: str) -> int:
    return len(target) + len(_BETWEEN) if target else 0


def _cells(entry: KeyEntry) -> int:
    return len(display(entry.keys[0])) + 1 + len(entry.label)


def _line_cells(entries: Sequence[KeyEntry]) -> int:
    return sum(map(_cells, entries)) + len(_BETWEEN) * (len(entries) - 1)
