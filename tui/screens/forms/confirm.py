"""A question to answer with yes or no."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.keymap import FORM, key, key_of
from tui.presentation import safe
from tui.screens.base.key_footer import KeyLine


class Confirm(ModalScreen[bool]):
    """A question, which may quote a log; ``yes`` is the verb that confirms it."""

    BINDINGS = [
        key("confirm.yes", "y,enter", "answer(True)", "yes", "Yes", FORM, show=True),
        key(
            "confirm.no",
            "n,escape",
            "answer(False)",
            "go back",
            "No: go back, change nothing",
            FORM,
            show=True,
        ),
    ]

    def __init__(self, question: str, yes: str) -> None:
        super().__init__()
        self._question = question
        self._yes = yes

    def compose(self) -> ComposeResult:
        with Vertical(id="form", classes="small"):
            yield Static(safe.text(self._question))
            answers = f"{key_of('confirm.yes')} {self._yes}   {key_of('confirm.no')} go back"
            yield Static(safe.text(answers, "$foreground-muted"))
        yield KeyLine()

    def label_of(self, binding: Binding) -> str:
        """Return the verb of an answer, so that the footer uses the words of the question."""
        if binding.id == "confirm.yes":
            return self._yes
        return binding.description

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)
