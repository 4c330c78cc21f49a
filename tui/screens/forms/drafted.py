"""Forms that keep a draft of their contents while they are filled in."""

from __future__ import annotations

from textual import on
from textual.await_complete import AwaitComplete
from textual.widgets import Input, TextArea

from tui.screens.forms.base import FormScreen
from tui.screens.forms.choice import ChoiceField
from tui.settings.form_draft import FormDraft


class DraftedForm(FormScreen):
    """A form that keeps a draft, in case the terminal or the process goes away.

    ``resumed`` means that the form shows a draft, so it has unsaved contents from the start.
    """

    def __init__(self, *, resumed: bool) -> None:
        super().__init__()
        self._resumed = resumed

    def draft(self) -> FormDraft:
        """Return a draft of the current contents."""
        raise NotImplementedError

    @property
    def unsaved(self) -> bool:
        return self._resumed or super().unsaved

    @on(TextArea.Changed)
    @on(Input.Changed)
    @on(ChoiceField.Changed)
    def keep_draft(self) -> None:
        """Write a draft of the current contents."""
        file = self.workspace.decisions.draft
        if file is None or not self.unsaved or not self._first_values:
            return
        try:
            file.keep(self.draft())
        except (OSError, UnicodeError) as error:
            self.complain(f"Drafts cannot be kept; save before you quit: {error}")

    def dismiss(self, result: bool | None = None) -> AwaitComplete:
        """Close the form and remove the draft, since the contents were saved or discarded."""
        if self.workspace.decisions.draft is not None:
            self.workspace.decisions.draft.remove()
        return super().dismiss(result)
