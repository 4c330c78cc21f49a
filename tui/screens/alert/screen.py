"""One alert: why it fired, and its panes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from textual import on
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import ContentSwitcher, Markdown

from detector.detection.alert import Alert
from detector.detection.event import Event
from detector.detection.signals.signal_finder import flagging_events
from detector.investigation.guide import Answer
from detector.investigation.pivot import Pivot
from detector.rules.rule import Rule
from tui.concurrency.worker import work
from tui.keymap import OPEN, OUT, key, key_of
from tui.model.call_objects import objects_of_signals
from tui.model.export_choices import NOTE_CHOICE
from tui.presentation import format, safe
from tui.presentation.calls import event_key
from tui.presentation.copy_formats import CopyFormat, alert_formats, event_formats, line_format
from tui.presentation.explanation import new_line, technique_tags, then_line, why_line
from tui.presentation.severity import severity_content
from tui.screens.alert.call_views import CallViews
from tui.screens.alert.explain_action import ExplainAction
from tui.screens.alert.guide_pane import GuidePane
from tui.screens.alert.heat_strip_pane import AlertStrip
from tui.screens.alert.pane_switcher import PANES, PaneSwitcher
from tui.screens.alert.panes import FieldRow, call_columns, field_columns, field_rows
from tui.screens.alert.sequence import AlertSequence
from tui.screens.base.alert_actions import AlertActions
from tui.screens.base.alert_facts import alert_facts, risk_heading
from tui.screens.base.copy_actions import CopyActions
from tui.screens.base.fact_list import FactList, Line
from tui.screens.base.hunts.attach_action import AttachAction, alert_findings
from tui.screens.base.note_text import note_lines
from tui.screens.base.query_line import QueryLine
from tui.screens.base.row_actions import RowActions
from tui.screens.base.screen import WIDE, HuntScreen
from tui.screens.base.search import Search
from tui.screens.base.text_pane import Reader
from tui.screens.base.watch_action import WatchAction
from tui.widgets.charts.heat_strip import HeatStrip
from tui.widgets.json_view import JsonView
from tui.widgets.labelled_lines import LabelledLine, LabelledLines
from tui.widgets.line import CellContent
from tui.widgets.pane_tabs import PaneBar
from tui.widgets.row_list import RowList

_FIELD_MARGINS = 9
"""Cells of a row of the fields' list that neither name nor value occupies."""


class AlertScreen(HuntScreen):
    """One alert, with keys that step to the next and the previous one.

    ``order`` lists the ids to step through; ``moved`` is called with the id after every step.
    """

    AUTO_FOCUS = "#calls"

    BINDINGS = [
        *CopyActions.BINDINGS,
        *Search.BINDINGS,
        *RowActions.BINDINGS,
        *AlertActions.BINDINGS,
        *WatchAction.BINDINGS,
        *AttachAction.BINDINGS,
        *ExplainAction.BINDINGS,
        *AlertSequence.BINDINGS,
        *PaneSwitcher.BINDINGS,
        *CallViews.BINDINGS,
        key(
            "board",
            "b",
            "board",
            "regions",
            "Regions by geography: calls, first seen, unusual",
            OPEN,
        ),
        key("alert.export", "w", "export", "export", "Export this alert's notes to a file", OUT),
    ]

    def __init__(
        self,
        alert_id: str,
        order: Sequence[str],
        moved: Callable[[str], object] | None = None,
        pane: str = "calls",
    ) -> None:
        super().__init__(classes="-unread")
        self.copying = CopyActions(self, self.copy_formats)
        self.search = Search(self, self._searched_list, self._show_searched_list)
        self.row_actions = RowActions(self, self, "alert")
        self.alert_actions = AlertActions(self, self.row_actions, lambda: self.alert)
        self.watch_action = WatchAction(self, self.alert_actions.watch_offers)
        self.attaching = AttachAction(self, lambda: alert_findings(self.targets()))
        self.explaining = ExplainAction(self, lambda: self.alert)
        self.sequence = AlertSequence(self, alert_id, order, self._stepped)
        self.panes = PaneSwitcher(self, self._pane_shown)
        self.calls = CallViews(self)
        self._moved = moved
        self._first_pane = pane if pane in PANES else "calls"
        self._shown: Alert | None = None
        self._unfolded: set[str] = set()
        self._shown_rule_id: str | None = None

    @property
    def alert(self) -> Alert | None:
        """The current revision of the shown alert."""
        return self.workspace.view_model.current(self.sequence.alert_id) or self._shown

    @property
    def pane(self) -> str:
        """The pane in front."""
        return self.panes.front

    def on_mount(self) -> None:
        super().on_mount()
        if self._first_pane != "calls":
            self.call_after_refresh(self.panes.show, self._first_pane)

    # --- what is shown

    def compose_body(self) -> Iterable[Widget]:
        yield LabelledLines(("why", "then", "new"), id="why")
        with Horizontal(id="sight"):
            yield AlertStrip()
            yield FactList(id="summary")
        yield PaneBar(PANES)
        with ContentSwitcher(initial="calls"):
            yield RowList(
                call_columns(
                    self._first_call,
                    self.workspace.rules,
                    self.calls.object_of,
                    lambda: self.calls.runs,
                ),
                key=event_key,
                empty="",
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
        yield QueryLine(self.search.description)

    def screen_title(self) -> CellContent:
        alert = self.alert
        if alert is None:
            return "Alerts"
        start, end = alert.shown_extent
        when = format.compact_range(start, end if self.size.width >= WIDE else None)
        return Content.assemble("Alerts › ", safe.text(format.principal(alert)), f"  {when}")

    def _first_call(self) -> float:
        if self.alert:
            return self.alert.first_event
        return 0

    def title_items(self) -> Sequence[CellContent]:
        alert = self.alert
        if alert is None:
            return ()
        states = [
            alert.status,
            "settled" if alert.settled else "provisional",
            f"rev {alert.revision}" if alert.revision > 1 else "",
            "suppressed" if alert.suppressed_by else "",
        ]
        risk = Content.assemble(
            severity_content(alert.severity),
            f" {risk_heading(alert)} · ",
            " · ".join(filter(None, states)),
        )
        position = Content(self.sequence.position).stylize("$foreground-muted")
        return risk, position

    def show(self) -> None:
        alert = self.alert
        if alert is None:
            return
        if alert.alert_id != self.sequence.alert_id:
            self.sequence.replace_current(alert)
        before, self._shown = self._shown, alert
        self._show_notes(alert)
        if before is alert:
            return
        rule = self.workspace.rules.get(alert.rule.id)
        self._show_why(alert, rule, is_other=before is None or before.alert_id != alert.alert_id)
        self.query_one("#sight").styles.height = len(alert.facets.regions) + 1
        self.query_one("#summary", FactList).show(alert_facts(alert, self.workspace.rules))
        self._show_fields()
        self.query_one(GuidePane).ask(
            self.workspace.store, alert, rule, flagging_events(self.workspace.rules)
        )
        identity = alert.alert_id, alert.event_ids
        if before is None or (before.alert_id, before.event_ids) != identity:
            self.calls.read(alert)
        if alert.rule.id != self._shown_rule_id:
            self._shown_rule_id = alert.rule.id
            self._show_rule(rule)

    def redraw(self) -> None:
        self._shown = None
        super().redraw()

    def _show_why(self, alert: Alert, rule: Rule | None, *, is_other: bool) -> None:
        lines = self.query_one(LabelledLines)
        lines.show(
            LabelledLine("why", why_line(alert, rule), *technique_tags(alert)),
            LabelledLine("new", new_line(alert)),
        )
        if is_other:
            lines.show(LabelledLine("then", ""))

    @work(exclusive=True, group="then")
    async def _show_then(self, alert: Alert, signals: Mapping[str, Sequence[Event]]) -> None:
        """Show what followed the alert, with the calls' objects read from the logs."""
        objects = await asyncio.to_thread(objects_of_signals, alert, signals)
        if self.alert is alert and alert.baseline is not None:
            text = then_line(alert, signals, lambda event: objects.get(event, ""))
            self.query_one(LabelledLines).show(LabelledLine("then", text))

    def _show_rule(self, rule: Rule | None) -> None:
        note = "This alert's rule is not loaded."
        if rule is not None:
            note = rule.note or "This rule has no guide."
        self.query_one(Markdown).update(safe.visible(note, len(note), lines=True))

    def _show_notes(self, alert: Alert) -> None:
        notes = self.workspace.view_model.notes_of(alert)
        self.query_one(PaneBar).counts = {"calls": alert.event_count, "notes": len(notes)}
        lines: list[Line] = []
        for note in notes:
            lines += [*note_lines(note), Content("")]
        none = Content.styled(
            f"No notes on this alert yet.\n{key_of('alert.comment')} adds one, "
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
        """Return the width of a field's name, and of its value, in cells."""
        return (self.query_one("#fields").content_size.width - _FIELD_MARGINS) // 2

    def on_resize(self) -> None:
        self.call_after_refresh(self._show_fields)

    @on(RowList.Opened, "#fields")
    def _fold_field(self, event: RowList.Opened) -> None:
        row: FieldRow = event.row
        self._unfolded ^= {row.name}
        self._show_fields()
        self.query_one("#fields", RowList).move_to(row.name)

    # --- the guide

    @on(GuidePane.Answered)
    def _signals_read(self, event: GuidePane.Answered) -> None:
        self._show_then(event.alert, event.signals)

    @on(GuidePane.Failed)
    def _guide_failed(self, event: GuidePane.Failed) -> None:
        self.workspace.say(event.reason, severity="error")

    @on(RowList.Opened, "#questions")
    def _open_question(self, event: RowList.Opened) -> None:
        answer: Answer = event.row
        if answer.pivot is None:
            self.workspace.say(
                f"{answer.question} {answer.detail}: no other calls stand behind this"
            )
        elif self.alert is not None:
            trail = ("Alerts", format.principal(self.alert))
            self.workspace.routes.open_pivot(trail, self.alert, answer.pivot)

    # --- strip, calls and raw record, which stay in sync

    @on(HeatStrip.CellHighlighted)
    def _cell_highlighted(self, event: HeatStrip.CellHighlighted) -> None:
        call = self.calls.first(event.region, event.start, event.end)
        if call is not None:
            self.calls.go_to(call)

    @on(HeatStrip.CellOpened)
    def _cell_opened(self, event: HeatStrip.CellOpened) -> None:
        call = self.calls.first(event.region, event.start, event.end)
        if call is not None:
            self.calls.go_to(call)
            self.panes.show("calls")
            return
        middle = (event.start + event.end) // 2
        self.alert_actions.open_pivot(
            lambda _, principals: Pivot("all activity", principals, event.start, event.end, middle)
        )

    @on(RowList.Highlighted, "#calls")
    def _call_highlighted(self) -> None:
        self.calls.show_current()

    @on(RowList.Opened, "#calls")
    def _call_opened(self) -> None:
        self.panes.show("raw")

    @on(PaneBar.Chosen)
    def _pane_chosen(self, event: PaneBar.Chosen) -> None:
        self.panes.show(event.pane)

    def _pane_shown(self, pane: str) -> None:
        if pane == "guide":
            self.query_one(GuidePane).start_counting()
        if pane == "raw":
            self.calls.show_raw()

    # --- what the screen's parts call

    def targets(self) -> list[Alert]:
        """Return the alert that is shown."""
        return [self.alert] if self.alert else []

    def has_marks(self) -> bool:
        """Return False: the screen has no marks."""
        return False

    def row_id(self, row: Alert) -> str:
        """Return the id of an alert."""
        return row.alert_id

    def advance(self) -> bool:
        """Go to the next alert; return False on the last one."""
        return self.sequence.step(1)

    def clear_marks(self) -> None:
        """Do nothing: there are no marks."""

    def copy_formats(self) -> Sequence[CopyFormat]:
        """Return the formats for copying the current call, then those for the alert."""
        call = self.calls.current if self.pane in ("calls", "raw") else None
        formats: list[CopyFormat] = []
        if call is not None:
            line = self.query_one("#calls", RowList).line(call)
            formats = [line_format([line]), *event_formats([call])]
        letters = {each.letter for each in formats}
        others = alert_formats(self.targets())
        return [*formats, *(each for each in others if each.letter not in letters)]

    def _searched_list(self) -> RowList[Any]:
        return self.query_one("#fields" if self.pane == "fields" else "#calls", RowList)

    def _show_searched_list(self) -> None:
        if self.pane not in ("calls", "fields"):
            self.panes.show("calls")

    # --- actions

    def action_back(self) -> None:
        if not self.search.clear():
            super().action_back()

    def _stepped(self, alert_id: str) -> None:
        self._shown = None
        self.calls.forget_raw()
        if self._moved is not None:
            self._moved(alert_id)
        self.show_if_in_front()

    def action_board(self) -> None:
        def go_to(region: str) -> None:
            call = self.calls.first(region)
            if call is not None:
                self.panes.show("calls")
                self.calls.go_to(call)

        if self.alert is not None:
            self.workspace.routes.open_regions_of_alert(self.alert, go_to)

    def action_export(self) -> None:
        if self.alert is not None:
            view_model = self.workspace.view_model
            self.workspace.routes.export_rows(
                NOTE_CHOICE,
                {"this alert's": view_model.notes_of(self.alert), "all": view_model.notes},
            )
