"""Actions on alerts, on every screen that shows them: triage, calendar, pivot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from detector.detection.alert import Alert, Status
from detector.detection.baseline import principal_of
from detector.detection.principal import RelatedPrincipals
from detector.investigation.pivot import Pivot
from detector.store import StateError
from detector.triage.caller import Caller
from detector.triage.note import NoteBody, Verdict
from detector.triage.suppression import scope_values
from tui.concurrency.worker import work
from tui.keymap import OPEN, TRIAGE, key, workbench_key
from tui.model.repeat import Action
from tui.presentation import format, safe
from tui.screens.base.row_actions import RowActions
from tui.screens.base.screen import HuntScreen, ScreenPart
from tui.screens.base.watch_action import Offer, offers_of

_DONE: dict[Status, str] = {
    "acknowledged": "Acknowledged",
    "closed": "Resolved",
    "open": "Reopened",
}
_TO_DO: dict[Status, str] = {"acknowledged": "acknowledge", "closed": "resolve", "open": "reopen"}

_NO_SCOPE = "Nothing to suppress by: no principal, key, agent, IP or account"
_NOTE_CELLS = 24
"""Maximum width of a note's text in the footer, in cells."""


def _no_callers() -> Sequence[Caller]:
    return ()


class AlertActions(ScreenPart):
    """Triage of the targets; calendar and pivot of the current alert.

    Where there is no alert, notes and suppressions apply to the callers that ``callers`` returns.
    """

    BINDINGS = [
        key(
            "alert.acknowledge",
            "a",
            "status('acknowledged')",
            "ack",
            "Acknowledge",
            TRIAGE,
            show=True,
        ),
        key(
            "alert.suppress",
            "x",
            "suppress",
            "suppress",
            "Suppress similar alerts temporarily",
            TRIAGE,
            show=True,
        ),
        key(
            "alert.comment",
            "c",
            "comment('undecided')",
            "note",
            "Add a note to the hunt log",
            TRIAGE,
            show=True,
        ),
        key(
            "alert.escalate",
            "exclamation_mark",
            "comment('escalated')",
            "escalate",
            "Escalate: add a note, then write the case file",
            TRIAGE,
            show=True,
        ),
        key(
            "alert.assign",
            "A",
            "assign",
            "assign",
            "Assign to me, or to nobody if they are mine",
            TRIAGE,
            show=True,
        ),
        key(
            "alert.close",
            "d",
            "status('closed')",
            "resolve",
            "Resolve (hides it)",
            TRIAGE,
        ),
        key(
            "alert.reopen",
            "u",
            "status('open')",
            "reopen",
            "Reopen acknowledged or resolved alerts",
            TRIAGE,
        ),
        key(
            "calendar",
            "D",
            "calendar",
            "calendar",
            "This principal's alerts by day and hour",
            OPEN,
        ),
        key(
            "pivot",
            "p",
            "pivot",
            "pivot",
            "All activity by this principal (±30 min)",
            OPEN,
            show=True,
        ),
        workbench_key(show=False),
    ]

    def __init__(
        self,
        screen: HuntScreen,
        row_actions: RowActions[Alert],
        current: Callable[[], Alert | None],
        callers: Callable[[], Sequence[Caller]] = _no_callers,
    ) -> None:
        super().__init__(screen)
        self._callers = callers
        self._row_actions = row_actions
        self._current = current

    async def action_status(self, status: Status) -> None:
        """Acknowledge, close or reopen the targets."""
        await self._row_actions.run(Action(_TO_DO[status], partial(self._set_status, status)))

    async def _set_status(self, status: Status, alerts: Sequence[Alert]) -> str:
        await self.workspace.decisions.set_status(alerts, status)
        return f"{_DONE[status]} {_named(alerts)}"

    async def action_assign(self) -> None:
        """Assign the targets to the analyst, or to nobody if all are already the analyst's."""
        author = self.workspace.store.database.author
        alerts = self._row_actions.targets()
        is_mine = bool(alerts) and all(alert.assignee == author for alert in alerts)
        name = "" if is_mine else author
        label = "unassign" if is_mine else "assign to me"
        await self._row_actions.run(Action(label, partial(self._assign, name)))

    async def _assign(self, name: str, alerts: Sequence[Alert]) -> str:
        await self.workspace.decisions.assign(alerts, name)
        if not name:
            return f"Unassigned {_named(alerts)}"
        return f"Assigned {_named(alerts)} to {safe.visible(name)}"

    def action_comment(self, verdict: Verdict) -> None:
        """Ask for a note on the targets.

        After an escalation, offer to write the case files.
        """
        alerts = self._row_actions.targets()
        callers = () if alerts else self._callers()
        if not alerts and not callers:
            self._row_actions.say_no_target()
            return
        if not self.workspace.may_write():
            return
        if callers:
            self.workspace.routes.write_note((), verdict, self._done_to_callers, callers)
            return

        def saved(note: NoteBody) -> None:
            action = Action(f"note “{_short(note)}”", partial(self._add_note, note))
            self._row_actions.done(action, alerts)
            if verdict == "escalated":
                self.workspace.routes.offer_case_files(alerts)

        self.workspace.routes.write_note(alerts, verdict, saved)

    async def _add_note(self, note: NoteBody, alerts: Sequence[Alert]) -> str:
        await self.workspace.decisions.add_notes(alerts, note)
        return f"Note “{_short(note)}” added to {_named(alerts)}"

    async def action_suppress(self) -> None:
        """Ask what to suppress."""
        callers = () if self._row_actions.targets() else self._callers()
        if callers:
            self._suppress_callers(callers)
            return
        await self._row_actions.run(Action("suppress", partial(self._suppress, {})))

    def _suppress_callers(self, callers: Sequence[Caller]) -> None:
        if not self.workspace.may_write():
            return
        if any(caller.scopes for caller in callers):
            self.workspace.routes.suppress((), {}, self._done_to_callers, callers)
        else:
            self.workspace.say(_NO_SCOPE, severity="warning")

    def _done_to_callers(self, _: object) -> None:
        self._row_actions.refresh()
        self.screen.show()

    async def _suppress(self, filled: Mapping[str, str], alerts: Sequence[Alert]) -> None:
        """Ask what to suppress, with the form prefilled from ``filled``.

        Repeating the action asks again, since other alerts have other values.
        """
        if not any(map(scope_values, alerts)):
            self.workspace.say(_NO_SCOPE, severity="warning")
            return

        def saved(filled: Mapping[str, str]) -> None:
            action = Action("suppress as before …", partial(self._suppress, filled))
            self._row_actions.done(action, alerts)

        self.workspace.routes.suppress(alerts, filled, saved)

    def watch_offers(self) -> Sequence[Offer]:
        """Return the values of the current alert that can be watched for."""
        alert = self._current()
        if alert is None:
            return ()
        facets = alert.facets
        return offers_of(
            [*map(principal_of, facets.arns), *facets.access_keys, *facets.source_addresses]
        )

    def action_calendar(self) -> None:
        """Open the calendar of the current alert."""
        alert = self._current()
        if alert is not None:
            self.workspace.routes.open_calendar(alert)

    def action_workbench(self) -> None:
        """Open the workbench of the current alert's rule."""
        alert = self._current()
        if alert is None:
            return
        rule = self.workspace.rules.get(alert.rule.id)
        if rule is None or not rule.alerts:
            self.workspace.say("The rule of this alert is not loaded", severity="warning")
        else:
            self.workspace.routes.open_workbench(("Alerts",), rule)

    def action_pivot(self) -> None:
        """Open every call of the principal around the current alert."""
        from detector.investigation.pivot import pivot_around

        self.open_pivot(lambda alert, principals: pivot_around(alert, principals, "all activity"))

    @work(exclusive=True, group="open-pivot")
    async def open_pivot(self, make_pivot: Callable[[Alert, RelatedPrincipals], Pivot]) -> None:
        """Open the pivot built from the current alert and its related principals."""
        alert = self._current()
        if alert is None:
            return
        try:
            principals = await asyncio.to_thread(
                self.workspace.store.alerts.lineage, alert.alert_id
            )
        except StateError as error:
            self.workspace.say(str(error), severity="error")
            return
        if not principals:
            self.workspace.say("Nothing to pivot on: no principal, role or key", severity="warning")
        elif self.screen.is_in_front:
            trail = ("Alerts", format.principal(alert))
            self.workspace.routes.open_pivot(trail, alert, make_pivot(alert, principals))


PAGE_BINDINGS = [
    binding
    for binding in AlertActions.BINDINGS
    if binding.id in ("alert.suppress", "alert.comment")
]
"""The bindings for the page of a row that is not an alert."""

LIST_BINDINGS = [replace(binding, show=False) for binding in PAGE_BINDINGS]
"""The bindings for the alerts of a list row that is not itself an alert."""


def _named(alerts: Sequence[Alert]) -> str:
    return format.principal(alerts[0]) if len(alerts) == 1 else format.plural(len(alerts), "alert")


def _short(note: NoteBody) -> str:
    return safe.clip(safe.visible(note.text or note.ticket or note.verdict), _NOTE_CELLS)
