"""The watches: indicators that are watched for, and their sightings."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from textual import on
from textual.binding import Binding
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget

from detector.delivery.watch_export import WATCH_EXPORT
from detector.detection.indicator import IndicatorList
from detector.filter.watch_schema import WATCHES
from detector.store import StateError
from detector.text.abbreviations import short_arn
from detector.triage.watch import Sighting, WatchRow
from tui.concurrency.worker import work
from tui.keymap import OPEN, TRIAGE, key, key_of
from tui.model.export_choices import list_choice
from tui.model.repeat import Action
from tui.model.workspace import ExportChoice
from tui.presentation import format, safe
from tui.presentation.copy_formats import CopyFormat, value_formats
from tui.screens.base.fact_list import FactList, Line, facts
from tui.screens.base.filtered_list import ListScreen
from tui.screens.base.query_line import QueryLine
from tui.screens.base.row_actions import RowActions
from tui.screens.base.text_pane import Reader
from tui.widgets.columns import Column
from tui.widgets.row_list import RowList

_STATE_STYLE = {
    "seen": "$text-warning",
    "waiting": "$text-accent",
    "lifted": "$foreground-muted",
    "undone": "$foreground-muted",
}
_SIGHTINGS_SHOWN = 100


class WatchesScreen(ListScreen[WatchRow]):
    """The list of watches, in which watches are acknowledged and lifted."""

    BINDINGS = [
        *RowActions.BINDINGS,
        key(
            "watch.acknowledge",
            "a",
            "acknowledge",
            "ack",
            "Acknowledge what was seen so far",
            TRIAGE,
            show=True,
        ),
        key(
            "watch.lift", "u", "lift", "end now", "End now (what was seen stays)", TRIAGE, show=True
        ),
        key(
            "watch.add",
            "I",
            "indicators",
            "add",
            "Watch for a list of addresses, networks, keys, ARNs, accounts, event ids",
            TRIAGE,
            show=True,
        ),
        key(
            "watch.events",
            "p",
            "events",
            "events",
            "All its events, from the logs",
            OPEN,
            show=True,
        ),
    ]

    area = "watches"
    fields = WATCHES

    def __init__(self) -> None:
        super().__init__()
        self.row_actions = RowActions(self, self, "watch")

    def compose_body(self) -> Iterable[Widget]:
        with Horizontal(classes="halves"):
            yield RowList(self._columns(), key=self.row_id, row_style=_style)
            with Reader(classes="half"):
                yield FactList(id="entry")
        yield QueryLine(self.query_description)

    def _columns(self) -> tuple[Column[WatchRow], ...]:
        return (
            Column("state", "state", 7, _state, drop_priority=0),
            Column("kind", "kind", 7, lambda row: row.watch.indicator.kind, drop_priority=5),
            Column(
                "value",
                "watched for",
                12,
                lambda row: short_arn(row.watch.indicator.text),
                drop_priority=1,
                flex=True,
            ),
            Column("new", "new", 5, _new, align="right", drop_priority=2),
            Column(
                "seen",
                "seen",
                6,
                lambda row: format.number(row.sightings),
                align="right",
                drop_priority=4,
            ),
            Column("last", "last", 11, _last, drop_priority=3),
            Column("label", "label", 10, lambda row: row.watch.label, drop_priority=6),
        )

    def applies(self, binding: Binding) -> bool:
        return binding.id == "watch.add" or super().applies(binding)

    def row_id(self, row: WatchRow) -> str:
        return row.watch.watch_id

    def export_choice(self) -> ExportChoice:
        return list_choice(WATCH_EXPORT, "watches", "watches")

    def copy_formats_of(self, rows: Sequence[WatchRow]) -> Sequence[CopyFormat]:
        return value_formats("v", "value", [row.watch.indicator.text for row in rows])

    def show(self) -> None:
        view_model = self.workspace.view_model
        self.show_rows(view_model.watches, _empty(), view_model.loaded)
        self._show_entry()

    @on(RowList.Highlighted)
    def _show_entry(self) -> None:
        row = self.row_list.cursor_row
        if row is None:
            self.query_one(FactList).show([])
        else:
            self._read_sightings(row)

    @work(exclusive=True, group="sightings")
    async def _read_sightings(self, row: WatchRow) -> None:
        watches = self.workspace.store.watches
        try:
            sightings = await asyncio.to_thread(watches.sightings, row.watch.watch_id)
        except StateError as error:
            self.workspace.say(str(error), severity="error")
            return
        self.query_one(FactList).show(_detail_lines(row, sightings))

    async def action_acknowledge(self) -> None:
        await self.row_actions.run(Action("acknowledge", self._acknowledge))

    async def _acknowledge(self, rows: Sequence[WatchRow]) -> str | None:
        if not any(row.new for row in rows):
            self.workspace.say("Nothing new was seen")
            return None
        await self.workspace.decisions.acknowledge_watches(rows)
        return f"Acknowledged {_name(rows)}"

    async def action_lift(self) -> None:
        await self.row_actions.run(Action("end now", self._lift))

    async def _lift(self, rows: Sequence[WatchRow]) -> str | None:
        active = [row for row in rows if row.watch.active]
        if not active:
            self.workspace.say("It has ended already", severity="warning")
            return None
        await self.workspace.decisions.lift_watches(active)
        return f"Ended {_name(active)}"

    def action_indicators(self) -> None:
        if self.workspace.may_write():
            self.workspace.routes.ask_indicators(self._add, "Watch for indicators")

    @work(group="watch")
    async def _add(self, indicators: IndicatorList) -> None:
        try:
            created = await self.workspace.decisions.watch(indicators.indicators)
        except StateError as error:
            self.workspace.say(str(error), severity="error")
            return
        way_back = self.workspace.decisions.way_back
        said = format.plural(len(created), "indicator")
        self.workspace.say(f"Watching for {said} from now on; {way_back}")

    @on(RowList.Opened)
    def action_events(self) -> None:
        rows = self.targets()
        if rows:
            wanted = IndicatorList(tuple(row.watch.indicator for row in rows))
            self.workspace.routes.open_indicators(wanted)


def _state(row: WatchRow) -> Content:
    return Content(row.state).stylize(_STATE_STYLE[row.state])


def _style(row: WatchRow) -> str:
    return "" if row.watch.active else "$foreground-muted"


def _new(row: WatchRow) -> str:
    return format.number(row.new) if row.new else "·"


def _last(row: WatchRow) -> str:
    return format.date_minute(row.latest.time) if row.latest else "–"


def _detail_lines(row: WatchRow, sightings: Sequence[Sighting]) -> list[Line]:
    watch = row.watch
    lines: list[Line] = [
        safe.text(short_arn(watch.indicator.text), "bold"),
        *facts(
            ("state", row.state),
            (watch.indicator.kind, watch.indicator.text),
            ("label", watch.label),
            ("created", f"{format.full_time(watch.created)} {watch.author}"),
            ("lifted", format.full_time(watch.lifted) if watch.lifted else ""),
            ("seen", f"{row.count} since then, {row.new:,} not acknowledged"),
        ),
        Content(""),
    ]
    for each in sightings[:_SIGHTINGS_SHOWN]:
        caller, outcome = short_arn(each.caller), each.error or "ok"
        lines.append(
            safe.text(
                f"{format.date_time(each.time)}  {each.action}  {outcome}  {caller}  "
                f"{each.region}  {each.address}"
            )
        )
    if len(sightings) > _SIGHTINGS_SHOWN:
        lines.append(safe.text(f"{len(sightings) - _SIGHTINGS_SHOWN:,} more", "$foreground-muted"))
    if not sightings:
        lines.append(safe.text("not seen since it was made", "$foreground-muted"))
    return lines


def _name(rows: Sequence[WatchRow]) -> str:
    if len(rows) > 1:
        return format.plural(len(rows), "watch")
    indicator = rows[0].watch.indicator
    return f"{indicator.kind} {short_arn(indicator.text)}"


def _empty() -> str:
    return (
        f"No watches.\n{key_of('watch')} on a principal, event or alert watches for it;\n"
        f"{key_of('watch.add')} watches for a list of indicators."
    )
