"""The suppressions: what they hide, until when, and why; extend and lift."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from textual import on, work
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget

from detector.filter.tables import SUPPRESSIONS
from detector.huntlog import Suppression
from detector.short import short_arn
from detector.store import HistoryEntry, StateError
from tui import format, safe
from tui.keymap import TRIAGE, key
from tui.screens.entry import Entry, Line, facts
from tui.screens.forms.confirm import Confirm
from tui.screens.lists import ListScreen
from tui.screens.query_line import QueryLine
from tui.screens.reader import Reader
from tui.widgets.columns import Column
from tui.widgets.row_list import RowList

EMPTY = "Nothing is suppressed.\nx on an alert hides what is like it,\nfor a time; what is hidden is kept."

_STATE_STYLE = {"active": "$text-accent", "expired": "$foreground-muted", "lifted": "$foreground-muted"}


class SuppressionsScreen(ListScreen[Suppression]):
    BINDINGS = [
        key("suppression.extend", "x", "extend", "extend", "Let it hide for longer", TRIAGE, show=True),
        key("suppression.lift", "u", "lift", "lift", "End it now: what it hid comes back", TRIAGE, show=True),
    ]

    fields = SUPPRESSIONS

    def place(self) -> str:
        return "trailhound › Suppressions"

    def reference(self) -> float:
        return self.hunt.now()

    def body(self) -> Iterable[Widget]:
        with Horizontal(classes="halves"):
            yield RowList(self._columns(), key=lambda entry: entry.suppression_id, empty=EMPTY, row_style=self._style)
            with Reader(classes="half"):
                yield Entry(id="entry")
        yield QueryLine()

    def _columns(self) -> tuple[Column[Suppression], ...]:
        return (
            Column("state", "state", 7, self._state, survive=0),
            Column("scope", "scope", 10, lambda entry: entry.scope, survive=4),
            Column("value", "value", 12, lambda entry: short_arn(entry.value), survive=1, flex=True),
            Column("hidden", "hidden", 6, lambda entry: format.count(entry.hidden), align="right", survive=3),
            Column("expires", "ends in", 7, self._ends, align="right", survive=2, field="ends"),
            Column("ticket", "ticket", 9, lambda entry: entry.ticket, survive=5),
            Column("owner", "owner", 8, lambda entry: entry.owner, survive=6),
        )

    def _state(self, entry: Suppression) -> Content:
        state = entry.state(self.hunt.now())
        return Content(state).stylize(_STATE_STYLE[state])

    def _style(self, entry: Suppression) -> str:
        return "" if entry.active(self.hunt.now()) else "$foreground-muted"

    def _ends(self, entry: Suppression) -> str:
        return format.age(entry.expires - self.hunt.now()) if entry.active(self.hunt.now()) else "–"

    def show(self) -> None:
        entries = self.narrowed(self.hunt.picture.suppressions)
        self.row_list.empty = "No suppression matches the filter.\nesc clears it." if self.filter else EMPTY
        self.row_list.show(entries)
        self.refresh_query()
        self._show_entry()

    def show_status(self) -> None:
        """Also what is left of each interval, which grows less."""
        super().show_status()
        self.row_list.show(self.row_list.rows)

    @on(RowList.Highlighted)
    def _show_entry(self) -> None:
        entry = self.row_list.cursor_row
        if entry is None:
            self.query_one(Entry).show([])
        else:
            self._read_history(entry)

    @work(exclusive=True, group="history")
    async def _read_history(self, entry: Suppression) -> None:
        try:
            history = await asyncio.to_thread(self.hunt.store.history, entry.suppression_id)
        except StateError as error:
            self.hunt.say(str(error), severity="error")
            history = []
        self.query_one(Entry).show(self._whole(entry, history))

    def _whole(self, entry: Suppression, history: Sequence[HistoryEntry]) -> list[Line]:
        rule = self.hunt.rules.get(entry.rule_id) if entry.rule_id else None
        return [
            safe.text(short_arn(entry.value), "bold"),
            *facts(
                ("state", entry.state(self.hunt.now())),
                ("scope", entry.scope),
                ("value", entry.value),
                ("rule", (rule.name if rule else entry.rule_id) if entry.rule_id else "all rules"),
                ("made", f"{format.full_time(entry.created)} {entry.author}"),
                ("ends", format.full_time(entry.expires)),
                ("lifted", format.full_time(entry.lifted) if entry.lifted else ""),
                ("hidden", format.plural(entry.hidden, "alert")),
                ("ticket", entry.ticket),
                ("owner", entry.owner),
            ),
            Content(""),
            safe.text(entry.justification, lines=True),
            Content(""),
            *(safe.text(f"{format.full_time(line.at)}  {line.author}  {line.kind}  {line.detail}", "$foreground-muted")
              for line in history),
        ]

    @on(RowList.Opened)
    def action_extend(self) -> None:
        from tui.screens.forms.extend import ExtendForm

        entry = self.row_list.cursor_row
        if entry is None or not self.hunt.may_write():
            return
        if entry.lifted is not None:
            self.hunt.say("It was lifted; suppress again from an alert", severity="warning")
        else:
            self.app.push_screen(ExtendForm(entry))

    def action_lift(self) -> None:
        entries = self._targets()
        if not entries or not self.hunt.may_write():
            return
        what = f"{entries[0].scope} {entries[0].value}" if len(entries) == 1 else \
            format.plural(len(entries), "suppression")
        def answered(yes: bool | None) -> None:
            if yes:
                self._lift(entries)

        self.app.push_screen(Confirm(f"Lift {what}? What it hides comes back into the list.", "lift"), answered)

    def _targets(self) -> list[Suppression]:
        marks = self.row_list.marks or {self.row_list.cursor_key}
        return [entry for entry in self.row_list.rows
                if entry.suppression_id in marks and entry.active(self.hunt.now())]

    @work
    async def _lift(self, entries: Sequence[Suppression]) -> None:
        try:
            for entry in entries:
                await self.hunt.decisions.lift(entry.suppression_id)
        except StateError as error:
            self.hunt.say(str(error), severity="error")
            return
        self.row_list.marks = ()
        self.hunt.say(f"Lifted {format.plural(len(entries), 'suppression')}")
