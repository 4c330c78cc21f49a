"""Forms to write a note on alerts, or to edit one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

from textual.widget import Widget
from textual.widgets import Markdown, TextArea

from detector.detection.alert import Alert
from detector.text.abbreviations import short_arn
from detector.triage.caller import Caller
from detector.triage.note import VERDICTS, Note, NoteBody, Verdict
from tui.keymap import FORM, key
from tui.presentation import format, safe
from tui.screens.base.input_fields import LineField, TextField
from tui.screens.base.text_pane import Reader
from tui.screens.forms.base import labelled
from tui.screens.forms.choice import ChoiceField
from tui.screens.forms.drafted import DraftedForm
from tui.settings.form_draft import FormDraft
from tui.terminal import external_editor


class _NoteFields(DraftedForm):
    """The fields of a note, first filled with ``body``."""

    BINDINGS = [
        key(
            "note.editor",
            "ctrl+e",
            "editor",
            "editor",
            "Edit the note in $VISUAL or $EDITOR",
            FORM,
            show=True,
            everywhere=True,
        ),
        key(
            "note.preview",
            "ctrl+r",
            "preview",
            "preview",
            "Preview as Markdown",
            FORM,
            show=True,
            everywhere=True,
        ),
    ]

    def __init__(self, words: NoteBody, draft: NoteBody | None) -> None:
        super().__init__(resumed=draft is not None)
        self._words = draft or words
        self._about: tuple[list[str], int | None] = ([], None)
        """The alert ids, or the id of the note, to which a draft belongs."""
        self._callers: Sequence[Caller] = ()

    def fields(self) -> Iterable[Widget]:
        yield labelled("verdict", ChoiceField(VERDICTS, self._words.verdict, id="verdict"))
        yield labelled("ticket", LineField("ticket", self._words.ticket, "e.g. IR-142"))
        yield labelled("owner", LineField("owner", self._words.owner, "assignee"))
        yield TextField("text", self._words.text, "Findings, assessment, next steps")
        with Reader(id="note-preview"):
            yield Markdown("", open_links=False)

    def on_mount(self) -> None:
        super().on_mount()
        text = self.query_one("#text", TextArea)
        text.move_cursor(text.document.end)
        text.focus()

    def draft(self) -> FormDraft:
        return FormDraft(*self._about, self._body(), callers=list(self._callers))

    def _body(self) -> NoteBody:
        verdict = cast(Verdict, self.value("verdict"))
        return NoteBody(self.value("text"), verdict, self.value("ticket"), self.value("owner"))

    async def action_editor(self) -> None:
        field = self.query_one("#text", TextArea)
        try:
            text = external_editor.edit_text(self.app, field.text)
        except external_editor.ProgramError as error:
            self.complain(str(error))
            return
        self.complain("")
        field.text = text
        field.move_cursor(field.document.end)
        await self._show_preview()

    async def action_preview(self) -> None:
        """Show the note as Markdown, or its text again.

        Only what the analyst wrote is rendered as Markdown; control characters are made visible.
        """
        field, shown = self.query_one("#text", TextArea), self.query_one("#note-preview")
        front, behind = (shown, field) if field.display else (field, shown)
        front.display = True
        front.focus()
        behind.display = False  # hide last, or else the focus would move to the next field
        await self._show_preview()

    async def _show_preview(self) -> None:
        text = self.query_one("#text", TextArea).text
        await self.query_one(Markdown).update(safe.visible(text, len(text), lines=True))

    def words(self) -> NoteBody:
        """Return the typed note. Raises ValueError if it is empty."""
        words = self._body()
        if words == NoteBody():
            raise ValueError("Add a verdict or some text first.")
        return words


class NoteForm(_NoteFields):
    """A form for a note on each of ``alerts``, or on callers without an alert."""

    def __init__(
        self,
        alerts: Sequence[Alert],
        verdict: Verdict = "undecided",
        draft: NoteBody | None = None,
        *,
        callers: Sequence[Caller] = (),
    ) -> None:
        super().__init__(NoteBody(verdict=verdict), draft)
        self._alerts = alerts
        self._about = ([alert.alert_id for alert in alerts], None)
        self._wordless = False
        """Whether the form has already asked about an escalation without text."""
        self.written = NoteBody()
        """The saved note."""
        self._callers = callers
        self._noun = format.plural(len(alerts), "alert")
        if callers:
            self._noun = format.plural(len(callers), "principal")
        self.heading = f"Add a note to {self._noun}"
        if len(alerts) == 1:
            time = format.full_time(alerts[0].first_event)
            self.heading = f"Note: {format.subject(alerts[0])}  {time}"
        if len(callers) == 1:
            name = short_arn(callers[0].context.principal) or "a caller without an ARN"
            self.heading = f"Note: {name}, without an alert"

    async def save(self) -> str:
        words = self.words()
        if words.verdict == "escalated" and not words.text and not self._wordless:
            self._wordless = True
            raise ValueError("Escalate without a text? Save again to confirm.")
        if self._callers:
            await self.workspace.decisions.add_caller_notes(self._callers, words)
        else:
            await self.workspace.decisions.add_notes(self._alerts, words)
        self.written = words
        noted = f"Note added to {self._noun}: {words.verdict}"
        return f"{noted}; {self.workspace.decisions.way_back}"


class EditNoteForm(_NoteFields):
    """A form that changes a note; the former version is kept."""

    def __init__(self, note: Note, draft: NoteBody | None = None) -> None:
        super().__init__(note.body, draft)
        self._note = note
        self._about = ([note.alert_id], note.note_id)
        self.heading = (
            f"Edit note on {short_arn(note.context.principal) or 'a caller without an ARN'}"
            f"  {format.full_time(note.context.first_event)}"
        )

    async def save(self) -> str:
        words = self.words()
        if words != self._note.body:
            await self.workspace.decisions.edit_note(self._note, words)
        return f"Note edited; earlier versions are kept; {self.workspace.decisions.way_back}"
