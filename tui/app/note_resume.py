"""Open the form of a note again that was being written when the app went away."""

from __future__ import annotations

from collections.abc import Callable

from tui.model.workspace import Workspace
from tui.screens.forms.note import EditNoteForm, NoteForm


def resume_note(workspace: Workspace, show: Callable[[NoteForm | EditNoteForm], object]) -> None:
    """Show the form with what was typed, where a draft was left."""
    file = workspace.decisions.note_draft
    draft = file.read() if file is not None else None
    if file is None or draft is None:
        return
    alerts_by_id = workspace.view_model.alerts
    alerts = [alerts_by_id[alert_id] for alert_id in draft.alert_ids if alert_id in alerts_by_id]
    notes = [note for note in workspace.store.triage.notes() if note.note_id == draft.note_id]
    if notes:
        show(EditNoteForm(notes[0], draft.body))
    elif alerts:
        show(NoteForm(alerts, draft.body.verdict, draft.body))
    else:
        workspace.say(
            f"The draft of a note on a deleted alert is in {file.path}", severity="warning"
        )
        return
    workspace.say("Draft note restored: save or discard it")
