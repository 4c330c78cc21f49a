"""A form that saves a variant of a rule as a new rule file."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from pathlib import Path

from textual.widget import Widget

from detector.workbench.variant import ParameterValues, VariantError, VariantMaker
from tui.screens.base.input_fields import LineField
from tui.screens.forms.base import FormScreen, labelled

_UNSAFE = re.compile(r"[^a-z0-9]+")


class SaveVariantForm(FormScreen):
    """A form for the reason, the name and the file of a variant with these values."""

    AUTO_FOCUS = "#reason"

    def __init__(self, maker: VariantMaker, values: ParameterValues, folder: Path) -> None:
        super().__init__()
        self._maker = maker
        self._settings = values
        settings = ", ".join(
            maker.parameter(name).labelled(value)
            for name, value in values.items()
            if maker.parameter(name).value != value
        )
        self._proposed_name = f"{maker.rule.name}: {settings}"
        stem = _UNSAFE.sub("_", f"{maker.rule.name} {settings}".lower()).strip("_")
        self._path = folder / f"{stem}{maker.suffix}"
        self.heading = f"Save a variant of {maker.rule.name}"

    def fields(self) -> Iterable[Widget]:
        yield labelled("reason", LineField("reason", "", "why these values: a ticket, a sentence"))
        yield labelled("name", LineField("name", self._proposed_name))
        yield labelled("file", LineField("file", str(self._path)))

    async def save(self) -> str:
        path = Path(self.value("file")).expanduser()
        try:
            await asyncio.to_thread(self._write, path)
        except VariantError as error:
            raise ValueError(str(error)) from None
        rules = self.workspace.rules
        folders = [each.resolve() for each in rules.spec().paths if each.is_dir()]
        if path.resolve().parent in folders or any(
            path.resolve().is_relative_to(each) for each in folders
        ):
            self.workspace.reload_rules(requested=True)
            return f"Saved and loaded: {path}"
        return f"Saved: {path}; load it with --rules"

    def _write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._maker.save(path, self._settings, self.value("name"), self.value("reason"))
