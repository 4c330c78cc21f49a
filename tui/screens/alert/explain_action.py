"""The key that explains why rules fired for the principal of an alert."""

from __future__ import annotations

from collections.abc import Callable

from detector.detection.alert import Alert
from tui.keymap import explain_key
from tui.screens.base.screen import HuntScreen, ScreenPart


class ExplainAction(ScreenPart):
    """Opens the explanation of the alert that ``current`` returns."""

    BINDINGS = [
        explain_key(show=False),
    ]

    def __init__(self, screen: HuntScreen, current: Callable[[], Alert | None]) -> None:
        super().__init__(screen)
        self._current = current

    def action_explain(self) -> None:
        alert = self._current()
        if alert is None or not alert.principal:
            self.workspace.say("This alert names no principal", severity="warning")
        else:
            routes = self.workspace.routes
            routes.open_explanation(("Alerts",), alert.principal, alert.rule.id)
