"""The hunts, open ones first, with the details of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual import on
from textual.binding import Binding
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget

from detector.delivery.hunt_export import HUNT_EXPORT
from detector.filter.hunt_schema import HUNTS
from detector.triage.hunt_record import HuntRecord, hunt_object
from tui.keymap import TRIAGE, key, key_of
from tui.model.export_choices import list_choice
from tui.model.repeat import Action
from tui.model.workspace import ExportChoice
from tui.presentation import format
from tui.presentation.copy_formats import CopyFormat, json_format, value_formats
from tui.screens.base.fact_list import FactList
from tui.screens.base.filtered_list import ListScreen
from tui.screens.base.query_line import QueryLine
from tui.screens.base.row_actions import RowActions
from tui.screens.base.text_pane import Reader
from tui.screens.hunts.hunt_keys import DECISION_KEYS
from tui.screens.hunts.rows import hunt_lines, last_run_phrase
from tui.widgets.columns import Column
from tui.widgets.row_list import RowList

_STATE_STYLE = {"open": "$text-accent", "concluded": "$foreground-muted"}


class HuntsScreen(ListScreen[HuntRecord]):
    """The list of hunts; from here, a hunt is opened, begun or concluded."""

    BINDINGS = [
        *RowActions.BINDINGS,
        key("hunt.begin", "plus", "begin", "new hunt", "Begin a hunt", TRIAGE, show=True),
        *DECISION_KEYS,
    ]

    area = "hunts"
    fields = HUNTS

    def __init__(self) -> None:
        super().__init__()
        self.row_actions = RowActions(self, self, "hunt")

    def reference_time(self) -> float:
        return self.workspace.now()

    def compose_body(self) -> Iterable[Widget]:
        with Horizontal(classes="halves"):
            yield RowList(_COLUMNS, key=self.row_id, row_style=_style)
            with Reader(classes="half"):
                yield FactList(id="entry")
        yield QueryLine(self.query_description)

    def applies(self, binding: Binding) -> bool:
        return binding.id == "hunt.begin" or super().applies(binding)

    def row_id(self, row: HuntRecord) -> str:
        return row.hunt_id

    def export_choice(self) -> ExportChoice:
        return list_choice(HUNT_EXPORT, "hunts", "hunts")

    def copy_formats_of(self, rows: Sequence[HuntRecord]) -> Sequence[CopyFormat]:
        return [
            json_format(map(hunt_object, rows)),
            *value_formats("n", "name", [row.name for row in rows]),
            *value_formats("i", "hunt ID", [row.hunt_id for row in rows]),
        ]

    def show(self) -> None:
        self.row_list.empty = self.nothing_matches() if self.filter else _empty()
        self.row_list.show(self.matching(self.workspace.view_model.hunts))
        if self.workspace.view_model.loaded:
            self.rows_loaded()
        self.query_line.show_idle()
        self._show_entry()

    @on(RowList.Highlighted)
    def _show_entry(self) -> None:
        row = self.row_list.cursor_row
        self.query_one(FactList).show(hunt_lines(row) if row is not None else [])

    @on(RowList.Opened)
    def _open(self) -> None:
        row = self.row_list.cursor_row
        if row is not None:
            self.workspace.routes.open_hunt(row.hunt_id)

    def action_begin(self) -> None:
        if self.workspace.may_write():
            routes = self.workspace.routes
            routes.begin_hunt(lambda hunt: routes.open_hunt(hunt.hunt_id))

    def action_edit(self) -> None:
        row = self.row_list.cursor_row
        if row is not None and self.workspace.may_write():
            self.workspace.routes.edit_hunt(row)

    def action_conclude(self) -> None:
        row = self.row_list.cursor_row
        if row is not None and self.workspace.may_write():
            self.workspace.routes.conclude_hunt(row)

    async def action_reopen(self) -> None:
        await self.row_actions.run(Action("reopen", self._reopen))

    async def _reopen(self, rows: Sequence[HuntRecord]) -> str | None:
        concluded = [row for row in rows if not row.is_open]
        if not concluded:
            self.workspace.say("Open already")
            return None
        await self.workspace.decisions.hunts.reopen(concluded)
        return f"Reopened {format.plural(len(concluded), 'hunt')}"


def _state(row: HuntRecord) -> Content:
    return Content(row.state).stylize(_STATE_STYLE[row.state])


def _style(row: HuntRecord) -> str:
    return "" if row.is_open else "$foreground-muted"


_COLUMNS: tuple[Column[HuntRecord], ...] = (
    Column("state", "state", 9, _state, drop_priority=3),
    Column("name", "name", 14, lambda row: row.name, drop_priority=0, flex=True),
    Column(
        "queries",
        "queries",
        7,
        lambda row: format.number(len(row.queries)),
        align="right",
        drop_priority=5,
    ),
    Column(
        "findings",
        "findings",
        8,
        lambda row: format.number(len(row.findings)),
        align="right",
        drop_priority=1,
    ),
    Column("run", "last run", 22, last_run_phrase, drop_priority=7),
    Column("changed", "changed", 11, lambda row: format.date_minute(row.changed), drop_priority=4),
    Column("by", "by", 8, lambda row: row.changed_by, drop_priority=6),
)


def _empty() -> str:
    return (
        f"No hunts.\n{key_of('hunt.begin')} begins one: a hypothesis to test.\n"
        f"{key_of('attach')} on an alert, principal or event\nattaches it to one."
    )
