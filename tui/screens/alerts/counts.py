"""Texts about how many alerts there are."""

from __future__ import annotations

from textual.content import Content

from tui.keymap import key_of
from tui.model.workspace import Workspace
from tui.presentation import format
from tui.screens.alerts.rows import AlertRows


def counts_line(
    rows: AlertRows, *, here: int, marked: int, following: bool, hidden_shown: bool
) -> Content:
    """Return the numbers of the list.

    ``12 alerts · 9 here · 2 closed · 1 suppressed``.
    """
    hidden = rows.closed or rows.suppressed
    parts = [
        (f"+{format.number(rows.held_back)} new", "$text-accent bold", rows.held_back),
        (f"{format.number(marked)} marked", "$text-accent bold", marked),
        ("follow", "$text-accent", following),
        (format.plural(rows.total, "alert"), "", True),
        (f"{format.number(here)} here", "$foreground-muted", here != rows.total),
        (f"{format.number(rows.closed)} closed", "$foreground-muted", rows.closed),
        (f"{format.number(rows.suppressed)} suppressed", "$foreground-muted", rows.suppressed),
        (
            f"{key_of('alerts.hidden')} {'hides' if hidden_shown else 'shows'} them",
            "$foreground-muted",
            hidden,
        ),
    ]
    return Content(" · ").join(
        Content.styled(text, style) for text, style, is_shown in parts if is_shown
    )


def empty_text(workspace: Workspace, total: int) -> str:
    """Return why no alert is shown, of ``total``."""
    view_model = workspace.view_model
    if total:
        return f"Every alert is closed or suppressed.\n{key_of('alerts.hidden')} shows them."
    if view_model.error:
        return f"Reading stopped.\n{view_model.error}"
    if not view_model.loaded or not (view_model.live or workspace.store.read_only):
        return f"Reading {workspace.source_label} …\nAlerts appear here as soon as a rule fires."
    return (
        f"No alert so far in {workspace.source_label}.\nNew files are read as they come. "
        f"{key_of('area.sources')} shows what was read."
    )
