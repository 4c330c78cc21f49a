"""Export choices of the lists: notes, alerts, and the columns of any other list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, cast

from detector.delivery.alert_export import ALERT_EXPORT
from detector.delivery.list_export import LIST_FORMATS, ExportColumn, ListExport, ListFormat
from detector.triage.export import NoteFormat, export_notes
from detector.triage.note import Note
from tui.model.workspace import ExportChoice
from tui.widgets.columns import Column

R = TypeVar("R")


def _notes_text(notes: Sequence[Note], kind: str) -> str:
    return export_notes(notes, cast(NoteFormat, kind))


NOTE_CHOICE = ExportChoice("the hunt log", "note", "hunt-log", ("md", "jsonl", "csv"), _notes_text)


def list_choice(export: ListExport[R], title: str, file_stem: str) -> ExportChoice:
    """Return the choice for a list with its own export; CSV is written for spreadsheets."""

    def text(rows: Sequence[Any], kind: str) -> str:
        return export.text(rows, cast(ListFormat, kind), spreadsheet=True)

    return ExportChoice(title, export.noun, file_stem, LIST_FORMATS, text)


ALERT_CHOICE = list_choice(ALERT_EXPORT, "alerts", "alerts")


def column_choice(columns: Sequence[Column[R]], title: str, noun: str) -> ExportChoice:
    """Return the choice for a list that is exported as its columns show it."""
    export = ListExport(
        title.capitalize(),
        noun,
        tuple(
            ExportColumn(column.key, _heading(column), "text", column.text) for column in columns
        ),
    )
    return list_choice(export, title, title.replace(" ", "-"))


def _heading(column: Column[Any]) -> str:
    if isinstance(column.title, str):
        return column.title
    return column.key
