"""Reopen the form that was being filled in when the app ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from detector.detection.alert import Alert
from tui.model.workspace import Workspace
from tui.screens.forms.drafted import DraftedForm
from tui.screens.forms.hunt import hunt_form
from tui.screens.forms.note import EditNoteForm, NoteForm
from tui.screens.forms.suppress import SuppressForm
from tui.settings.form_draft import FormDraft


def resume_draft(workspace: Workspace, show: Callable[[DraftedForm], object]) -> None:
    """If a draft was left, reopen its form with the text that was typed."""
    file = workspace.decisions.draft
    draft = file.read() if file is not None else None
    if file is None or draft is None:
        return
    if draft.hunt is not None or draft.query is not None:
        _resume_hunt(workspace, draft, show)
        return
    alerts_by_id = workspace.view_model.alerts
    alerts = [alerts_by_id[alert_id] for alert_id in draft.alert_ids if alert_id in alerts_by_id]
    notes = [note for note in workspace.store.triage.notes() if note.note_id == draft.note_id]
    if notes:
        show(EditNoteForm(notes[0], draft.body))
    elif alerts or draft.callers:
        show(_form_on(alerts, draft))
    else:
        workspace.say(
            f"The draft of a form on deleted alerts is in {file.path}", severity="warning"
        )
        return
    workspace.say("Draft restored: save or discard it")


def _resume_hunt(
    workspace: Workspace, draft: FormDraft, show: Callable[[DraftedForm], object]
) -> None:
    """Reopen the hunt form or the query that was being written."""
    file = workspace.decisions.draft
    hunts = {hunt.hunt_id: hunt for hunt in workspace.store.hunts.all()}
    hunt = hunts.get(draft.hunt_id)
    if hunt is None and draft.hunt_id and file is not None:
        workspace.say(f"The draft on a deleted hunt is in {file.path}", severity="warning")
        return
    if draft.query is not None and hunt is not None:
        saved = hunt.query(draft.query.query_id)
        workspace.routes.open_hunt_query(hunt.hunt_id, saved, draft.query)
    elif draft.hunt is not None:
        show(hunt_form(hunt, draft.hunt))
    workspace.say("Draft restored: save or discard it")


def _form_on(alerts: Sequence[Alert], draft: FormDraft) -> DraftedForm:
    if draft.suppression is not None:
        return SuppressForm(alerts, draft.suppression, resumed=True, callers=draft.callers)
    return NoteForm(alerts, draft.body.verdict, draft.body, callers=draft.callers)
