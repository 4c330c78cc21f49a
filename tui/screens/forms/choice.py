"""A choice of one among a few words, all in sight, the chosen one in brackets."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from tui.keymap import FORM, key


class Choice(Widget, can_focus=True):
    """``options`` are words of ours, never log text. Left and right choose."""

    COMPONENT_CLASSES = {"choice--chosen", "choice--other"}

    BINDINGS = [
        key("choice.next", "right,l,space", "step(1)", "next", "Choose the next", FORM),
        key("choice.previous", "left,h", "step(-1)", "previous", "Choose the previous", FORM),
    ]

    value: reactive[str] = reactive("", init=False)

    class Changed(Message):
        def __init__(self, choice: Choice) -> None:
            super().__init__()
            self.choice = choice

        @property
        def control(self) -> Choice:
            return self.choice

    def __init__(self, options: Sequence[str], value: str = "", *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.options = tuple(options)
        self.set_reactive(Choice.value, value or self.options[0])

    def render(self) -> Content:
        chosen, other = (
            self.get_visual_style(name) for name in ("choice--chosen", "choice--other")
        )
        lines = [
            Content.assemble(
                *(
                    (f"[{word}]", chosen) if word == self.value else (f" {word} ", other)
                    for word in line
                )
            )
            for line in self._lines(self.content_size.width)
        ]
        return Content("\n").join(lines)

    def get_content_height(self, _container: Size, _viewport: Size, width: int) -> int:
        return len(self._lines(width))

    def _lines(self, cells: int) -> list[list[str]]:
        """The words, on as many lines as it takes."""
        lines: list[list[str]] = [[]]
        for word in self.options:
            if lines[-1] and sum(map(_width, [*lines[-1], word])) > cells:
                lines.append([])
            lines[-1].append(word)
        return lines

    def watch_value(self) -> None:
        self.post_message(self.Changed(self))

    def action_step(self, step: int) -> None:
        self.value = self.options[(self.options.index(self.value) + step) % len(self.options)]

    def on_click(self, event: events.Click) -> None:
        start = 0
        for word in self._lines(self.content_size.width)[event.y]:
            if start <= event.x < start + _width(word):
                self.value = word
            start += _width(word)


def _width(word: str) -> int:
    return len(word) + 2
