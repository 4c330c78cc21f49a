"""The names of the panes, with the front pane's in brackets."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

_BETWEEN = " │ "


class PaneBar(Widget):
    """A bar of pane names, some with a count.

    ``panes`` are words from our own code, never log text.
    """

    COMPONENT_CLASSES = {"pane-bar--front", "pane-bar--other"}

    front: reactive[str] = reactive("", init=False)
    counts: reactive[dict[str, int]] = reactive(dict)

    class Chosen(Message):
        def __init__(self, pane: str) -> None:
            super().__init__()
            self.pane = pane

    def __init__(self, panes: Sequence[str]) -> None:
        super().__init__()
        self.panes = tuple(panes)
        self.set_reactive(PaneBar.front, panes[0])

    def render(self) -> Content:
        parts = [
            Content.styled(
                words,
                self.get_visual_style(f"pane-bar--{'front' if pane == self.front else 'other'}"),
            )
            for pane, words in zip(self.panes, self._words(), strict=True)
        ]
        return Content.styled(_BETWEEN, self.get_visual_style("pane-bar--other")).join(parts)

    def beside(self, step: int) -> str:
        """Return the pane ``step`` places after the front pane, wrapping around."""
        return self.panes[(self.panes.index(self.front) + step) % len(self.panes)]

    def on_click(self, event: events.Click) -> None:
        start = 0
        for pane, words in zip(self.panes, self._words(), strict=True):
            if start <= event.x < start + len(words):
                self.post_message(self.Chosen(pane))
            start += len(words) + len(_BETWEEN)

    def _words(self) -> list[str]:
        words = [
            f"{pane} {self.counts[pane]:,}" if pane in self.counts else pane for pane in self.panes
        ]
        return [
            f"[{said}]" if pane == self.front else said
            for pane, said in zip(self.panes, words, strict=True)
        ]
