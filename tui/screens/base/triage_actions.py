"""What is decided on rows: on the marked ones, or else on the one under the cursor; and again, on the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from textual import on
from textual.binding import Binding

from detector.store import StateError
from tui.keymap import MARK, TRIAGE, key
from tui.model.repeat import Action, LastAction
from tui.presentation import format
from tui.screens.base.filtered_list import ListScreen
from tui.screens.base.screen import HuntScreen
from tui.widgets.row_list import RowList

R = TypeVar("R")


class DecidingScreen(HuntScreen, Generic[R]):
    """Decisions apply to ``targets()`` as they were when the key was pressed: to their ids, not to
    their places."""

    BINDINGS = [
        key(
            "again",
            "full_stop",
            "again",
            "again",
            "Do the last thing again: to what is marked, or to the next row",
            MARK,
        ),
    ]

    noun: str
    """What a row is called; screens with rows of one kind share what was done last."""

    _counted = (0, False)
    """How many rows would be decided on, and whether they are marked; as the last line says it."""

    def targets(self) -> list[R]:
        """The rows that a decision applies to now."""
        raise NotImplementedError

    def marked(self) -> bool:
        """Whether they are the marked ones."""
        return False

    def row_id(self, row: R) -> str:
        raise NotImplementedError

    def advance(self) -> bool:
        """Go to the next row; False on the last one."""
        raise NotImplementedError

    def decided(self) -> None:
        """A decision was made on the targets."""

    async def decide(self, action: Action[R]) -> None:
        """Do it to the targets, and say so."""
        rows = self.targets()
        if not rows or not self.workspace.may_write():
            return
        try:
            said = await action.run(rows)
        except (StateError, ValueError) as error:
            self.workspace.say(str(error), severity="error")
            return
        if said is not None:
            self.workspace.say(f"{said}; {self.workspace.decisions.way_back}")
            self.done(action, rows)

    def done(self, action: Action[R], rows: Sequence[R]) -> None:
        """It was done to these rows, and can be done again."""
        self.workspace.decisions.last[self.noun] = LastAction(
            action, frozenset(map(self.row_id, rows))
        )
        self.decided()
        self.count_targets()
        self.refresh_bindings()

    async def action_again(self) -> None:
        last = self.workspace.decisions.last.get(self.noun)
        if last is None:
            self.workspace.say(f"Nothing to do again: no {self.noun} was decided on yet")
        elif (
            not self.marked()
            and last.row_ids.issuperset(map(self.row_id, self.targets()))
            and not self.advance()
        ):
            self.workspace.say(f"This is the last {self.noun}")
        else:
            await self.decide(last.action)

    def show_status(self) -> None:
        super().show_status()
        self.count_targets()

    def count_targets(self) -> None:
        """The marks or the cursor may have changed: let the last line say how many rows are
        meant."""
        counted = len(self.targets()), self.marked()
        if counted != self._counted:
            self._counted = counted
            self.refresh_bindings()

    def label_of(self, binding: Binding) -> str:
        label, (count, marked) = super().label_of(binding), self._counted
        if binding.id == "again" and (last := self.workspace.decisions.last.get(self.noun)):
            label = f"again: {last.action.label}"
        elif binding.group != TRIAGE:
            return label
        return (
            f"{label} {format.number(count)} marked"
            if marked
            else f"{label} {format.plural(count, self.noun)}"
            if count > 1
            else label
        )


class DecidingListScreen(DecidingScreen[R], ListScreen[R], Generic[R]):
    """The rows are those of a list."""

    def targets(self) -> list[R]:
        return self.row_list.selection

    def marked(self) -> bool:
        return bool(self.row_list.marks)

    def advance(self) -> bool:
        return self.row_list.advance()

    def decided(self) -> None:
        self.row_list.marks = ()

    @on(RowList.MarksChanged)
    @on(RowList.Highlighted)
    def _meant_changed(self) -> None:
        self.count_targets()
