"""Pipe JSON to a command."""

from __future__ import annotations

import json
from collections.abc import Iterable

from textual import on
from textual.widget import Widget
from textual.widgets import Input, Static

from detector.text.visible import visible
from tui.presentation import safe
from tui.screens.base.input_fields import LineField
from tui.screens.forms.base import FormScreen, labelled
from tui.screens.forms.choice import ChoiceField
from tui.terminal import external_editor

_HERE, _TERMINAL = "here", "in the terminal"
_EXAMPLES = ("userIdentity", "columns", "context", "value")
"""Interesting keys of a record, an alert, a note and a suppression, for an example path."""


class PipeForm(FormScreen):
    """A form for the command to which ``text`` is piped.

    After saving, ``command`` is the command whose output the app shows, or None if the command ran
    in the terminal.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.command: str | None = None
        self.example = f"jq {_example_path(text)}"
        self.heading = f"Pipe {len(text.encode()):,} bytes of JSON to a command"

    def fields(self) -> Iterable[Widget]:
        yield labelled("command", LineField("command", self.workspace.piped_to, self.example))
        yield labelled("output", ChoiceField((_HERE, _TERMINAL), id="output"))
        yield Static(
            safe.text(
                "Runs in your shell. “In the terminal” allows pagers and editors.",
                "$foreground-muted",
            )
        )

    @on(Input.Submitted)
    async def _entered(self) -> None:
        await self.action_save()

    async def save(self) -> str:
        command = self.value("command")
        if not command:
            raise ValueError("Enter a shell command.")
        self.workspace.piped_to = command
        if self.value("output") == _HERE:
            self.command = command
            return f"Running {command}"
        status = external_editor.run_in_terminal(
            self.app, ["/bin/sh", "-c", command], _escape_for_terminal(self.text).encode()
        )
        return f"{command} {external_editor.describe_status(status)}"


def _example_path(text: str) -> str:
    """Return a ``jq`` path that exists in the first object of the text; ``.`` if none does."""
    try:
        first, _ = json.JSONDecoder().raw_decode(text.lstrip())
    except ValueError:
        return "."
    return next((f".{name}" for name in _EXAMPLES if name in first), ".")


def _escape_for_terminal(text: str) -> str:
    """Replace control characters in JSON by JSON escapes."""
    if visible(text, len(text), lines=True) == text:
        return text
    return "".join(map(_escape, text))


def _escape(character: str) -> str:
    if character == "\n" or visible(character) == character:
        return character
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[index : index + 4]}" for index in range(0, len(units), 4))
