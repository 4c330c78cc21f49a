"""One hunt: what it is about, its queries and its findings."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Sequence

from textual import on
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget

from detector.delivery.hunt_export import hunt_file_text, hunt_report
from detector.detection.indicator import IndicatorList, known_indicator
from detector.investigation.pivot import EventRow
from detector.store import HistoryEntry, StateError
from detector.text.json_output import json_lines
from detector.text.visible import visible
from detector.triage.hunt_record import HuntFinding, HuntRecord, hunt_object
from tui.concurrency.worker import work
from tui.keymap import MOVE, OUT, TRIAGE, key
from tui.model.workspace import ExportChoice
from tui.presentation import format
from tui.presentation.copy_formats import CopyFormat, json_format, value_formats
from tui.screens.base.copy_actions import CopyActions
from tui.screens.base.fact_list import FactList, Line
from tui.screens.base.screen import HuntScreen, breadcrumbs
from tui.screens.base.text_pane import Reader
from tui.screens.hunts.hunt_keys import DECISION_KEYS
from tui.screens.hunts.rows import (
    ITEM_COLUMNS,
    HuntItem,
    finding_lines,
    hunt_lines,
    items_of,
    log_lines,
    query_lines,
)
from tui.widgets.line import CellContent
from tui.widgets.row_list import RowList


class HuntRecordScreen(HuntScreen):
    """A hunt; from here, its queries are run and its findings opened."""

    BINDINGS = [
        key(
            "hunt.query",
            "plus",
            "new_query",
            "new query",
            "Write a query",
            TRIAGE,
            show=True,
        ),
        *DECISION_KEYS,
        key("hunt.remove", "x", "remove", "remove", "Remove the query or finding", TRIAGE),
        key(
            "hunt.report",
            "w",
            "report",
            "report",
            "Export the hunt as one report, or its queries as a hunt file",
            OUT,
            show=True,
        ),
        key(
            "focus.next",
            "tab",
            "app.focus_next",
            "next pane",
            "Switch between list and details",
            MOVE,
        ),
        key("focus.previous", "shift+tab", "app.focus_previous", "previous pane", "Back", MOVE),
        *CopyActions.BINDINGS,
    ]

    AUTO_FOCUS = "RowList"

    def __init__(self, hunt_id: str) -> None:
        super().__init__()
        self._hunt_id = hunt_id
        self._entries: Sequence[HistoryEntry] = ()
        self._logged: HuntRecord | None = None
        self.copying = CopyActions(self, self._copy_formats)

    @property
    def hunt(self) -> HuntRecord | None:
        """The current state of the hunt; None if its creation was undone."""
        return self.workspace.view_model.hunt(self._hunt_id)

    def screen_title(self) -> CellContent:
        name = self.hunt.name if self.hunt is not None else self._hunt_id
        return breadcrumbs(("Hunts", name), self.size.width)

    def title_items(self) -> Sequence[CellContent]:
        hunt = self.hunt
        if hunt is None:
            return ()
        counts = (
            f"{format.plural(len(hunt.queries), 'query')}, "
            f"{format.plural(len(hunt.findings), 'finding')}"
        )
        return (Content(hunt.state), Content(counts))

    def compose_body(self) -> Iterable[Widget]:
        with Horizontal(classes="halves"):
            yield RowList(ITEM_COLUMNS, key=lambda item: item.part, marking=False)
            with Reader(classes="half"):
                yield FactList(id="entry")

    @property
    def _item(self) -> HuntItem | None:
        item: HuntItem | None = self.query_one(RowList).cursor_row
        return item

    def show(self) -> None:
        hunt, rows = self.hunt, self.query_one(RowList)
        rows.empty = "The beginning of this hunt was undone."
        rows.show(items_of(hunt) if hunt is not None else [])
        self._show_item()
        if hunt is not None and hunt != self._logged:
            self._logged = hunt
            self._read_log()

    @work(exclusive=True, group="hunt-log")
    async def _read_log(self) -> None:
        store = self.workspace.store
        try:
            self._entries = await asyncio.to_thread(store.history.entries, self._hunt_id)
        except StateError as error:
            self.workspace.say(str(error), severity="error")
            return
        self._show_item()

    @on(RowList.Highlighted)
    def _show_item(self) -> None:
        item, lines = self._item, list[Line]()
        if item is not None and item.query is not None:
            lines = query_lines(item.query, item.hunt.run_of(item.query.query_id))
        elif item is not None and item.finding is not None:
            lines = finding_lines(item.finding)
        elif item is not None:
            lines = [*hunt_lines(item.hunt), *log_lines(self._entries)]
        self.query_one(FactList).show(lines)

    # --- actions

    @on(RowList.Opened)
    def _open(self) -> None:
        item = self._item
        if item is None:
            return
        if item.query is not None:
            self.workspace.routes.open_hunt_query(self._hunt_id, item.query)
        elif item.finding is not None:
            self._open_finding(item.finding)
        else:
            self.query_one(Reader).focus()

    def _open_finding(self, finding: HuntFinding) -> None:
        routes, trail = self.workspace.routes, ("Hunts", finding.title)
        if finding.event is not None:
            routes.open_record(trail, EventRow(finding.event, (), False))
        elif finding.kind == "alert":
            alert = self.workspace.view_model.current(finding.subject)
            if alert is None:
                self.workspace.say(
                    "Alert no longer in the database; the hunt keeps a snapshot",
                    severity="warning",
                )
            else:
                routes.open_alert(alert.alert_id, [alert.alert_id])
        else:
            self._open_principal(finding)

    def _open_principal(self, finding: HuntFinding) -> None:
        indicator = known_indicator(finding.subject)
        if indicator is None:
            self.workspace.say("Its events are on Principals", severity="warning")
        else:
            self.workspace.routes.open_indicators(IndicatorList((indicator,)))

    def action_new_query(self) -> None:
        if self.hunt is not None and self.workspace.may_write():
            self.workspace.routes.open_hunt_query(self._hunt_id, None)

    def action_edit(self) -> None:
        if self.hunt is not None and self.workspace.may_write():
            self.workspace.routes.edit_hunt(self.hunt)

    def action_conclude(self) -> None:
        if self.hunt is not None and self.workspace.may_write():
            self.workspace.routes.conclude_hunt(self.hunt)

    async def action_reopen(self) -> None:
        hunt = self.hunt
        if hunt is None or hunt.is_open:
            self.workspace.say("Open already")
            return
        await self._decide("Reopened the hunt", self.workspace.decisions.hunts.reopen([hunt]))

    async def action_remove(self) -> None:
        item = self._item
        if item is None or item.part == "hunt":
            self.workspace.say("Choose a query or a finding to remove")
            return
        removed = self.workspace.decisions.hunts.remove(item.hunt, [item.part])
        await self._decide(f"Removed the {item.kind}", removed)

    async def _decide(self, done: str, decision: Coroutine[object, object, None]) -> None:
        if not self.workspace.may_write():
            decision.close()
            return
        try:
            await decision
        except (StateError, ValueError) as error:
            self.workspace.say(str(error), severity="error")
        else:
            self.workspace.say(f"{done}; {self.workspace.decisions.way_back}")

    # --- output

    def action_report(self) -> None:
        hunt = self.hunt
        if hunt is not None:
            self.workspace.routes.export_rows(self._report_choice(), {"this hunt": [hunt]})

    def _report_choice(self) -> ExportChoice:
        entries, now = self._entries, self.workspace.now()

        def text(hunts: Sequence[HuntRecord], kind: str) -> str:
            if kind == "jsonl":
                return json_lines(map(hunt_object, hunts))
            if kind == "toml":
                return "".join(map(hunt_file_text, hunts))
            return "".join(hunt_report(hunt, entries, now) for hunt in hunts)

        return ExportChoice("the hunt", "hunt", "hunt", ("md", "jsonl", "toml"), text)

    def _copy_formats(self) -> Sequence[CopyFormat]:
        item = self._item
        if item is None:
            return []
        if item.query is not None:
            text = item.query.text
            return [CopyFormat("y", "query", lambda: visible(text, len(text), lines=True))]
        if item.finding is not None:
            return value_formats("y", "ID", [item.finding.subject])
        return [json_format([hunt_object(item.hunt)]), *value_formats("n", "name", [item.name])]
