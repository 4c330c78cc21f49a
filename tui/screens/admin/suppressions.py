"""The suppressions: what they hide, until when, and why."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial

from textual import on
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget

from detector.filter.schemas import SUPPRESSIONS
from detector.store import HistoryEntry, StateError
from detector.text.abbreviations import short_arn
from detector.text.time import DAY, format_age
from detector.triage.suppression import Suppression
from tui.concurrency.worker import work
from tui.keymap import TRIAGE, key, key_of
from tui.model.expiry import parse_expiry
from tui.model.repeat import Action
from tui.presentation import format, safe
from tui.presentation.copy_formats import CopyFormat, suppression_formats
from tui.screens.base.fact_list import FactList, Line, facts
from tui.screens.base.filtered_list import ListScreen
from tui.screens.base.query_line import QueryLine
from tui.screens.base.row_actions import RowActions
from tui.screens.base.text_pane import Reader
from tui.widgets.columns import Column
from tui.widgets.row_list import RowList

_STATE_STYLE = {
    "active": "$text-accent",
    "expired": "$foreground-muted",
    "lifted": "$foreground-muted",
    "undone": "$foreground-muted",
}


class SuppressionsScreen(ListScreen[Suppression]):
    """The list of suppressions, in which suppressions are extended and lifted."""

    BINDINGS = [
        *RowActions.BINDINGS,
        key(
            "suppression.extend",
            "x",
            "extend",
            "extend",
            "Extend",
            TRIAGE,
            show=True,
        ),
        key(
            "suppression.lift",
            "u",
            "lift",
            "end now",
            "End now (hidden alerts reappear)",
            TRIAGE,
            show=True,
        ),
    ]

    area = "suppressions"
    export_title, export_noun = "suppressions", "suppression"
    fields = SUPPRESSIONS

    def __init__(self) -> None:
        super().__init__()
        self.row_actions = RowActions(self, self, "suppression")

    def reference_time(self) -> float:
        return self.workspace.now()

    def compose_body(self) -> Iterable[Widget]:
        with Horizontal(classes="halves"):
            yield RowList(
                self._columns(), key=lambda entry: entry.suppression_id, row_style=self._style
            )
            with Reader(classes="half"):
                yield FactList(id="entry")
        yield QueryLine(self.query_description)

    def _columns(self) -> tuple[Column[Suppression], ...]:
        return (
            Column("state", "state", 7, self._state, drop_priority=0),
            Column("scope", "scope", 10, lambda entry: entry.scope, drop_priority=4),
            Column(
                "value",
                "value",
                12,
                lambda entry: short_arn(entry.value),
                drop_priority=1,
                flex=True,
            ),
            Column(
                "hidden",
                "hidden",
                6,
                lambda entry: format.number(entry.hidden),
                align="right",
                drop_priority=3,
            ),
            Column(
                "expires", "ends in", 7, self._ends, align="right", drop_priority=2, field="ends"
            ),
            Column("ticket", "ticket", 9, lambda entry: entry.ticket, drop_priority=5),
            Column("owner", "owner", 8, lambda entry: entry.owner, drop_priority=6),
        )

    def _state(self, entry: Suppression) -> Content:
        state = entry.state(self.workspace.now())
        return Content(state).stylize(_STATE_STYLE[state])

    def _style(self, entry: Suppression) -> str:
        if entry.active(self.workspace.now()):
            return ""
        return "$foreground-muted"

    def _ends(self, entry: Suppression) -> str:
        now = self.workspace.now()
        if not entry.active(now):
            return "–"
        left = entry.expires - now
        return format_age(left + DAY // 2 if left >= DAY else left)

    def row_id(self, row: Suppression) -> str:
        return row.suppression_id

    def show(self) -> None:
        view_model = self.workspace.view_model
        self.show_rows(view_model.suppressions, _empty(), view_model.loaded)
        self._show_entry()

    def show_status(self) -> None:
        """Redraw the rows too, since they show the time left of each suppression."""
        super().show_status()
        self.row_list.show(self.row_list.rows)

    @on(RowList.Highlighted)
    def _show_entry(self) -> None:
        entry = self.row_list.cursor_row
        if entry is None:
            self.query_one(FactList).show([])
        else:
            self._read_history(entry)

    @work(exclusive=True, group="history")
    async def _read_history(self, entry: Suppression) -> None:
        try:
            history = await asyncio.to_thread(
                self.workspace.store.history.entries, entry.suppression_id
            )
        except StateError as error:
            self.workspace.say(str(error), severity="error")
            history = []
        self.query_one(FactList).show(self._detail_lines(entry, history))

    def _detail_lines(self, entry: Suppression, history: Sequence[HistoryEntry]) -> list[Line]:
        return [
            safe.text(short_arn(entry.value), "bold"),
            *facts(
                ("state", entry.state(self.workspace.now())),
                ("scope", entry.scope),
                ("value", entry.value),
                ("rule", self._rule_name(entry.rule_id)),
                ("created", f"{format.full_time(entry.created)} {entry.author}"),
                ("ends", format.full_time(entry.expires)),
                ("lifted", format.full_time(entry.lifted) if entry.lifted else ""),
                ("undone", format.full_time(entry.undone) if entry.undone else ""),
                ("hidden", format.plural(entry.hidden, "alert")),
                ("ticket", entry.ticket),
                ("owner", entry.owner),
            ),
            Content(""),
            safe.text(entry.justification, lines=True),
            Content(""),
            *(
                safe.text(
                    f"{format.full_time(line.time)}  {line.author}  {line.kind}  {line.detail}",
                    "$foreground-muted",
                )
                for line in history
            ),
        ]

    def _rule_name(self, rule_id: str | None) -> str:
        if not rule_id:
            return "all rules"
        rule = self.workspace.rules.get(rule_id)
        if rule:
            return rule.name
        return rule_id

    @on(RowList.Opened)
    async def action_extend(self) -> None:
        await self.row_actions.run(Action("extend", self._ask_how_long))

    async def _ask_how_long(self, entries: Sequence[Suppression]) -> None:
        decidable = self._decidable(entries)
        if not decidable:
            return

        def saved(span: str) -> None:
            self.row_actions.done(
                Action(f"extend for {span}", partial(self._extend, span)), decidable
            )

        self.workspace.routes.extend_suppressions(decidable, saved)

    async def _extend(self, span: str, entries: Sequence[Suppression]) -> str | None:
        decidable = self._decidable(entries)
        if not decidable:
            return None
        expires = parse_expiry(span, self.workspace.now())
        await self.workspace.decisions.extend(decidable, expires)
        return f"Extended {_name(decidable)} until {format.full_time(expires)}"

    def copy_formats_of(self, rows: Sequence[Suppression]) -> Sequence[CopyFormat]:
        return suppression_formats(rows)

    async def action_lift(self) -> None:
        await self.row_actions.run(Action("end now", self._lift))

    async def _lift(self, entries: Sequence[Suppression]) -> str | None:
        decidable = self._decidable(entries)
        if not decidable:
            return None
        await self.workspace.decisions.lift(decidable)
        return f"Ended {_name(decidable)} – its alerts are visible again"

    def _decidable(self, entries: Sequence[Suppression]) -> list[Suppression]:
        """Return the suppressions that have not ended; warn the analyst if there are none."""
        decidable = [entry for entry in entries if not entry.over]
        if not decidable:
            self.workspace.say(
                f"It was {entries[0].over} already; create a new suppression from an alert",
                severity="warning",
            )
        return decidable


def _name(entries: Sequence[Suppression]) -> str:
    if len(entries) > 1:
        return format.plural(len(entries), "suppression")
    return f"the suppression of {entries[0].scope} {short_arn(entries[0].value)}"


def _empty() -> str:
    return (
        f"No suppressions.\n{key_of('alert.suppress')} on an alert hides similar alerts\n"
        "for a limited time; hidden alerts are kept."
    )
