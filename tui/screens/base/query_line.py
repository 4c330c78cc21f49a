"""The line under a list where a search or a filter is typed, and where the filter in force stays written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import Input, Static

from detector.filter.completion import Completion
from tui.keymap import FIND, key
from tui.presentation import safe
from tui.screens.base.input_fields import LineField

Purpose = Literal["find", "filter"]

_HINTS = {
    "find": "text in the list",
    "filter": "words  field:value  risk>=47  !not  last 2h  a or b",
}

_OPTION_CELLS = 40
"""Of an option that is offered; the whole of it is taken."""


class QueryInput(LineField):
    """The input itself, which says when it is given up."""

    BINDINGS = [
        key(
            "query.enter",
            "enter",
            "submit",
            "keep",
            "Keep what is typed and go back to the list",
            FIND,
            show=True,
        ),
        key(
            "query.cancel",
            "escape",
            "cancel",
            "cancel",
            "Give up what is being typed",
            FIND,
            show=True,
        ),
        key(
            "query.complete",
            "tab",
            "complete(1)",
            "complete",
            "Take what is offered, then the next of it",
            FIND,
            show=True,
        ),
        key(
            "query.complete-back",
            "shift+tab",
            "complete(-1)",
            "complete back",
            "Take the one offered before",
            FIND,
        ),
    ]

    completes: reactive[bool] = reactive(False, bindings=True)
    """Whether what is typed can be completed."""

    class Cancelled(Message):
        pass

    class Completed(Message):
        def __init__(self, step: int) -> None:
            super().__init__()
            self.step = step

    def action_cancel(self) -> None:
        self.post_message(self.Cancelled())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self.completes if action == "complete" else super().check_action(action, parameters)

    def action_complete(self, step: int) -> None:
        self.post_message(self.Completed(step))


class QueryLine(Vertical):
    """Hidden until ``ask`` or ``state`` has something to show. While a filter is typed, a line
    beneath says what is wrong with it, or how it may go on."""

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
        self._complete: Callable[[str], Completion] | None = None
        self._offered = Completion(0)
        self._taken = -1

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static("", id="query-label")
            yield QueryInput("query-input")
            yield Static("", id="query-message")
        yield Static("", id="query-beneath")

    @property
    def asking(self) -> bool:
        return self.display and self.query_one(QueryInput).display

    def ask(
        self, purpose: Purpose, text: str, complete: Callable[[str], Completion] | None = None
    ) -> None:
        """Let the analyst type, starting from ``text``; ``complete`` says how a text may go on."""
        self.purpose, self._complete = purpose, complete
        field = self.query_one(QueryInput)
        field.completes = complete is not None
        with field.prevent(Input.Changed):
            field.value = text
        field.placeholder = _HINTS[purpose]
        field.cursor_position = len(text)
        self._arrange(purpose, typing=True)
        self._offer(text)
        field.focus()

    def state(self, label: Content | None) -> None:
        """Nothing is being typed: show what is in force; None hides the line."""
        self.display = label is not None
        self._arrange("", typing=False)
        self.message(label or Content(""))

    def message(self, content: Content) -> None:
        self.query_one("#query-message", Static).update(content)

    def complain(self, reason: str) -> None:
        """Say what is wrong, beneath where there is a line for it."""
        said = safe.text(reason, "$text-warning")
        if self._complete and self.asking:
            self.query_one("#query-beneath", Static).update(said)
        else:
            self.message(said)

    def _arrange(self, label: str, *, typing: bool) -> None:
        if typing:
            self.display = True
        self.query_one("#query-label", Static).update(Content(label))
        self.query_one("#query-label").display = typing
        self.query_one(QueryInput).display = typing
        self.query_one("#query-beneath").display = typing and self._complete is not None
        self.message(Content(""))

    def _offer(self, text: str) -> None:
        """Say how ``text`` may go on, where it is written at its end."""
        at_end = self.query_one(QueryInput).cursor_at_end
        self._offered, self._taken = (
            self._complete(text) if self._complete and at_end else Completion(0),
            -1,
        )
        self._show_offer()

    def _show_offer(self) -> None:
        said = [Content.styled("tab", "$foreground-muted")]
        for place, option in enumerate(self._offered.options):
            shown = safe.clip(safe.visible(option.strip()), _OPTION_CELLS)
            said.append(
                Content.styled(
                    shown, "$accent bold" if place == self._taken else "$foreground-muted"
                )
            )
        self.query_one("#query-beneath", Static).update(
            Content("  ").join(said if len(said) > 1 else [])
        )

    @on(QueryInput.Completed)
    def _completed(self, event: QueryInput.Completed) -> None:
        """Put the next option in place of what was typed of it."""
        event.stop()
        if not self._offered.options:
            return
        first = 0 if event.step > 0 else -1
        self._taken = (self._taken + event.step if self._taken >= 0 else first) % len(
            self._offered.options
        )
        field = self.query_one(QueryInput)
        with field.prevent(Input.Changed):
            field.value = field.value[: self._offered.start] + self._offered.options[self._taken]
        field.cursor_position = len(field.value)
        if field.value.endswith((":", "=", " ")):  # a value is to follow
            self._offer(field.value)
        else:
            self._show_offer()
        self.post_message(self.Changed(self.purpose, field.value, done=False))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._offer(event.value)
        self.post_message(self.Changed(self.purpose, event.value, done=False))

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Changed(self.purpose, event.value, done=True))

    @on(QueryInput.Cancelled)
    def _given_up(self, event: QueryInput.Cancelled) -> None:
        event.stop()
        self.post_message(self.Cancelled(self.purpose))
