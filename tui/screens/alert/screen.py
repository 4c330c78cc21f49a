"""One alert: why it fired, where and when, its calls, its fields, the raw records, the rule's guide, its notes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from textual import on
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import ContentSwitcher, Markdown

from detector.detection.alert import Alert
from detector.detection.correlate import flagging_events
from detector.detection.event import Event
from detector.investigation.guide import Answer
from detector.investigation.pivot import Pivot
from detector.investigation.raw_record import EvidenceGone, raw_record
from detector.store import StateError
from tui.concurrency.worker import work
from tui.keymap import MOVE, OPEN, OUT, key, key_of
from tui.presentation import format, safe
from tui.presentation.calls import event_key
from tui.presentation.copy_formats import CopyFormat, alert_formats, event_formats, line_format
from tui.presentation.severity import severity_content
from tui.screens.alert.guide_pane import GuidePane
from tui.screens.alert.heat_strip_pane import AlertStrip
from tui.screens.alert.panes import FieldRow, call_columns, field_columns, field_rows, summary
from tui.screens.base.alert_actions import TriageScreen
from tui.screens.base.fact_list import FactList, Line
from tui.screens.base.note_text import note_lines
from tui.screens.base.pane_tabs import PaneBar
from tui.screens.base.query_line import QueryLine
from tui.screens.base.screen import WIDE
from tui.screens.base.search import SearchScreen
from tui.screens.base.text_pane import Reader
from tui.widgets.charts.heat_strip import HeatStrip
from tui.widgets.json_view import JsonView
from tui.widgets.line import CellContent
from tui.widgets.row_list import RowList
from tui.widgets.wrapped_text import WrappedText

_AROUND = 1
"""Lines of the strip beside its regions."""

_FIELDS_BETWEEN = 9
"""Cells of the fields' list that neither name nor value has."""

PANES = ("calls", "fields", "raw", "guide", "rule", "notes")
_FOCUSED = {"guide": "questions"}
"""What has the focus in a pane that is more than one thing."""


class AlertScreen(TriageScreen, SearchScreen):
    """The alert of ``alert_id``, with ``pane`` in front; ``order`` are the ids before and after it,
    and ``moved`` hears of every step."""

    AUTO_FOCUS = "#calls"

    BINDINGS = [
        key(
            "alert.next",
            "J",
            "step(1)",
            "next alert",
            "Go to the next alert without going back",
            MOVE,
            show=True,
        ),
        key(
            "alert.previous",
            "K",
            "step(-1)",
            "previous alert",
            "Go to the previous alert without going back",
            MOVE,
        ),
        key(
            "pane.next",
            "tab",
            "pane(1)",
            "next pane",
            "Calls, fields, raw record, guide, rule, notes",
            MOVE,
            show=True,
        ),
        key("pane.previous", "shift+tab", "pane(-1)", "previous pane", "The pane before", MOVE),
        key(
            "pane.raw",
            "r",
            "raw",
            "raw",
            "The raw record of the call under the cursor, and back",
            OPEN,
            show=True,
        ),
        key(
            "strip.focus",
            "i",
            "strip",
            "time strip",
            "Move in regions and time, and back to the pane",
            MOVE,
            show=True,
        ),
        key("pane.zoom", "plus", "zoom", "zoom", "Give the pane the whole screen, and back", OPEN),
        key(
            "board", "b", "board", "regions", "The regions by geography: how many, how usual", OPEN
        ),
        key("alert.export", "w", "export", "export", "Write this alert's notes to a file", OUT),
    ]

    def __init__(
        self,
        alert_id: str,
        order: Sequence[str],
        moved: Callable[[str], object] | None = None,
        pane: str = "calls",
    ) -> None:
        super().__init__()
        self._alert_id = alert_id
        self._order = tuple(order)
        self._moved = moved
        self._first_pane = pane if pane in PANES else "calls"
        self._shown: Alert | None = None
        self._events: list[Event] = []
        self._unfolded: set[str] = set()
        self._raw_of: str | None = None
        self._guide_of: str | None = None

    @property
    def alert(self) -> Alert | None:
        return self.workspace.view_model.current(self._alert_id) or self._shown

    @property
    def pane(self) -> str:
        """The pane in front."""
        return self.query_one(PaneBar).front

    def on_mount(self) -> None:
        super().on_mount()
        if self._first_pane != "calls":
            self.call_after_refresh(self._front, self._first_pane)

    # --- what is shown

    def compose_body(self) -> Iterable[Widget]:
        yield WrappedText(Content(""), id="why")
        with Horizontal(id="sight"):
            yield AlertStrip()
            yield FactList(id="summary")
        yield PaneBar(PANES)
        with ContentSwitcher(initial="calls"):
            yield RowList(
                call_columns(self._first_call),
                key=event_key,
                empty="Reading the calls …",
                id="calls",
                marking=False,
            )
            yield RowList(
                field_columns(self._field_cells),
                key=lambda row: row.key,
                id="fields",
                marking=False,
                empty="The rule returned no fields.",
            )
            yield JsonView(id="raw")
            yield GuidePane(id="guide")
            with Reader(id="rule"):
                yield Markdown("", open_links=False)
            with Reader(id="notes"):
                yield FactList(id="written")
        yield QueryLine()

    def screen_title(self) -> CellContent:
        alert = self.alert
        if alert is None:
            return "Alerts"
        start, end = alert.shown_extent
        when = format.compact_range(start, end if self.size.width >= WIDE else None)
        return Content.assemble("Alerts › ", safe.text(format.principal(alert)), f"  {when}")

    def _first_call(self) -> float:
        return self.alert.first_event if self.alert else 0

    def status_items(self) -> Sequence[CellContent]:
        alert = self.alert
        if alert is None:
            return super().status_items()
        standing = [
            alert.status,
            "settled" if alert.settled else "provisional",
            f"revision {alert.revision}" if alert.revision > 1 else "",
            "suppressed" if alert.suppressed_by else "",
        ]
        risk = Content.assemble(
            severity_content(alert.severity),
            f" {alert.score} · ",
            " · ".join(filter(None, standing)),
        )
        at = self._order.index(self._alert_id) + 1 if self._alert_id in self._order else 0
        count = Content(f"{at} of {len(self._order)}" if at else "").stylize("$foreground-muted")
        return risk, count, self.live_state()

    def show(self) -> None:
        alert = self.alert
        if alert is None:
            return
        if alert.alert_id != self._alert_id:
            self.workspace.say(
                f"Late data joined this alert into another, which is shown now (revision {alert.revision})"
            )
            self._order = tuple(
                alert.alert_id if known == self._alert_id else known for known in self._order
            )
            self._alert_id = alert.alert_id
        before, self._shown = self._shown, alert
        self._show_notes(alert)
        if before is alert:
            return
        rule = self.workspace.rules.get(alert.rule.id)
        self._say_why(alert)
        self.query_one("#summary", FactList).show(summary(alert))
        self._show_fields()
        self.query_one(GuidePane).ask(
            self.workspace.store, alert, rule, flagging_events(self.workspace.rules)
        )
        if before is None or (before.alert_id, before.event_ids) != (
            alert.alert_id,
            alert.event_ids,
        ):
            self._read_events(alert)
        if alert.rule.id != self._guide_of:
            self._guide_of = alert.rule.id
            guide = (
                (rule.note or "This rule has no guide.")
                if rule
                else "The rule of this alert is not loaded."
            )
            self.query_one(Markdown).update(safe.visible(guide, len(guide), lines=True))

    def redraw(self) -> None:
        self._shown = None
        super().redraw()

    @on(GuidePane.Asked)
    def _asked(self, event: GuidePane.Asked) -> None:
        self._say_why(event.alert, event.signals)

    def _say_why(
        self, alert: Alert, signals: Mapping[str, Sequence[Event]] = MappingProxyType({})
    ) -> None:
        why = format.why(alert, self.workspace.rules.get(alert.rule.id), signals)
        self.query_one(WrappedText).update(safe.text(why))

    @on(GuidePane.Failed)
    def _not_asked(self, event: GuidePane.Failed) -> None:
        self.workspace.say(event.reason, severity="error")

    @on(RowList.Opened, "#questions")
    def _question_opened(self, event: RowList.Opened) -> None:
        answer: Answer = event.row
        if answer.pivot is None:
            self.workspace.say(
                f"{answer.question} {answer.detail}: no other calls stand behind this"
            )
        elif self.alert is not None:
            trail = ("Alerts", format.principal(self.alert))
            self.workspace.routes.open_pivot(trail, self.alert, answer.pivot)

    def _show_notes(self, alert: Alert) -> None:
        notes = self.workspace.view_model.notes_of(alert)
        self.query_one(PaneBar).counts = {"calls": alert.event_count, "notes": len(notes)}
        lines: list[Line] = [line for note in notes for line in (*note_lines(note), Content(""))]
        none = Content.styled(
            f"No notes on this alert yet.\n{key_of('alert.comment')} writes one, "
            f"{key_of('alert.escalate')} escalates it.",
            "$foreground-muted",
        )
        self.query_one("#written", FactList).show(lines or [none])

    def _show_fields(self) -> None:
        if self.alert is not None:
            rule = self.workspace.rules.get(self.alert.rule.id)
            rows = field_rows(self.alert, rule, self._unfolded, self._field_cells())
            self.query_one("#fields", RowList).show(list(rows))

    def _field_cells(self) -> int:
        """The cells that a field's name has, and its value too."""
        return (self.query_one("#fields").content_size.width - _FIELDS_BETWEEN) // 2

    def on_resize(self) -> None:
        self.call_after_refresh(self._show_fields)

    @work(exclusive=True, group="events")
    async def _read_events(self, alert: Alert) -> None:
        try:
            events = await asyncio.to_thread(self.workspace.store.alerts.events, alert.alert_id)
        except StateError as error:
            self.workspace.say(str(error), severity="error")
            return
        self._events = events
        calls = self.query_one("#calls", RowList)
        calls.empty = "The state holds no calls of this alert."
        calls.show(events)
        self.query_one(AlertStrip).show(alert, events)
        self.query_one("#sight").styles.height = len({event.region for event in events}) + _AROUND
        self._call_highlighted()

    # --- strip, calls and raw record belong together

    @on(HeatStrip.CellHighlighted)
    @on(HeatStrip.CellOpened)
    def _cell(self, event: HeatStrip.CellHighlighted | HeatStrip.CellOpened) -> None:
        call = next(
            (
                call
                for call in self._events
                if call.region == event.region and event.start <= call.time < event.end
            ),
            None,
        )
        if call is not None:
            self.query_one("#calls", RowList).move_to(event_key(call))
        if isinstance(event, HeatStrip.CellOpened):
            if call is not None:
                self._front("calls")
            else:
                middle = (event.start + event.end) // 2
                self.open_pivot(
                    lambda _, lineage: Pivot(
                        "its principal", lineage, event.start, event.end, middle
                    )
                )

    @on(RowList.Highlighted, "#calls")
    def _call_highlighted(self) -> None:
        strip, call = self.query_one(AlertStrip), self._call
        if call is not None and not strip.has_focus:
            strip.select(call.region, call.time)
        if self.query_one(PaneBar).front == "raw":
            self._show_raw()

    @property
    def _call(self) -> Event | None:
        row: Event | None = self.query_one("#calls", RowList).cursor_row
        return row

    def _show_raw(self) -> None:
        call = self._call
        if call is not None and event_key(call) != self._raw_of:
            self._raw_of = event_key(call)
            self._read_raw(call)

    @work(exclusive=True, group="raw")
    async def _read_raw(self, call: Event) -> None:
        view = self.query_one(JsonView)
        try:
            view.show(await asyncio.to_thread(raw_record, call))
        except EvidenceGone as error:
            view.show(None, empty=str(error))

    @on(RowList.Opened, "#calls")
    def _call_opened(self) -> None:
        self._front("raw")

    @on(RowList.Opened, "#fields")
    def _fold(self, event: RowList.Opened) -> None:
        row: FieldRow = event.row
        self._unfolded ^= {row.name}
        fields = self.query_one("#fields", RowList)
        self._show_fields()
        fields.move_to(row.name)

    # --- what is done

    def targets(self) -> list[Alert]:
        return [self.alert] if self.alert else []

    def copy_formats(self) -> Sequence[CopyFormat]:
        """In front of the calls and their records what the call gives, and then what only the alert
        has."""
        call = self._call if self.query_one(PaneBar).front in ("calls", "raw") else None
        found = (
            [line_format([self.query_one("#calls", RowList).line(call)]), *event_formats([call])]
            if call
            else []
        )
        known = {each.letter for each in found}
        return [
            *found,
            *(each for each in alert_formats(self.targets()) if each.letter not in known),
        ]

    def at_cursor(self) -> Alert | None:
        return self.alert

    def advance(self) -> bool:
        before = self._alert_id
        self.action_step(1)
        return self._alert_id != before

    def searched_list(self) -> RowList[Any]:
        return self.query_one(
            "#fields" if self.query_one(PaneBar).front == "fields" else "#calls", RowList
        )

    def action_find(self) -> None:
        if self.query_one(PaneBar).front not in ("calls", "fields"):
            self._front("calls")
        super().action_find()

    def action_step(self, step: int) -> None:
        place = self._order.index(self._alert_id) if self._alert_id in self._order else 0
        ahead = (
            self._order[place + step :]
            if step > 0
            else self._order[place + step :: -1]
            if place
            else ()
        )
        following = next(
            (known for known in ahead if known in self.workspace.view_model.alerts), None
        )
        if following is None:
            self.workspace.say("This is the last alert" if step > 0 else "This is the first alert")
            return
        self._alert_id, self._shown, self._raw_of = following, None, None
        if self._moved is not None:
            self._moved(following)
        self._changed()

    def action_pane(self, step: int) -> None:
        self._front(self.query_one(PaneBar).beside(step))

    def action_raw(self) -> None:
        self._front("calls" if self.query_one(PaneBar).front == "raw" else "raw")

    def action_strip(self) -> None:
        strip = self.query_one(AlertStrip)
        self.remove_class("-zoomed")
        if self.query_one(PaneBar).front != "calls":
            self._front("calls")
        if strip.has_focus:
            self._front(self.query_one(PaneBar).front)
        else:
            strip.focus()

    def action_board(self) -> None:
        def go_to(region: str) -> None:
            if call := next((call for call in self._events if call.region == region), None):
                self._front("calls")
                self.query_one("#calls", RowList).move_to(event_key(call))

        if (alert := self.alert) is not None:
            self.workspace.routes.open_regions_of_alert(alert, go_to)

    def action_zoom(self) -> None:
        self.toggle_class("-zoomed")

    def action_export(self) -> None:
        if self.alert is not None:
            self.workspace.routes.export_notes(
                {
                    "this alert's": self.workspace.view_model.notes_of(self.alert),
                    "all": self.workspace.view_model.notes,
                }
            )

    @on(PaneBar.Chosen)
    def _pane_chosen(self, event: PaneBar.Chosen) -> None:
        self._front(event.pane)

    def _front(self, pane: str) -> None:
        self.query_one(PaneBar).front = pane
        self.set_class(pane != "calls", "-reading")
        self.query_one(ContentSwitcher).current = pane
        self.query_one(f"#{_FOCUSED.get(pane, pane)}").focus()
        if pane == "guide":
            self.query_one(GuidePane).look()
        if pane == "raw":
            self._show_raw()
