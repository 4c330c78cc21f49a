"""The hunt log: notes, newest first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from textual import on
from textual.containers import Horizontal
from textual.widget import Widget

from detector.filter.schemas import NOTES
from detector.text.abbreviations import short_arn
from detector.triage.note import Note
from tui.keymap import TRIAGE, key, key_of
from tui.model.callers import principal_filter
from tui.model.export_choices import NOTE_CHOICE
from tui.model.workspace import ExportChoice
from tui.presentation import format
from tui.presentation.copy_formats import CopyFormat, note_formats
from tui.screens.base.fact_list import FactList
from tui.screens.base.filtered_list import ListScreen
from tui.screens.base.note_text import note_lines, verdict
from tui.screens.base.query_line import QueryLine
from tui.screens.base.text_pane import Reader
from tui.widgets.columns import Column
from tui.widgets.row_list import RowList

NOTE_COLUMNS: tuple[Column[Note], ...] = (
    Column(
        "time",
        "written",
        11,
        lambda note: format.date_minute(note.created),
        drop_priority=0,
        field="written",
    ),
    Column("verdict", "verdict", 10, lambda note: verdict(note.body.verdict), drop_priority=1),
    Column(
        "principal",
        "principal",
        12,
        lambda note: short_arn(note.context.principal) or "no ARN",
        drop_priority=2,
        flex=True,
    ),
    Column("ticket", "ticket", 9, lambda note: note.body.ticket, drop_priority=4),
    Column("owner", "owner", 8, lambda note: note.body.owner, drop_priority=5),
    Column("text", "note", 14, lambda note: note.body.text, drop_priority=6, flex=True),
)


class HuntLogScreen(ListScreen[Note]):
    """The list of notes."""

    BINDINGS = [
        key(
            "note.edit",
            "c",
            "edit",
            "edit",
            "Edit the note; earlier versions are kept",
            TRIAGE,
            show=True,
        ),
    ]

    area = "log"
    fields = NOTES

    def reference_time(self) -> float:
        return self.workspace.now()

    def compose_body(self) -> Iterable[Widget]:
        with Horizontal(classes="halves"):
            yield RowList(NOTE_COLUMNS, key=lambda note: str(note.note_id))
            with Reader(classes="half"):
                yield FactList(id="entry")
        yield QueryLine(self.query_description)

    def show(self) -> None:
        view_model = self.workspace.view_model
        self.show_rows(view_model.notes, _empty(), view_model.loaded)
        self._show_entry()

    @on(RowList.Highlighted)
    def _show_entry(self) -> None:
        note = self.row_list.cursor_row
        self.query_one(FactList).show(note_lines(note) if note else [])

    @on(RowList.Opened)
    def _open_alert(self) -> None:
        note = self.row_list.cursor_row
        if note is None:
            return
        if not note.alert_id:
            context = note.context
            self.workspace.routes.open_events(
                principal_filter(context.principal), context.first_event, context.last_event + 1
            )
            return
        alert = self.workspace.view_model.current(note.alert_id)
        if alert is None:
            self.workspace.say(
                "Alert no longer in the database; the note keeps a snapshot",
                severity="warning",
            )
        else:
            self.workspace.routes.open_alert(alert.alert_id, [alert.alert_id])

    def copy_formats_of(self, rows: Sequence[Note]) -> Sequence[CopyFormat]:
        return note_formats(rows)

    def action_edit(self) -> None:
        note = self.row_list.cursor_row
        if note is not None and self.workspace.may_write():
            self.workspace.routes.edit_note(note)

    def export_choice(self) -> ExportChoice:
        return NOTE_CHOICE

    def rows_to_export(self) -> dict[str, Sequence[Any]]:
        choices = super().rows_to_export()
        every, current = self.workspace.view_model.notes, self.row_list.cursor_row
        choices["all"] = every
        if current is not None and current.alert_id:
            choices["this alert's"] = [note for note in every if note.alert_id == current.alert_id]
        return choices


def _empty() -> str:
    return (
        f"No notes yet.\n{key_of('alert.comment')} on an alert adds one, "
        f"{key_of('alert.escalate')} escalates;\neach keeps a snapshot of the alert."
    )
