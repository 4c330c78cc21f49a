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

from detector.triage.note import Note
from tui.presentation import format, safe
from tui.screens.base.input_fields import LineField
from tui.screens.forms.base import FormScreen, labelled
from tui.screens.forms.choice import Choice
from tui.settings import private_files

Format = Literal["md", "jsonl", "csv"]


class ExportForm(FormScreen):
    """``sets`` names what can be exported (words of ours), the likeliest first."""

    heading = "Export the hunt log"

    def __init__(self, sets: Mapping[str, Sequence[Note]]) -> None:
        super().__init__()
        self._sets = sets
        self._named = ""

    def fields(self) -> Iterable[Widget]:
        yield labelled("notes", Choice(tuple(self._sets), id="which"))
        yield labelled("format", Choice(("md", "jsonl", "csv"), id="format"))
        yield labelled("file", LineField("file"))
        yield Static("", id="preview")

    def on_mount(self) -> None:
        self._rename()
        super().on_mount()
        self.query_one("#which").focus()

    @on(Choice.Changed)
    def _rename(self) -> None:
        """Follow the format with the file's name, unless the analyst has chosen one."""
        field = self.query_one("#file", Input)
        if field.value == self._named:
            stamp = datetime.fromtimestamp(self.workspace.now(), UTC).strftime("%Y%m%dT%H%M%SZ")
            self._named = field.value = f"hunt-log-{stamp}.{self.value('format')}"
        count = format.plural(len(self._sets[self.value("which")]), "note")
        self.query_one("#preview", Static).update(
            safe.text(f"{count}, in {Path.cwd()}", "$foreground-muted")
        )

    async def save(self) -> str:
        notes, path = (
            self._sets[self.value("which")],
            Path(self.value("file")).expanduser().absolute(),
        )
        if not self.value("file"):
            raise ValueError("Which file? Write a name or a path.")
        if not notes:
            raise ValueError("There are no notes in this choice: choose another one.")
        try:
            await asyncio.to_thread(_write, notes, cast(Format, self.value("format")), path)
        except FileExistsError:
            raise ValueError(f"{path} exists and is left as it is: choose another name.") from None
        except OSError as error:
            raise ValueError(
                f"Could not write {path}: {error.strerror or error}. Choose another place."
            ) from None
        return f"{format.plural(len(notes), 'note')} written to {path}"


def _write(notes: Sequence[Note], kind: Format, path: Path) -> None:
    """A new file that only its owner can read."""
    from detector.triage.export import export_notes

    private_files.write_new(path, export_notes(notes, kind))
