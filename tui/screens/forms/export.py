"""Write the rows of a list to a file."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from textual import on
from textual.widget import Widget
from textual.widgets import Input, Static

from detector.text import private_files
from tui.model.workspace import ExportChoice
from tui.presentation import format, safe
from tui.screens.base.input_fields import LineField
from tui.screens.forms.base import FormScreen, labelled
from tui.screens.forms.choice import ChoiceField


class ExportForm(FormScreen):
    """A form to export one of several labelled sets of rows.

    The first set is the default.
    """

    def __init__(self, export: ExportChoice, rows: Mapping[str, Sequence[Any]]) -> None:
        super().__init__()
        self._export = export
        self._rows = rows
        self._default_name = ""
        self.heading = f"Export {export.title}"

    def fields(self) -> Iterable[Widget]:
        yield labelled("rows", ChoiceField(tuple(self._rows), id="which"))
        yield labelled("format", ChoiceField(tuple(self._export.formats), id="format"))
        yield labelled("file", LineField("file"))
        yield Static("", id="preview")

    def on_mount(self) -> None:
        self._rename()
        super().on_mount()
        self.query_one("#which").focus()

    @on(ChoiceField.Changed)
    def _rename(self) -> None:
        """Adapt the file name to the format, unless the analyst has typed a name."""
        field = self.query_one("#file", Input)
        if field.value == self._default_name:
            stamp = datetime.fromtimestamp(self.workspace.now(), UTC).strftime("%Y%m%dT%H%M%SZ")
            self._default_name = f"{self._export.file_stem}-{stamp}.{self.value('format')}"
            field.value = self._default_name
        count = format.plural(len(self._rows[self.value("which")]), self._export.noun)
        self.query_one("#preview", Static).update(
            safe.text(f"{count}, to {Path.cwd()}", "$foreground-muted")
        )

    async def save(self) -> str:
        rows = self._rows[self.value("which")]
        path = Path(self.value("file")).expanduser().absolute()
        if not self.value("file"):
            raise ValueError("Enter a file name.")
        if not rows:
            raise ValueError("No rows in this selection.")
        try:
            await asyncio.to_thread(self._write, rows, self.value("format"), path)
        except FileExistsError:
            raise ValueError(f"{path} already exists: choose another name.") from None
        except OSError as error:
            raise ValueError(
                f"Could not write {path}: {error.strerror or error}. Choose another location."
            ) from None
        return f"{format.plural(len(rows), self._export.noun)} written to {path}"

    def _write(self, rows: Sequence[Any], kind: str, path: Path) -> None:
        """Write rows to a new file that only the owner can read."""
        private_files.write_new(path, self._export.text(rows, kind))
