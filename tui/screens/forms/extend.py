"""Let a suppression hide for longer."""

from __future__ import annotations

from collections.abc import Iterable

from textual.widget import Widget

from detector.huntlog import Suppression
from tui import format
from tui.screens.fields import LineField
from tui.screens.forms.base import Form, labelled
from tui.screens.forms.interval import expiry


class ExtendForm(Form):
    """A new end for ``suppression``, counted from now."""

    def __init__(self, suppression: Suppression) -> None:
        super().__init__()
        self._suppression = suppression
        ends = format.full_time(suppression.expires)
        self.heading = f"Extend {suppression.scope} {suppression.value}, which ends {ends}"

    def fields(self) -> Iterable[Widget]:
        yield labelled("for", LineField("for", "7d", "8h, 7d, 2w from now, or a day: 2026-04-01"))

    async def save(self) -> str:
        extended = await self.hunt.decisions.extend(
            self._suppression.suppression_id, expiry(self.value("for"), self.hunt.now())
        )
        return f"Hides until {format.full_time(extended.expires)}"
