"""What can be decided on alerts, on every screen that shows them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from detector.detection.alert import Alert, Status
from detector.detection.principal import RelatedPrincipals
from detector.investigation.pivot import Pivot
from detector.store import StateError
from detector.triage.note import NoteBody, Verdict
from detector.triage.suppression import scope_values
from tui.concurrency.worker import work
from tui.keymap import OPEN, TRIAGE, key
from tui.model.repeat import Action
from tui.presentation import format, safe
from tui.screens.base.triage_actions import DecidingScreen

_DONE: dict[Status, str] = {"acknowledged": "Acknowledged", "closed": "Closed", "open": "Reopened"}
_TO_DO: dict[Status, str] = {"acknowledged": "acknowledge", "closed": "done", "open": "reopen"}

_WORDS_CELLS = 24
"""Of a note, on the last line."""


class TriageScreen(DecidingScreen[Alert]):
    BINDINGS = [
        key(
            "alert.acknowledge",
            "a",
            "status('acknowledged')",
            "acknowledge",
            "Acknowledge: you have seen it",
            TRIAGE,
            show=True,
        ),
        key(
            "alert.suppress",
            "x",
            "suppress",
            "suppress",
            "Hide what is known to be harmless, for a time",
            TRIAGE,
            show=True,
        ),
        key(
            "alert.comment",
            "c",
            "comment('undecided')",
            "comment",
            "Write a note into the hunt log",
            TRIAGE,
            show=True,
        ),
        key(
            "alert.escalate",
            "exclamation_mark",
            "comment('escalated')",
            "escalate",
            "Write a note with the verdict escalated, then the case file",
            TRIAGE,
            show=True,
        ),
        key(
            "alert.close",
            "d",
            "status('closed')",
            "done",
            "Close it: dealt with, hidden from the list",
            TRIAGE,
        ),
        key(
            "alert.reopen",
            "u",
            "status('open')",
            "reopen",
            "Reopen what was acknowledged or closed",
            TRIAGE,
        ),
        key(
            "calendar",
            "D",
            "calendar",
            "calendar",
            "The sweeps of its principal by day and hour",
            OPEN,
        ),
        key(
            "pivot",
            "p",
            "pivot",
            "pivot",
            "Every call of its principal around it, from the logs",
            OPEN,
            show=True,
        ),
    ]

    noun = "alert"

    def at_cursor(self) -> Alert | None:
        """The alert that is looked at now."""
        raise NotImplementedError

    def row_id(self, row: Alert) -> str:
        return row.alert_id

    async def action_status(self, status: Status) -> None:
        await self.decide(Action(_TO_DO[status], partial(self._set_status, status)))

    async def _set_status(self, status: Status, alerts: Sequence[Alert]) -> str:
        await self.workspace.decisions.set_status(alerts, status)
        return f"{_DONE[status]} {_named(alerts)}"

    def action_comment(self, verdict: Verdict) -> None:
        alerts = self.targets()
        if not alerts or not self.workspace.may_write():
            return

        def saved(written: NoteBody) -> None:
            self.done(Action(f"note “{_short(written)}”", partial(self._note, written)), alerts)
            if verdict == "escalated":
                self.workspace.routes.offer_case_files(alerts)

        self.workspace.routes.write_note(alerts, verdict, saved)

    async def _note(self, words: NoteBody, alerts: Sequence[Alert]) -> str:
        await self.workspace.decisions.add_notes(alerts, words)
        return f"Noted “{_short(words)}” on {_named(alerts)}"

    async def action_suppress(self) -> None:
        await self.decide(Action("suppress", partial(self._suppress, {})))

    async def _suppress(self, filled: Mapping[str, str], alerts: Sequence[Alert]) -> None:
        """Ask what to hide; done again, it is asked with what was filled in before, since its value
        is another one."""
        if not any(map(scope_values, alerts)):
            self.workspace.say(
                "Its calls name no principal, key, agent, address or account to suppress by",
                severity="warning",
            )
            return

        def saved(filled: Mapping[str, str]) -> None:
            self.done(Action("suppress as before …", partial(self._suppress, filled)), alerts)

        self.workspace.routes.suppress(alerts, filled, saved)

    def action_calendar(self) -> None:
        alert = self.at_cursor()
        if alert is not None:
            self.workspace.routes.open_calendar(alert)

    def action_pivot(self) -> None:
        from detector.investigation.pivot import pivot_around

        self.open_pivot(lambda alert, lineage: pivot_around(alert, lineage, "its principal"))

    @work(exclusive=True, group="open-pivot")
    async def open_pivot(self, wanted: Callable[[Alert, RelatedPrincipals], Pivot]) -> None:
        """Ask the logs what ``wanted`` says of the alert that is looked at, and of those who count
        as its principal."""
        alert = self.at_cursor()
        if alert is None:
            return
        try:
            lineage = await asyncio.to_thread(self.workspace.store.alerts.lineage, alert.alert_id)
        except StateError as error:
            self.workspace.say(str(error), severity="error")
            return
        if not lineage:
            self.workspace.say(
                "Its calls name no principal, role or key to look for", severity="warning"
            )
        elif self._in_front:
            trail = ("Alerts", format.principal(alert))
            self.workspace.routes.open_pivot(trail, alert, wanted(alert, lineage))


def _named(alerts: Sequence[Alert]) -> str:
    return format.principal(alerts[0]) if len(alerts) == 1 else format.plural(len(alerts), "alert")


def _short(words: NoteBody) -> str:
    return safe.clip(safe.visible(words.text or words.ticket or words.verdict), _WORDS_CELLS)
