"""The list of alerts: live, and still under the analyst's hands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from textual import on
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from detector.alert import Alert
from tui import format, safe
from tui.filter import ALERT_FIELDS
from tui.keymap import FIND, LIVE, MOVE, key
from tui.screens.alert_columns import COLUMNS, ORDERS, ordered
from tui.screens.alert_panes import rare_regions
from tui.screens.base import WIDE
from tui.screens.lists import ListScreen
from tui.screens.query_line import QueryLine
from tui.screens.sweep_rows import SweepRows
from tui.screens.triage import TriageScreen
from tui.widgets.line import Cell
from tui.widgets.region_line import RegionLine
from tui.widgets.row_list import RowList
from tui.widgets.spark import Spark

_DAY = 86_400
_SERIOUS = ("high", "critical")


class AlertsScreen(TriageScreen, ListScreen[Alert]):
    BINDINGS = [
        key("alerts.hidden", "H", "toggle_hidden", "hidden", "Show or hide what is closed or suppressed", FIND),
        key("alerts.sort", "s", "sort", "sort", "Choose what the list is sorted by", FIND),
        key("alerts.reverse", "S", "reverse", "reverse", "Turn the order round", FIND),
        key("alerts.fold", "o", "fold", "fold sweep", "Make the alerts of a sweep one row, or unfold them", FIND),
        key("alerts.fold_all", "O", "fold_all", "fold all", "Unfold every sweep, or make each one row again", FIND),
        key("alerts.follow", "F", "toggle_follow", "follow", "Stay on the first alert as new ones come", LIVE),
        key("alerts.pause", "P", "toggle_pause", "pause", "Hold the list still while reading goes on", LIVE),
        key("alerts.serious", "e", "serious(1)", "next serious", "Go to the next alert that is high or critical", MOVE),
        key("alerts.serious-before", "E", "serious(-1)", "previous serious",
            "Go to the previous alert that is high or critical", MOVE),
    ]

    fields = ALERT_FIELDS

    def __init__(self) -> None:
        super().__init__()
        self._order = ORDERS[0]
        self._reversed = False
        self._show_hidden = False
        self._held: tuple[str, ...] | None = None
        self._unseen = 0
        self._at: str | None = None
        self._totals = (0, 0, 0)
        self._sweeps = SweepRows()

    # --- what is shown

    def place(self) -> str:
        return "trailhound › Alerts"

    def facts(self) -> Sequence[Cell]:
        return self.live_state(self.paused), self.hunt.where

    @property
    def paused(self) -> bool:
        return self._held is not None

    def body(self) -> Iterable[Widget]:
        with Horizontal(classes="line"):
            yield Spark()
            yield Static("", id="counts")
        columns = [replace(column, cell=self._who) if column.key == "principal" else column for column in COLUMNS]
        yield RowList(columns, key=self._sweeps.key, row_style=_row_style)
        yield QueryLine()
        yield Static("", id="why")
        yield RegionLine()

    def show(self) -> None:
        alerts = list(self.hunt.picture.alerts.values())
        kept = alerts if self._show_hidden else [alert for alert in alerts if not _hidden(alert)]
        rows = self._held_still(ordered(self._sweeps.fold(self.narrowed(kept)), self._order, self._reversed))
        self.row_list.empty = self._empty(alerts, kept)
        self.row_list.show(rows)
        self.row_list.show_sort(self._order.column, self._order.descending is not self._reversed)
        self._totals = (
            len(alerts),
            sum(alert.status == "closed" and not alert.suppressed_by for alert in alerts),
            sum(bool(alert.suppressed_by) for alert in alerts),
        )
        self._show_counts()
        self._show_spark(kept)
        self.refresh_query()
        self._show_highlighted()

    def _held_still(self, rows: list[Alert]) -> list[Alert]:
        """While paused, the rows that were there, in the order in which they were."""
        if self._held is None:
            self._unseen = 0
            return rows
        found = {self._sweeps.key(alert): alert for alert in rows}
        held = [found.pop(key) for key in self._held if key in found]
        self._unseen = len(found)
        return held

    def _show_counts(self) -> None:
        """How many there are, and where those are that the list does not show."""
        total, closed, suppressed = self._totals
        here, marked = len(self.row_list.rows), len(self.row_list.marks)
        parts = [
            (f"+{format.count(self._unseen)} new", "$text-accent bold", self._unseen),
            (f"{format.count(marked)} marked", "$text-accent bold", marked),
            ("follow", "$text-accent", self.row_list.follow),
            (format.plural(total, "alert"), "", True),
            (f"{format.count(here)} here", "$foreground-muted", here != total),
            (f"{format.count(closed)} closed", "$foreground-muted", closed),
            (f"{format.count(suppressed)} suppressed", "$foreground-muted", suppressed),
            ("H shows them" if not self._show_hidden else "H hides them", "$foreground-muted", closed or suppressed),
        ]
        self.query_one("#counts", Static).update(
            Content(" · ").join(Content.styled(words, style) for words, style, said in parts if said)
        )

    def _show_spark(self, alerts: Sequence[Alert]) -> None:
        newest = max((alert.first_event for alert in alerts), default=0)
        label = f"24 h to {format.moment(newest)}" if self.size.width >= WIDE else "24 h"
        self.query_one(Spark).load([alert.first_event for alert in alerts], newest + 1 - _DAY, newest + 1,
                                   label if alerts else "")

    def _empty(self, alerts: Sequence[Alert], kept: Sequence[Alert]) -> str:
        picture = self.hunt.picture
        if kept:
            return "No alert matches the filter.\nesc clears it."
        if alerts:
            return "Every alert is closed or suppressed.\nH shows them."
        if picture.error:
            return f"Reading stopped.\n{picture.error}"
        if not picture.loaded or not (picture.live or self.hunt.store.read_only):
            return f"Reading {self.hunt.where} …\nAlerts appear here as soon as a rule fires."
        return f"No alert so far in {self.hunt.where}.\nNew files are read as they come. 5 shows what was read."

    def _who(self, alert: Alert) -> str:
        row, who = self._sweeps.folded(alert), format.principal(alert)
        return f"×{len(row.ids)} {who} {row.rhythm.pace}".rstrip() if row else who

    @on(RowList.Highlighted)
    def _show_highlighted(self) -> None:
        alert = self.row_list.cursor_row
        why = format.why(alert, self.hunt.rules.get(alert.rule.id)) if alert else ""
        together = self._sweeps.folded(alert) if alert else None
        self.query_one("#why", Static).update(safe.text(f"{together}; o unfolds. {why}" if together else why))
        self.query_one(RegionLine).show(alert.facets.regions if alert else [], rare_regions(alert) if alert else [])

    @on(RowList.MarksChanged)
    def _marks_changed(self) -> None:
        self._show_counts()

    @on(RowList.CursorMoved)
    def _cursor_moved(self, event: RowList.CursorMoved) -> None:
        if event.lost and self._at not in self.hunt.picture.alerts:
            self.hunt.say("Late data took the alert under the cursor away; the cursor is on its neighbour")
        self._at = event.key
        self._show_counts()

    # --- what is done

    def targets(self) -> list[Alert]:
        marks = self.row_list.marks or {self.row_list.cursor_key}
        rows = zip(self.row_list.keys, self.row_list.rows, strict=True)
        return [member for key, alert in rows if key in marks for member in self._sweeps.members(alert)]

    def at_cursor(self) -> Alert | None:
        return self.row_list.cursor_row

    def decided(self) -> None:
        self.row_list.marks = ()

    @on(RowList.Opened)
    def _open(self) -> None:
        from tui.screens.alert import AlertScreen

        alert = self.row_list.cursor_row
        if alert is not None:
            order = [member.alert_id for row in self.row_list.rows for member in self._sweeps.members(row)]
            self.app.push_screen(AlertScreen(alert.alert_id, order, moved=self._go_to))

    def _go_to(self, alert_id: str) -> None:
        if alert := self.hunt.picture.alerts.get(alert_id):
            self.row_list.move_to(self._sweeps.key(alert))

    def action_fold(self) -> None:
        alert = self.row_list.cursor_row
        if alert is None:
            return
        if self._sweeps.turn(alert):
            self._unpause()
            self.show()
            self._go_to(alert.alert_id)
        else:
            self.hunt.say("This alert is a sweep of its own")

    def action_fold_all(self) -> None:
        here = self.row_list.cursor_row
        folded = self._sweeps.turn_all()
        self._unpause()
        self.show()
        if here is not None:
            self._go_to(here.alert_id)
        self.hunt.say("Each sweep is one row; o unfolds one" if folded else "Every alert is a row of its own")

    def action_toggle_hidden(self) -> None:
        self._show_hidden = not self._show_hidden
        self._unpause()
        self.show()

    def action_toggle_follow(self) -> None:
        self.row_list.follow = not self.row_list.follow
        self.show()

    def action_toggle_pause(self) -> None:
        if self.paused:
            self._unpause()
        else:
            self._held = tuple(self.row_list.keys)
            self.hunt.say("The list is held still; reading goes on. P goes on")
        self._changed()

    def action_sort(self) -> None:
        from tui.screens.menu import Menu

        options = [(order.column, order.label) for order in ORDERS]
        self.app.push_screen(Menu("Sort by", options, self._order.column), self._sort_by)

    def _sort_by(self, column: str | None) -> None:
        if column is not None:
            self._order, self._reversed = next(order for order in ORDERS if order.column == column), False
            self._unpause()
            self.show()

    def action_reverse(self) -> None:
        self._reversed = not self._reversed
        self._unpause()
        self.show()

    def action_serious(self, step: int) -> None:
        rows, start = self.row_list.rows, self.row_list.cursor_index or 0
        for away in range(1, len(rows)):
            alert = rows[(start + step * away) % len(rows)]
            if alert.severity in _SERIOUS:
                self._go_to(alert.alert_id)
                return
        self.hunt.say("No other alert here is high or critical")

    def _unpause(self) -> None:
        self._held = None


def _hidden(alert: Alert) -> bool:
    return alert.status == "closed" or bool(alert.suppressed_by)


def _row_style(alert: Alert) -> str:
    return "$foreground-muted" if alert.status != "open" or alert.suppressed_by else ""
