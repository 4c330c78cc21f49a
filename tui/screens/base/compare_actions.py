"""The key that compares two rows of a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from tui.keymap import OPEN, key, key_of
from tui.model.comparison import Comparison
from tui.presentation import format
from tui.screens.base.screen import HuntScreen, ScreenPart

R = TypeVar("R")


class ComparableRows(Protocol[R]):
    """The rows of a screen, two of which can be compared."""

    def rows_to_compare(self) -> Sequence[R]:
        """Return the marked rows; with a single mark, also the row under the cursor."""

    def comparison_of(self, left: R, right: R) -> Comparison:
        """Compare two rows."""


class CompareActions(ScreenPart, Generic[R]):
    """Compares the two marked rows, or the one marked row with the row under the cursor."""

    BINDINGS = [
        key("compare", "m", "compare", "compare", "Compare two rows: what differs", OPEN),
    ]

    def __init__(self, screen: HuntScreen, rows: ComparableRows[R]) -> None:
        super().__init__(screen)
        self._rows = rows

    def action_compare(self) -> None:
        """Open the comparison of two rows, or say how to choose them."""
        rows = self._rows.rows_to_compare()
        if len(rows) == 2:
            left, right = rows
            self.workspace.routes.open_comparison(self._rows.comparison_of(left, right))
            return
        how = f"mark two rows with {key_of('list.mark')}, then {key_of('compare')} compares them"
        if len(rows) > 2:
            how = f"{format.plural(len(rows), 'row')} are marked: {how}"
        self.workspace.say(how[0].upper() + how[1:])
