"""Write notes of the hunt log to a file."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, cast

from textual import on
from textual.widget import Widget
from textual.widgets import Input, Static

from detector.text import private_files
from detector.triage.note import Note
from tui.presentation import format, safe
from tui.screens.base.input_fields import LineField
from tui.screens.forms.base import FormScreen, labelled
from tui.screens.forms.choice import ChoiceField

ExportFormat = Literal["md", "jsonl", "csv"]


class ExportForm(FormScreen):
    """A form to export one of ``choices``, notes by label."""

    heading = "Export the hunt log"

    def __init__(self, choices: Mapping[str, Sequence[Note]]) -> None:
        super().__init__()
        self._choices = choices
        self._default_name = ""

    def fields(self) -> Iterable[Widget]:
        yield labelled("notes", ChoiceField(tuple(self._choices), id="which"))
        yield labelled("format", ChoiceField(("md", "jsonl", "csv"), id="format"))
        yield labelled("file", LineField("file"))
        yield Static("", id="preview")

    def on_mount(self) -> None:
        self._rename()
        super().on_mount()
        self.query_one("#which").focus()

    @on(ChoiceField.Changed)
    def _rename(self) -> None:
        """Name the file by the format, unless the analyst has named it."""
        field = self.query_one("#file", Input)
        if field.value == self._default_name:
            stamp = datetime.fromtimestamp(self.workspace.now(), UTC).strftime("%Y%m%dT%H%M%SZ")
            self._default_name = f"hunt-log-{stamp}.{self.value('format')}"
            field.value = self._default_name
        count = format.plural(len(self._choices[self.value("which")]), "note")
        self.query_one("#preview", Static).update(
            safe.text(f"{count}, in {Path.cwd()}", "$foreground-muted")
        )

    async def save(self) -> str:
        notes = self._choices[self.value("which")]
        path = Path(self.value("file")).expanduser().absolute()
        if not self.value("file"):
            raise ValueError("Enter a file name.")
        if not notes:
            raise ValueError("No notes in this selection.")
        try:
            await asyncio.to_thread(_write, notes, cast(ExportFormat, self.value("format")), path)
        except FileExistsError:
            raise ValueError(f"{path} already exists: choose another name.") from None
        except OSError as error:
            raise ValueError(
                f"Could not write {path}: {error.strerror or error}. Choose another location."
            ) from None
        return f"{format.plural(len(notes), 'note')} written to {path}"


def _write(notes: Sequence[Note], kind: ExportFormat, path: Path) -> None:
    """Write notes to a new file that only its owner can read."""
    from detector.triage.export import export_notes

    private_files.write_new(path, export_notes(notes, kind))
