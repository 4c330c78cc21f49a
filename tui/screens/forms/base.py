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
    """Dismissed with True once ``save`` has succeeded, with False when given up."""

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
        """Do what the form says, and return the line that reports it.

        A failure raises what the store or the file system raised, or ValueError for a field that
        makes no sense; then the form stays open with all that was typed.
        """
        raise NotImplementedError

    def on_mount(self) -> None:
        self._first_values = self._values()

    def action_step_focus(self, step: int) -> None:
        """Go to the next field or the one before; the first and the last are the ends."""
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
        """Whether something was typed or chosen."""
        return self._values() != self._first_values

    def action_cancel(self) -> None:
        if not self.unsaved:
            self.dismiss(False)
        else:
            self.workspace.routes.confirm(
                "Discard what you typed?", "discard", lambda: self.dismiss(False)
            )

    def complain(self, message: str) -> None:
        """Show on the error line what is wrong; empty clears it."""
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
    """Put a field after its label, which may quote no log."""
    return Horizontal(Static(Content(label), classes="label"), field, classes="field")
