"""Extend suppressions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual.widget import Widget

from detector.triage.suppression import Suppression
from tui.model.expiry import parse_expiry
from tui.presentation import format
from tui.screens.base.input_fields import LineField
from tui.screens.forms.base import FormScreen, labelled


class ExtendForm(FormScreen):
    """A form that sets a new end for all ``suppressions``."""

    def __init__(self, suppressions: Sequence[Suppression]) -> None:
        super().__init__()
        self._suppressions = suppressions
        self.span = ""
        """The saved span, as the analyst typed it."""
        first = suppressions[0]
        self.heading = f"Extend {format.plural(len(suppressions), 'suppression')}"
        if len(suppressions) == 1:
            ends = format.full_time(first.expires)
            self.heading = f"Extend the suppression of {first.scope} {first.value} (ends {ends})"

    def fields(self) -> Iterable[Widget]:
        yield labelled("for", LineField("for", "7d", "8h, 7d, 2w from now, or a day: 2026-04-01"))

    async def save(self) -> str:
        typed = self.value("for")
        expires = parse_expiry(typed, self.workspace.now())
        await self.workspace.decisions.extend(self._suppressions, expires)
        self.span = typed
        return f"Extended until {format.full_time(expires)}; {self.workspace.decisions.way_back}"
