"""The line under a list where a search or a filter is typed, and where the filter in force stays written."""

from __future__ import annotations

from typing import Literal

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from tui import safe
from tui.keymap import FIND, key
from tui.screens.fields import LineField

Purpose = Literal["find", "filter"]

_HINTS = {"find": "text in the list", "filter": "words  field:value  !not"}


class QueryInput(LineField):
    """The input itself, which says when it is given up."""

    BINDINGS = [
        key("query.enter", "enter", "submit", "keep", "Keep what is typed and go back to the list", FIND, show=True),
        key("query.cancel", "escape", "cancel", "cancel", "Give up what is being typed", FIND, show=True),
    ]

    class Cancelled(Message):
        pass

    def action_cancel(self) -> None:
        self.post_message(self.Cancelled())


class QueryLine(Horizontal):
    """Hidden until ``ask`` or ``state`` has something to show."""

    class Changed(Message):
        """What is typed now; ``done`` once it is entered."""

        def __init__(self, purpose: Purpose, text: str, done: bool) -> None:
            super().__init__()
            self.purpose = purpose
            self.text = text
            self.done = done

    class Cancelled(Message):
        def __init__(self, purpose: Purpose) -> None:
            super().__init__()
            self.purpose = purpose

    def __init__(self) -> None:
        super().__init__()
        self.purpose: Purpose = "find"

    def compose(self) -> ComposeResult:
        yield Static("", id="query-label")
        yield QueryInput("query-input")
        yield Static("", id="query-message")

    @property
    def asking(self) -> bool:
        return self.display and self.query_one(QueryInput).display

    @property
    def text(self) -> str:
        """What is typed."""
        return self.query_one(QueryInput).value

    def ask(self, purpose: Purpose, text: str) -> None:
        """Let the analyst type, starting from ``text``."""
        self.purpose = purpose
        field = self.query_one(QueryInput)
        with field.prevent(Input.Changed):
            field.value = text
        field.placeholder = _HINTS[purpose]
        field.cursor_position = len(text)
        self._arrange(purpose, typing=True)
        field.focus()

    def state(self, label: Content | None) -> None:
        """Nothing is being typed: show what is in force; None hides the line."""
        self.display = label is not None
        self._arrange("", typing=False)
        self.message(label or Content(""))

    def message(self, content: Content) -> None:
        self.query_one("#query-message", Static).update(content)

    def complain(self, reason: str) -> None:
        self.message(safe.text(reason, "$text-warning"))

    def _arrange(self, label: str, *, typing: bool) -> None:
        if typing:
            self.display = True
        self.query_one("#query-label", Static).update(Content(label))
        self.query_one("#query-label").display = typing
        self.query_one(QueryInput).display = typing
        self.message(Content(""))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(self.purpose, event.value, done=False))

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Changed(self.purpose, event.value, done=True))

    @on(QueryInput.Cancelled)
    def _given_up(self, event: QueryInput.Cancelled) -> None:
        event.stop()
        self.post_message(self.Cancelled(self.purpose))
