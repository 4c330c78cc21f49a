"""The line under a list, in which a search or a filter is typed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import Input, Static

from detector.filter.completion import Completion
from tui.keymap import FIND, key, key_of
from tui.presentation import safe
from tui.screens.base.input_fields import LineField

Purpose = Literal["find", "filter"]

_HINTS = {
    "find": "text in the list",
    "filter": "words  field:value  risk>=47  !not  last 2h  a or b",
}

_OPTION_CELLS = 40
"""Maximum width of an offered completion in cells; taking it inserts the whole text."""


class QueryClient(Protocol):
    """The part that receives a typed text: a search or a filter."""

    purpose: Purpose

    def typed(self, text: str, done: bool) -> bool:
        """Handle the typed text; return whether it is valid."""

    def cancelled(self) -> None:
        """Undo the effect of the typed text."""

    def closed(self) -> None:
        """Continue after the typing has ended."""


class QueryInput(LineField):
    """The input, with keys to accept, cancel and complete the text."""

    BINDINGS = [
        key(
            "query.enter",
            "enter",
            "submit",
            "keep",
            "Apply and return to the list",
            FIND,
            show=True,
        ),
        key(
            "query.cancel",
            "escape",
            "cancel",
            "cancel",
            "Cancel typing",
            FIND,
            show=True,
        ),
        key(
            "query.complete",
            "tab",
            "complete(1)",
            "complete",
            "Complete, then the next suggestion",
            FIND,
            show=True,
        ),
        key(
            "query.complete-back",
            "shift+tab",
            "complete(-1)",
            "complete back",
            "Previous suggestion",
            FIND,
        ),
    ]

    completes: reactive[bool] = reactive(False, bindings=True)
    """Whether completions are offered."""

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
    """The line in which a client's text is typed.

    While nobody types, it shows what ``idle`` returns, and is hidden if that is None. While a
    filter is typed, a line beneath shows its error or its completions.
    """

    def __init__(self, idle: Callable[[], Content | None]) -> None:
        super().__init__()
        self._idle = idle
        self._client: QueryClient | None = None
        self._complete: Callable[[str], Completion] | None = None
        self._completion = Completion(0)
        self._chosen = -1
        """The index of the completion that was taken, -1 for none."""

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static("", id="query-label")
            yield QueryInput("query-input")
            yield Static("", id="query-message")
        yield Static("", id="query-beneath")

    @property
    def asking(self) -> bool:
        """Whether something is being typed."""
        return self.display and self.query_one(QueryInput).display

    def is_asking_for(self, client: QueryClient) -> bool:
        """Tell whether something is being typed for this client."""
        return self.asking and self._client is client

    def ask(
        self,
        client: QueryClient,
        text: str,
        complete: Callable[[str], Completion] | None = None,
    ) -> None:
        """Let the analyst type, starting from ``text``; ``complete`` returns its completions."""
        self._client, self._complete = client, complete
        field = self.query_one(QueryInput)
        field.completes = complete is not None
        with field.prevent(Input.Changed):
            field.value = text
        field.placeholder = _HINTS[client.purpose]
        field.cursor_position = len(text)
        self._arrange(client.purpose, typing=True)
        self._offer(text)
        field.focus()

    def close(self) -> None:
        """End the typing."""
        self.show_label(self._idle())
        if self._client is not None:
            self._client.closed()

    def show_idle(self) -> None:
        """Show what ``idle`` returns, unless something is being typed."""
        if not self.asking:
            self.show_label(self._idle())

    def show_label(self, label: Content | None) -> None:
        """Show a label in place of the input; None hides the line."""
        self.display = label is not None
        self._arrange("", typing=False)
        self.message(label or Content(""))

    def show_progress(self, activity: str, share: float) -> None:
        """Show ``searching 34%  esc stops``, next to the input or, when nobody types, alone."""
        stops = key_of("query.cancel" if self.asking else "back")
        progress = Content.assemble(
            (f"{activity} {share:.0%}", "$text-accent"), (f"   {stops} stops", "$foreground-muted")
        )
        if self.asking:
            self.message(progress)
        else:
            self.show_label(progress)

    def message(self, content: Content) -> None:
        """Show a message next to the input."""
        self.query_one("#query-message", Static).update(content)

    def complain(self, reason: str) -> None:
        """Show an error: in the line beneath the input if there is one, else next to the input."""
        complaint = safe.text(reason, "$text-warning")
        if self._complete and self.asking:
            self.query_one("#query-beneath", Static).update(complaint)
        else:
            self.message(complaint)

    def _arrange(self, label: str, *, typing: bool) -> None:
        if typing:
            self.display = True
        self.query_one("#query-label", Static).update(Content(label))
        self.query_one("#query-label").display = typing
        self.query_one(QueryInput).display = typing
        self.query_one("#query-beneath").display = typing and self._complete is not None
        self.message(Content(""))

    def _offer(self, text: str) -> None:
        """Offer completions if the cursor is at the end of the text."""
        self._chosen = -1
        if self._complete and self.query_one(QueryInput).cursor_at_end:
            self._completion = self._complete(text)
        else:
            self._completion = Completion(0)
        self._show_offer()

    def _show_offer(self) -> None:
        parts = [Content.styled("tab", "$foreground-muted")]
        for index, option in enumerate(self._completion.options):
            shown = safe.clip(safe.visible(option.strip()), _OPTION_CELLS)
            style = "$accent bold" if index == self._chosen else "$foreground-muted"
            parts.append(Content.styled(shown, style))
        offer = Content("  ").join(parts if len(parts) > 1 else [])
        self.query_one("#query-beneath", Static).update(offer)

    def _send(self, text: str, done: bool) -> None:
        if self._client is not None and self._client.typed(text, done) and done:
            self.close()

    @on(QueryInput.Completed)
    def _take_completion(self, event: QueryInput.Completed) -> None:
        """Replace the typed beginning by the next completion."""
        event.stop()
        options = self._completion.options
        if not options:
            return
        if self._chosen >= 0:
            self._chosen = (self._chosen + event.step) % len(options)
        else:
            self._chosen = 0 if event.step > 0 else len(options) - 1
        field = self.query_one(QueryInput)
        with field.prevent(Input.Changed):
            field.value = field.value[: self._completion.start] + options[self._chosen]
        field.cursor_position = len(field.value)
        if field.value.endswith((":", "=", " ")):  # a value follows
            self._offer(field.value)
        else:
            self._show_offer()
        self._send(field.value, done=False)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._offer(event.value)
        self._send(event.value, done=False)

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self._send(event.value, done=True)

    @on(QueryInput.Cancelled)
    def _cancelled(self, event: QueryInput.Cancelled) -> None:
        event.stop()
        if self._client is not None:
            self._client.cancelled()
        self.close()
