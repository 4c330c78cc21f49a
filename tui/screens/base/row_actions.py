"""Actions on the selected rows, which can be repeated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Generic, Protocol, TypeVar

from textual.binding import Binding

from detector.detection.alert import Alert
from detector.store import StateError
from tui.keymap import MARK, key, key_of
from tui.model.repeat import Action, LastAction
from tui.presentation import format
from tui.screens.base.screen import WIDE, HuntScreen, ScreenPart

R = TypeVar("R")


class RowTargets(Protocol[R]):
    """The rows of a screen that actions apply to."""

    def targets(self) -> list[R]:
        """Return the rows that an action applies to now."""

    def has_marks(self) -> bool:
        """Return whether the targets are marked rows."""

    def row_id(self, row: R) -> str:
        """Return the id of a row."""

    def advance(self) -> bool:
        """Go to the next row; return False on the last one."""

    def clear_marks(self) -> None:
        """Clear the marks, since the action is done."""


class RowActions(ScreenPart, Generic[R]):
    """Runs actions on the targets, and repeats the last one.

    An action applies to the targets at the time of the key press. ``noun`` names a row; screens
    whose rows have the same noun share their last action.
    """

    BINDINGS = [
        key(
            "again",
            "full_stop",
            "again",
            "again",
            "Repeat the last action on the marks or the next row",
            MARK,
        ),
    ]

    def __init__(self, screen: HuntScreen, rows: RowTargets[R], noun: str) -> None:
        super().__init__(screen)
        self._rows = rows
        self._noun = noun
        self._counted = (0, False)
        """The number of targets and whether they are marked, as the footer shows them."""

    def targets(self) -> list[R]:
        """Return the rows that an action applies to now."""
        return self._rows.targets()

    async def run(self, action: Action[R]) -> None:
        """Apply an action to the targets, and report what it did."""
        rows = self.targets()
        if not rows:
            self.say_no_target()
            return
        if not self.workspace.may_write():
            return
        try:
            report = await action.run(rows)
        except (StateError, ValueError) as error:
            self.workspace.say(str(error), severity="error")
            return
        if report is not None:
            self.workspace.say(f"{report}; {self.workspace.decisions.way_back}")
            self.done(action, rows)

    def say_no_target(self) -> None:
        """Report that there is nothing to act on, where an analyst could expect something."""

    def done(self, action: Action[R], rows: Sequence[R]) -> None:
        """Remember that an action was applied to these rows."""
        row_ids = frozenset(map(self._rows.row_id, rows))
        self.workspace.decisions.last[self._noun] = LastAction(action, row_ids)
        self._rows.clear_marks()
        self.refresh()
        self.screen.refresh_bindings()

    async def action_again(self) -> None:
        """Apply the last action to the marked rows, or to the next row."""
        last = self.workspace.decisions.last.get(self._noun)
        if last is None:
            self.workspace.say(f"Nothing to repeat: no {self._noun} action yet")
            return
        was_applied = last.row_ids.issuperset(map(self._rows.row_id, self.targets()))
        if was_applied and not self._rows.has_marks() and not self._rows.advance():
            self.workspace.say(f"Last {self._noun}")
            return
        await self.run(last.action)

    def refresh(self) -> None:
        """Update the number of targets in the footer."""
        counted = len(self.targets()), self._rows.has_marks()
        if counted != self._counted:
            self._counted = counted
            self.screen.refresh_bindings()

    def label_of(self, binding: Binding) -> str | None:
        """Return the label of the action that would be repeated."""
        last = self.workspace.decisions.last.get(self._noun)
        if binding.id == "again" and last is not None:
            return f"again: {last.action.label}"
        return None

    def target_phrase(self, cells: int) -> str:
        """Return ``on 2 alerts:``, or ``on 2:`` in a narrow line, padded to a constant width."""
        count = format.number(self._counted[0])
        if cells < WIDE:
            return f"on {count}:".ljust(len("on 99:"))
        longest = len(f"on 99 {format.plural(2, self._noun).partition(' ')[2]}:")
        return f"on {format.plural(self._counted[0], self._noun)}:".ljust(longest)


class _AlertTargets(Generic[R]):
    """The alerts of a list's rows that are neither resolved nor suppressed."""

    def __init__(self, rows: RowTargets[R], alerts_of: Callable[[R], Iterable[Alert]]) -> None:
        self._rows = rows
        self._alerts_of = alerts_of

    def targets(self) -> list[Alert]:
        alerts = chain.from_iterable(map(self._alerts_of, self._rows.targets()))
        pending = (each for each in alerts if each.status != "closed" and not each.suppressed_by)
        return list({alert.alert_id: alert for alert in pending}.values())

    def has_marks(self) -> bool:
        return self._rows.has_marks()

    def row_id(self, row: Alert) -> str:
        return row.alert_id

    def advance(self) -> bool:
        return self._rows.advance()

    def clear_marks(self) -> None:
        self._rows.clear_marks()


class AlertsOfRows(RowActions[Alert]):
    """Runs actions on the alerts that ``alerts_of`` returns for a list's rows."""

    BINDINGS = []

    def __init__(
        self,
        screen: HuntScreen,
        rows: RowTargets[R],
        alerts_of: Callable[[R], Iterable[Alert]],
    ) -> None:
        super().__init__(screen, _AlertTargets(rows, alerts_of), "alert")

    def say_no_target(self) -> None:
        self.workspace.say(
            f"No alert of this principal; {key_of('watch')} watches for it", severity="warning"
        )

    def refresh(self) -> None:
        """Count nothing: the footer counts rows, and there may be many alerts."""

    def target_phrase(self, cells: int) -> str:  # noqa: ARG002
        return ""
