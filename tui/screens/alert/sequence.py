"""The sequence of alerts through which the analyst can step."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from detector.detection.alert import Alert
from detector.text.plural import plural
from tui.keymap import MOVE, key
from tui.screens.base.screen import HuntScreen, ScreenPart


class AlertSequence(ScreenPart):
    """The ids of alerts in order, and the current one.

    ``stepped`` is called with the id of each alert to which the analyst steps.
    """

    BINDINGS = [
        key(
            "alert.next",
            "J",
            "step(1)",
            "next alert",
            "Next alert",
            MOVE,
            show=True,
        ),
        key(
            "alert.previous",
            "K",
            "step(-1)",
            "previous alert",
            "Previous alert",
            MOVE,
        ),
    ]

    def __init__(
        self,
        screen: HuntScreen,
        alert_id: str,
        order: Sequence[str],
        stepped: Callable[[str], object],
    ) -> None:
        super().__init__(screen)
        self.alert_id = alert_id
        self._order = tuple(order)
        self._stepped = stepped

    @property
    def position(self) -> str:
        """The position of the current alert, for example ``3 of 12 alerts``."""
        if self.alert_id not in self._order:
            return ""
        return f"{self._order.index(self.alert_id) + 1} of {plural(len(self._order), 'alert')}"

    def replace_current(self, alert: Alert) -> None:
        """Replace the current alert by the alert into which it was merged."""
        self.workspace.say(
            f"Merged by late data – showing the merged alert (revision {alert.revision})"
        )
        replacement = {self.alert_id: alert.alert_id}
        self._order = tuple(replacement.get(alert_id, alert_id) for alert_id in self._order)
        self.alert_id = alert.alert_id

    def action_step(self, step: int) -> None:
        """Go to the next alert, or to the previous one."""
        self.step(step)

    def step(self, step: int) -> bool:
        """Go to the next (1) or previous (-1) alert; return False if there is none."""
        alert_id = self._beside(step)
        if alert_id is None:
            self.workspace.say("Last alert" if step > 0 else "First alert")
            return False
        self.alert_id = alert_id
        self._stepped(alert_id)
        return True

    def _beside(self, step: int) -> str | None:
        """Return the id of the nearest alert in this direction that still exists, or None."""
        index = self._order.index(self.alert_id) if self.alert_id in self._order else 0
        ahead: Sequence[str] = ()
        if step > 0:
            ahead = self._order[index + step :]
        elif index:
            ahead = self._order[index + step :: -1]
        alerts = self.workspace.view_model.alerts
        return next((alert_id for alert_id in ahead if alert_id in alerts), None)
