"""What can be decided on alerts, on every screen that shows them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from textual import work

from detector.alert import Alert, Status
from detector.huntlog import Verdict, scope_values
from detector.lineage import Lineage
from detector.pivot import Pivot
from detector.store import StateError
from tui import format
from tui.keymap import OPEN, TRIAGE, key
from tui.screens.base import HuntScreen

_DONE: dict[Status, str] = {"acknowledged": "Acknowledged", "closed": "Closed", "open": "Reopened"}


class TriageScreen(HuntScreen):
    """Decisions apply to ``targets()`` as they were when the key was pressed: to their ids, not to their places."""

    BINDINGS = [
        key("alert.acknowledge", "a", "status('acknowledged')", "acknowledge", "Acknowledge: you have seen it", TRIAGE,
            show=True),
        key("alert.suppress", "x", "suppress", "suppress", "Hide what is known to be harmless, for a time", TRIAGE,
            show=True),
        key("alert.comment", "c", "comment('undecided')", "comment", "Write a note into the hunt log", TRIAGE,
            show=True),
        key("alert.escalate", "exclamation_mark", "comment('escalated')", "escalate",
            "Write a note with the verdict escalated, then the case file", TRIAGE, show=True),
        key("alert.close", "d", "status('closed')", "done", "Close it: dealt with, hidden from the list", TRIAGE),
        key("alert.reopen", "u", "status('open')", "reopen", "Reopen what was acknowledged or closed", TRIAGE),
        key("pivot", "p", "pivot", "pivot", "Every call of its principal around it, from the logs", OPEN, show=True),
        key("alert.undo", "z", "undo", "undo", "Take the latest change of status back", TRIAGE),
    ]

    def targets(self) -> list[Alert]:
        """The alerts that a decision applies to now."""
        raise NotImplementedError

    def at_cursor(self) -> Alert | None:
        """The alert that is looked at now."""
        raise NotImplementedError

    def decided(self) -> None:
        """A decision was made on the targets."""

    async def action_status(self, status: Status) -> None:
        alerts = self.targets()
        if not alerts or not self.hunt.may_write():
            return
        try:
            await self.hunt.decisions.set_status([alert.alert_id for alert in alerts], status)
        except StateError as error:
            self.hunt.say(str(error), severity="error")
            return
        self.hunt.say(f"{_DONE[status]} {self._named(alerts)}; z takes it back")
        self.decided()

    async def action_undo(self) -> None:
        if not self.hunt.may_write():
            return
        try:
            count = await self.hunt.decisions.undo()
        except StateError as error:
            self.hunt.say(str(error), severity="error")
            return
        self.hunt.say(f"Taken back for {format.plural(count, 'alert')}" if count else "Nothing to take back")

    def action_comment(self, verdict: Verdict) -> None:
        from tui.screens.forms.note import NoteForm

        alerts = self.targets()
        def closed(saved: bool | None) -> None:
            self._form_closed(saved)
            if saved and verdict == "escalated":
                from tui.screens.escalation import offer

                offer(self.hunt, alerts)

        if alerts and self.hunt.may_write():
            self.app.push_screen(NoteForm(alerts, verdict), closed)

    def action_suppress(self) -> None:
        from tui.screens.forms.suppress import SuppressForm

        alerts = self.targets()
        if not alerts or not self.hunt.may_write():
            return
        if any(map(scope_values, alerts)):
            self.app.push_screen(SuppressForm(alerts), self._form_closed)
        else:
            self.hunt.say("Its calls name no principal, key, agent, address or account to suppress by",
                          severity="warning")

    def action_pivot(self) -> None:
        from detector.pivot import around

        self.open_pivot(lambda alert, lineage: around(alert, lineage, "its principal"))

    @work(exclusive=True, group="open-pivot")
    async def open_pivot(self, wanted: Callable[[Alert, Lineage], Pivot]) -> None:
        """Ask the logs what ``wanted`` says of the alert that is looked at, and of those who count as its principal."""
        from tui.screens.pivot import PivotScreen

        alert = self.at_cursor()
        if alert is None:
            return
        try:
            lineage = await asyncio.to_thread(self.hunt.store.lineage, alert.alert_id)
        except StateError as error:
            self.hunt.say(str(error), severity="error")
            return
        if not lineage:
            self.hunt.say("Its calls name no principal, role or key to look for", severity="warning")
        elif self._in_front:
            self.app.push_screen(PivotScreen(("Alerts", format.principal(alert)), alert, wanted(alert, lineage)))

    def _form_closed(self, saved: bool | None) -> None:
        if saved:
            self.decided()

    def _named(self, alerts: list[Alert]) -> str:
        return format.principal(alerts[0]) if len(alerts) == 1 else format.plural(len(alerts), "alert")
