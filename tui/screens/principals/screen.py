"""The principals: all callers, with or without alerts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from textual import on
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from detector.detection.activity.actor import Actor
from detector.detection.alert import Alert
from detector.detection.risk import load_risk_table
from detector.filter.principal_schema import PRINCIPALS
from detector.investigation.activity_export import PRINCIPAL_EXPORT
from detector.investigation.principals import (
    PrincipalList,
    PrincipalRow,
    PrincipalSum,
    list_principals,
    sum_principals,
)
from detector.text.time import DAY, format_age
from detector.triage.caller import Caller
from tui.keymap import FIND, OPEN, explain_key, key, key_of
from tui.model.callers import caller_of_principal
from tui.model.export_choices import list_choice
from tui.model.workspace import ExportChoice
from tui.presentation import format, safe
from tui.presentation.copy_formats import CopyFormat, value_formats
from tui.screens.base.alert_actions import LIST_BINDINGS, AlertActions
from tui.screens.base.fact_list import FactList, Line, facts
from tui.screens.base.hunts.attach_action import AttachAction, principal_findings
from tui.screens.base.menu import Menu
from tui.screens.base.query_line import QueryLine
from tui.screens.base.row_actions import AlertsOfRows
from tui.screens.base.store_list import StoreListScreen
from tui.screens.base.text_pane import Reader
from tui.screens.base.watch_action import Offer, WatchAction, offers_of
from tui.screens.principals.columns import (
    PRINCIPAL_COLUMNS,
    PRINCIPAL_ORDERS,
    events_filter,
    note_summaries,
    principal_label,
    watched_values,
)
from tui.settings import config
from tui.settings.session_file import ListState
from tui.widgets.columns import Column
from tui.widgets.row_list import RowList

DAY_SPANS: tuple[tuple[str, int | None], ...] = (
    ("the last day", DAY),
    ("the last 7 days", 7 * DAY),
    ("the last 31 days", 31 * DAY),
    ("all days", None),
)
"""The time spans of the list, in seconds before the newest event; None for all."""

_DETAIL_VALUES = 12


class PrincipalsScreen(StoreListScreen[PrincipalRow]):
    """The list of principals."""

    BINDINGS = [
        *LIST_BINDINGS,
        *WatchAction.BINDINGS,
        *AttachAction.BINDINGS,
        explain_key(),
        key(
            "principal.events",
            "p",
            "events",
            "events",
            "Every call of the principal, from the logs",
            OPEN,
            show=True,
        ),
        key(
            "principals.wider",
            "greater_than_sign,plus",
            "resize(1)",
            "more days",
            "Count more days: 1, 7, 31, all",
            FIND,
            show=True,
        ),
        key(
            "principals.narrower",
            "less_than_sign",
            "resize(-1)",
            "fewer days",
            "Count fewer days",
            FIND,
            show=True,
        ),
        key(
            "principals.sort", "s", "sort", "sort", "Choose the order of the list", FIND, show=True
        ),
    ]

    area = "principals"
    fields = PRINCIPALS
    noun = "principal"
    empty = "No calls in this span."

    def __init__(self) -> None:
        super().__init__()
        self.alert_actions = AlertActions(
            self, AlertsOfRows(self, self, self._alerts_of), lambda: None, self._callers
        )
        self.watch_action = WatchAction(self, self._offers)
        self.attaching = AttachAction(self, lambda: principal_findings(self.targets()))
        self._span = len(DAY_SPANS) - 1
        self._order = "risk"
        self._list: PrincipalList | None = None
        self._sums: Mapping[Actor, PrincipalSum] = {}
        self._summed: tuple[int, int] | None = None
        """The state of ingestion and the span for which ``_sums`` was computed."""

    def compose_body(self) -> Iterable[Widget]:
        yield Static("", id="asked", classes="line")
        with Horizontal(classes="halves principals"):
            yield RowList(self.columns(), key=self.row_id)
            with Reader(classes="half"):
                yield FactList(id="entry")
        yield QueryLine(self.query_description)

    def load_rows(self) -> Sequence[PrincipalRow]:
        store = self.workspace.store
        _, seconds = DAY_SPANS[self._span]
        since = None
        if seconds is not None:
            newest = store.files.newest_event_time() or int(self.workspace.now())
            since = newest - seconds
        table = load_risk_table(config.config_path().with_name("risk.toml"))
        summed = store.activity.sequence(), self._span
        if summed != self._summed:
            self._sums, self._summed = sum_principals(store, since), summed
        self._list = list_principals(store, table, since, sums=self._sums)
        _, sort_key = PRINCIPAL_ORDERS[self._order]
        return sorted(self._list.rows, key=sort_key)

    def _draw(self) -> None:
        super()._draw()
        if not self.is_in_front:
            return
        what, _ = DAY_SPANS[self._span]
        order, _ = PRINCIPAL_ORDERS[self._order]
        said = [what, f"by {order}"]
        notes: list[str] = []
        if self._list is not None:
            said.insert(0, format.plural(len(self._list.rows), "principal"))
            notes = self._list.notes
        self.query_one("#asked", Static).update(
            Content.assemble(
                safe.text(" · ".join(said), "$foreground-muted"),
                safe.text("".join(f" · {note}" for note in notes), "$foreground-muted"),
            )
        )

    def export_choice(self) -> ExportChoice:
        return list_choice(PRINCIPAL_EXPORT, "principals", "principals")

    def columns(self) -> tuple[Column[PrincipalRow], ...]:
        return PRINCIPAL_COLUMNS

    def row_id(self, row: PrincipalRow) -> str:
        return f"{row.kind} {row.name}"

    def details(self, row: PrincipalRow) -> list[Line]:
        """Return the detail lines of a principal."""
        newest = self.workspace.view_model.newest or row.last
        lines: list[Line] = [safe.text(principal_label(row), "bold")]
        lines += facts(
            ("principal", row.name),
            ("account", row.account),
            ("first seen", format.full_time(row.first_seen)),
            ("last call", format.full_time(row.last)),
            (
                "calls",
                f"{row.calls:,}: {row.writes:,} writes, {row.failed:,} failed, "
                f"{row.denied:,} denied",
            ),
            ("rhythm", _rhythm(row, newest)),
            ("risk", row.risk.sentence(newest)),
            ("alerts", format.plural(len(row.alerts), "alert") if row.alerts else ""),
            ("uncommon", _some(row.uncommon)),
            ("services", _some(row.services)),
            ("regions", _some(row.regions)),
            ("networks", _some(row.networks)),
            ("programs", _some(row.programs)),
            ("keys", _some([format.masked_key(each) for each in row.keys])),
            ("called in", _some(row.accounts)),
            ("truncated", ", ".join(row.truncated)),
        )
        notes = list(note_summaries(row, self.workspace.view_model.notes))
        if notes:
            lines += [Content(""), *notes]
        lines.append(Content(""))
        lines.append(
            Content.styled(
                f"enter opens sessions and days · {key_of('principal.events')} shows the events",
                "$foreground-muted",
            )
        )
        return lines

    def copy_formats_of(self, rows: Sequence[PrincipalRow]) -> Sequence[CopyFormat]:
        return [*value_formats("n", "name", [row.name for row in rows])]

    @property
    def list_state(self) -> ListState:
        return msgspec.structs.replace(super().list_state, order=self._order)

    def restore_options(self, state: ListState) -> None:
        super().restore_options(state)
        if state.order in PRINCIPAL_ORDERS:
            self._order = state.order

    def sort_by(self, column: str, reverse: bool) -> None:  # noqa: ARG002
        if column in PRINCIPAL_ORDERS:
            self._order = column
            self.show()

    @on(RowList.Opened)
    def _open(self, event: RowList.Opened) -> None:
        event.stop()
        self.workspace.routes.open_principal(event.row)

    def _focus_details(self) -> None:
        """Do nothing: opening a row opens its page instead of focusing the details."""

    def _callers(self) -> list[Caller]:
        return [caller_of_principal(row) for row in self.targets()]

    def _alerts_of(self, row: PrincipalRow) -> Iterator[Alert]:
        known = map(self.workspace.view_model.alerts.get, row.alerts)
        return (alert for alert in known if alert is not None)

    def _offers(self) -> Sequence[Offer]:
        row = self.row_list.cursor_row
        if row is None:
            return ()
        return offers_of(watched_values(row))

    def action_explain(self) -> None:
        row = self.row_list.cursor_row
        if row is not None:
            self.workspace.routes.open_explanation(("Principals",), row.name)

    def action_events(self) -> None:
        row = self.row_list.cursor_row
        if row is not None:
            self.workspace.routes.open_events(events_filter(row), row.first, row.last + 1)

    def action_resize(self, step: int) -> None:
        span = self._span + step
        if not 0 <= span < len(DAY_SPANS):
            self.workspace.say("All days" if step > 0 else "At least one day")
            return
        self._span = span
        self.show()

    def action_sort(self) -> None:
        options = [(name, description) for name, (description, _) in PRINCIPAL_ORDERS.items()]

        def chosen(order: str | None) -> None:
            if order is not None:
                self.sort_by(order, False)

        self.app.push_screen(Menu("Sort by", options, self._order), chosen)


def _rhythm(row: PrincipalRow, newest: int) -> str:
    days = format.plural(len(row.days), "day")
    if row.is_new:
        return f"new: first seen {format_age(newest - row.first_seen)} before the newest event"
    if not row.rhythm:
        return f"calls on {days}: not enough to tell"
    return f"{row.rhythm}: calls on {days}"


def _some(values: Sequence[str]) -> str:
    """Return the first values, and the number of further ones."""
    shown = ", ".join(values[:_DETAIL_VALUES])
    if len(values) > _DETAIL_VALUES:
        return f"{shown} and {len(values) - _DETAIL_VALUES:,} more"
    return shown
