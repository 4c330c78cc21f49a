"""What forms share: a title, fields, an error line, save and cancel."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input, Static, TextArea

from detector.store import StateError
from tui.keymap import FORM, key
from tui.model.workspace import Workspace
from tui.presentation import safe
from tui.screens.base.key_footer import KeyLine
from tui.screens.forms.choice import ChoiceField


class FormScreen(ModalScreen[bool]):
    """A form, dismissed with True once ``save`` has succeeded, with False if cancelled."""

    BINDINGS = [
        key("form.save", "ctrl+s", "save", "save", "Submit the form", FORM, show=True),
        key(
            "form.cancel",
            "escape",
            "cancel",
            "cancel",
            "Close the form (asks if text was typed)",
            FORM,
            show=True,
        ),
        key(
            "form.next",
            "tab",
            "step_focus(1)",
            "next field",
            "Next field",
            FORM,
            show=True,
        ),
        key("form.advance", "enter", "step_focus(1)", "next field", "Next field", FORM),
        key(
            "form.previous",
            "shift+tab",
            "step_focus(-1)",
            "previous field",
            "Previous field",
            FORM,
        ),
    ]

    heading = ""
    """The title of the form. It may quote a log."""

    def __init__(self) -> None:
        super().__init__()
        self._saving = False
        self._first_values: list[str] = []

    @property
    def workspace(self) -> Workspace:
        return cast(Workspace, self.app)

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="form", can_focus=False):
            yield Static(safe.text(self.heading), id="form-heading")
            yield from self.fields()
            yield Static("", id="form-error")
        yield KeyLine()

    def fields(self) -> Iterable[Widget]:
        """Yield the fields of the form."""
        raise NotImplementedError

    async def save(self) -> str:
        """Carry out the form, and return the line that reports it.

        Raises the error of the store or the file system, or ValueError for an invalid field; the
        form then stays open and keeps the typed text.
        """
        raise NotImplementedError

    def on_mount(self) -> None:
        self._first_values = self._values()

    def action_step_focus(self, step: int) -> None:
        """Go to the next or the previous field, without wrapping around."""
        fields = [field for field in self.query("Input, ChoiceField, TextArea") if field.focusable]
        if self.focused in fields:
            index = fields.index(self.focused) + step
            fields[max(0, min(index, len(fields) - 1))].focus()
        elif fields:
            fields[0].focus()

    @on(Input.Submitted)
    def _advance(self) -> None:
        self.action_step_focus(1)

    async def action_save(self) -> None:
        if self._saving:
            return
        self._saving = True
        try:
            report = await self.save()
        except (StateError, OSError, ValueError) as error:
            self.complain(str(error))
        else:
            self.workspace.say(report)
            self.dismiss(True)
        finally:
            self._saving = False

    @property
    def unsaved(self) -> bool:
        """Whether the analyst has typed or chosen something."""
        return self._values() != self._first_values

    def action_cancel(self) -> None:
        if not self.unsaved:
            self.dismiss(False)
        else:
            self.workspace.routes.confirm(
                "Discard what you typed?", "discard", lambda: self.dismiss(False)
            )

    def complain(self, message: str) -> None:
        """Show an error on the error line; an empty one clears the line."""
        self.query_one("#form-error", Static).update(safe.text(message))

    def value(self, id: str) -> str:
        """Return the value of a field, stripped."""
        field = self.query_one(f"#{id}")
        assert isinstance(field, Input | ChoiceField | TextArea)
        return (field.text if isinstance(field, TextArea) else field.value).strip()

    def _values(self) -> list[str]:
        fields = [*self.query(Input), *self.query(ChoiceField), *self.query(TextArea)]
        return [self.value(field.id) for field in fields if field.id]


def labelled(label: str, field: Widget) -> Horizontal:
    """Put a field after its label; the label must not quote a log."""
    return Horizontal(Static(Content(label), classes="label"), field, classes="field")
