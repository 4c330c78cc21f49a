"""Forms whose contents are kept while they are filled in."""

from __future__ import annotations

from textual import on
from textual.await_complete import AwaitComplete
from textual.widgets import Input, TextArea

from tui.screens.forms.base import FormScreen
from tui.screens.forms.choice import ChoiceField
from tui.settings.form_draft import FormDraft


class DraftedForm(FormScreen):
    """A form of which a draft is kept, in case that the terminal or the process goes away.

    ``resumed``: it shows a draft, so that it has something to lose.
    """

    def __init__(self, *, resumed: bool) -> None:
        super().__init__()
        self._resumed = resumed

    def draft(self) -> FormDraft:
        """Return what was filled in so far."""
        raise NotImplementedError

    @property
    def unsaved(self) -> bool:
        return self._resumed or super().unsaved

    @on(TextArea.Changed)
    @on(Input.Changed)
    @on(ChoiceField.Changed)
    def keep_draft(self) -> None:
        """Keep what was filled in."""
        file = self.workspace.decisions.draft
        if file is None or not self.unsaved or not self._first_values:
            return
        try:
            file.keep(self.draft())
        except (OSError, UnicodeError) as error:
            self.complain(f"Drafts cannot be kept; save before you quit: {error}")

    def dismiss(self, result: bool | None = None) -> AwaitComplete:
        """Close the form; what it said was saved or discarded."""
        if self.workspace.decisions.draft is not None:
            self.workspace.decisions.draft.remove()
        return super().dismiss(result)
