"""A field that offers a few words to choose from."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.style import Style as VisualStyle
from textual.widget import Widget

from tui.keymap import FORM, key


class ChoiceField(Widget, can_focus=True):
    """A choice among ``options``, which must not quote a log.

    The analyst chooses with left and right, or by the first letter of an option.
    """

    COMPONENT_CLASSES = {"choice--chosen", "choice--other"}

    BINDINGS = [
        key("choice.next", "right", "step(1)", "next", "Next choice", FORM),
        key("choice.previous", "left", "step(-1)", "previous", "Previous choice", FORM),
    ]

    value: reactive[str] = reactive("", init=False)

    class Changed(Message):
        def __init__(self, choice: ChoiceField) -> None:
            super().__init__()
            self.choice = choice

        @property
        def control(self) -> ChoiceField:
            return self.choice

    def __init__(self, options: Sequence[str], value: str = "", *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.options = tuple(options)
        self.set_reactive(ChoiceField.value, value or self.options[0])

    def render(self) -> Content:
        lines = self._lines(self.content_size.width)
        return Content("\n").join(
            Content.assemble(*(self._render_word(word) for word in line)) for line in lines
        )

    def _render_word(self, word: str) -> tuple[str, VisualStyle]:
        if word == self.value:
            return f"[{word}]", self.get_visual_style("choice--chosen")
        return f" {word} ", self.get_visual_style("choice--other")

    def get_content_height(self, _container: Size, _viewport: Size, width: int) -> int:
        return len(self._lines(width))

    def _lines(self, cells: int) -> list[list[str]]:
        """Wrap the words into lines of at most this many cells."""
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

    def on_key(self, event: events.Key) -> None:
        """Choose an option by its first letter; if several share it, the next of them."""
        if event.character is None or not event.character.isalpha():
            return
        index = self.options.index(self.value)
        for option in [*self.options[index + 1 :], *self.options[: index + 1]]:
            if option.startswith(event.character.lower()):
                self.value = option
                event.stop()
                return

    def on_click(self, event: events.Click) -> None:
        start = 0
        for word in self._lines(self.content_size.width)[event.y]:
            if start <= event.x < start + _width(word):
                self.value = word
            start += _width(word)


def _width(word: str) -> int:
    return len(word) + 2
