"""The key that attaches a row's alerts, principals or events to a hunt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from detector.detection.alert import Alert
from detector.detection.baseline import principal_of
from detector.detection.event import Event
from detector.investigation.principals import PrincipalRow
from detector.store import StateError
from detector.text.abbreviations import short_arn
from detector.triage.hunt_record import HuntFinding, HuntRecord
from tui.concurrency.worker import work
from tui.keymap import TRIAGE, key
from tui.presentation import format, safe
from tui.screens.base.menu import Menu
from tui.screens.base.screen import HuntScreen, ScreenPart

_OPTION_CELLS = 48
_NEW = "new"


class AttachAction(ScreenPart):
    """Attaches what ``findings`` returns to a hunt that the analyst chooses or begins."""

    BINDINGS = [
        key(
            "attach",
            "at",
            "attach",
            "attach",
            "Attach to a hunt",
            TRIAGE,
        ),
    ]

    def __init__(self, screen: HuntScreen, findings: Callable[[], Sequence[HuntFinding]]) -> None:
        super().__init__(screen)
        self._findings = findings

    def action_attach(self) -> None:
        """Ask which hunt to attach the findings to."""
        if not self.workspace.may_write():
            return
        findings = self._findings()
        if not findings:
            self.workspace.say("Nothing to attach here", severity="warning")
            return
        hunts = [hunt for hunt in self.workspace.view_model.hunts if hunt.is_open]
        options = [
            (hunt.hunt_id, safe.clip(safe.visible(hunt.name), _OPTION_CELLS)) for hunt in hunts
        ]
        options.append((_NEW, "a new hunt …"))

        def chosen(hunt_id: str | None) -> None:
            if hunt_id == _NEW:
                self.workspace.routes.begin_hunt(lambda hunt: self._attach(hunt, findings))
            elif hunt_id is not None:
                hunt = self.workspace.view_model.hunt(hunt_id)
                if hunt is not None:
                    self._attach(hunt, findings)

        heading = f"Attach {format.plural(len(findings), findings[0].kind)} to"
        self.screen.app.push_screen(Menu(heading, options, options[0][0]), chosen)

    @work(group="attach")
    async def _attach(self, hunt: HuntRecord, findings: Sequence[HuntFinding]) -> None:
        decisions = self.workspace.decisions
        try:
            added = await decisions.hunts.attach(hunt.hunt_id, findings)
        except StateError as error:
            self.workspace.say(str(error), severity="error")
            return
        name = safe.clip(safe.visible(hunt.name), _OPTION_CELLS)
        if not added:
            self.workspace.say(f"Attached already to {name}")
            return
        said = format.plural(len(added), added[0].kind)
        self.workspace.say(f"Attached {said} to {name}; {decisions.way_back}")


def alert_findings(alerts: Iterable[Alert]) -> list[HuntFinding]:
    """Return alerts as findings that record what is known of them now."""
    return [
        HuntFinding(
            "alert",
            alert.alert_id,
            short_arn(alert.principal) or "no ARN",
            f"{alert.rule.name}, {alert.severity} {alert.score}, "
            f"{format.plural(alert.event_count, 'call')} in "
            f"{format.plural(len(alert.facets.regions), 'region')}",
            alert.first_event,
        )
        for alert in alerts
    ]


def principal_findings(rows: Iterable[PrincipalRow]) -> list[HuntFinding]:
    """Return principals as findings that record their calls in the span of the rows."""
    return [
        HuntFinding(
            "principal",
            row.name or "unnamed",
            short_arn(row.name) or "unnamed callers",
            f"{format.plural(row.calls, 'call')}, {row.denied:,} denied, in "
            f"{format.plural(len(row.regions), 'region')}",
            row.first,
        )
        for row in rows
    ]


def event_findings(events: Iterable[Event]) -> list[HuntFinding]:
    """Return events as findings that keep the position of their records in the logs."""
    return [
        HuntFinding(
            "event",
            event.event_id,
            short_arn(principal_of(event.arn)) or event.caller_account or "no ARN",
            f"{event.action} {event.error_code or 'ok'} in {event.region} "
            f"from {event.source_address}",
            event.time,
            event,
        )
        for event in events
    ]
