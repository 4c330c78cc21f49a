"""The analyst's view options: order, folds, hidden alerts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

from detector.detection.alert import Alert
from tui.keymap import FIND, key, key_of
from tui.screens.alerts.columns import ORDERS, AlertOrder
from tui.screens.alerts.sweep_groups import FoldState, SweepGroup
from tui.screens.base.menu import Menu
from tui.screens.base.screen import HuntScreen, ScreenPart
from tui.settings.session_file import ListState
from tui.widgets.row_list import RowList


@dataclass(frozen=True)
class ViewOptions:
    """The analyst's choices on which rows to show and how, other than the filter."""

    order: AlertOrder = ORDERS[0]
    reverse: bool = False
    show_hidden: bool = False
    folds: FoldState = field(default_factory=FoldState)

    def sorted_by(self, column: str, reverse: bool) -> ViewOptions:
        """Return the options sorted by this column.

        If the column has no order, return the options unchanged.
        """
        order = next((order for order in ORDERS if order.column == column), None)
        return self if order is None else replace(self, order=order, reverse=reverse)


class AlertList(Protocol):
    """The list to which the options apply."""

    @property
    def row_list(self) -> RowList[Alert]:
        """The list itself."""

    def group(self, alert: Alert) -> SweepGroup | None:
        """Return the group that the alert can be folded into."""

    def recompute(self, go_to: Alert | None = None) -> None:
        """Rebuild the rows, and put the cursor on ``go_to``."""


class ViewActions(ScreenPart):
    """Changes the options, and makes the screen rebuild the rows."""

    BINDINGS = [
        key(
            "alerts.hidden",
            "H",
            "toggle_hidden",
            "hidden",
            "Show/hide resolved and suppressed alerts",
            FIND,
        ),
        key("alerts.sort", "s", "sort", "sort", "Choose the sort column", FIND),
        key("alerts.reverse", "S", "reverse", "reverse", "Reverse sort", FIND),
        key(
            "alerts.fold",
            "o",
            "fold",
            "collapse",
            "Collapse/expand related alerts",
            FIND,
        ),
        key(
            "alerts.fold_all",
            "O",
            "fold_all",
            "collapse all",
            "Collapse/expand all related alerts",
            FIND,
        ),
    ]

    def __init__(self, screen: HuntScreen, alerts: AlertList) -> None:
        super().__init__(screen)
        self._list = alerts
        self.options = ViewOptions()

    def restore(self, state: ListState) -> None:
        """Restore the options of the previous session."""
        options = self.options.sorted_by(state.order, state.reversed)
        folds = options.folds.toggle_all() if state.unfolded else options.folds
        self.options = replace(options, show_hidden=state.hidden, folds=folds)

    def action_toggle_hidden(self) -> None:
        """Show what is closed or suppressed, or hide it again."""
        self.options = replace(self.options, show_hidden=not self.options.show_hidden)
        self._list.recompute()

    def action_sort(self) -> None:
        """Offer the orders in a menu."""

        def sort(column: str | None) -> None:
            if column is not None:
                self.options = self.options.sorted_by(column, reverse=False)
                self._list.recompute()

        orders = [(order.column, order.label) for order in ORDERS]
        self.screen.app.push_screen(Menu("Sort by", orders, self.options.order.column), sort)

    def action_reverse(self) -> None:
        """Reverse the order."""
        self.options = replace(self.options, reverse=not self.options.reverse)
        self._list.recompute()

    def action_fold(self) -> None:
        """Unfold the group under the cursor, or fold it again."""
        alert = self._list.row_list.cursor_row
        if alert is None:
            return
        group = self._list.group(alert)
        if group is None:
            self.workspace.say("No related alerts")
        else:
            self._fold(self.options.folds.toggle(group), alert)

    def action_fold_all(self) -> None:
        """Unfold every group, or fold them all again."""
        self._fold(self.options.folds.toggle_all(), self._list.row_list.cursor_row)
        self.workspace.say(
            "All rows expanded"
            if self.options.folds.unfolded
            else f"Related alerts collapsed; {key_of('alerts.fold')} expands a row"
        )

    def _fold(self, folds: FoldState, current: Alert | None) -> None:
        self.options = replace(self.options, folds=folds)
        self._list.recompute(go_to=current)
