"""One raw record, on a screen of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from textual.widget import Widget
from textual.widgets import Static

from detector.investigation.pivot import EventRow
from detector.investigation.raw_record import EvidenceGone, raw_record
from tui.concurrency.worker import work
from tui.presentation import format, safe
from tui.presentation.copy_formats import CopyFormat, event_formats
from tui.screens.base.copy_actions import ReadingScreen
from tui.screens.base.hunts.attach_action import AttachAction, event_findings
from tui.screens.base.screen import breadcrumbs
from tui.widgets.json_view import JsonView
from tui.widgets.line import CellContent


class RecordScreen(ReadingScreen):
    """The raw record of ``row``; ``trail`` names the screens behind this one."""

    BINDINGS = [*AttachAction.BINDINGS]

    AUTO_FOCUS = "JsonView"

    def __init__(self, trail: Sequence[str], row: EventRow) -> None:
        super().__init__()
        self._trail = (*trail, f"{row.event.action} {format.compact_range(row.event.time)}")
        self._row = row
        self.attaching = AttachAction(self, lambda: event_findings([row.event]))

    def screen_title(self) -> CellContent:
        return breadcrumbs(self._trail, self.size.width)

    def compose_body(self) -> Iterable[Widget]:
        position = self._row.event.position
        where = safe.text(f"{position.source} #{position.index}", "$foreground-muted")
        yield Static(where, id="position", classes="line")
        yield JsonView()

    def copy_formats(self) -> Sequence[CopyFormat]:
        return event_formats([self._row.event])

    def on_mount(self) -> None:
        super().on_mount()
        self._read()

    @work()
    async def _read(self) -> None:
        try:
            self.query_one(JsonView).show(await asyncio.to_thread(raw_record, self._row.event))
        except EvidenceGone as error:
            self.workspace.say(str(error), severity="warning")
