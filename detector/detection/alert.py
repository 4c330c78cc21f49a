"""The alert: its finding, context, lifecycle and triage.

Only the lifecycle depends on the order in which records arrived.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from detector.detection.baseline import Baseline
from detector.detection.finding import Facets, Finding, Window
from detector.ecs.values import Value
from detector.rules.rule_summary import RuleSummary
from detector.text.time import format_time

Status = Literal["open", "acknowledged", "closed"]
STATUSES: tuple[Status, ...] = ("open", "acknowledged", "closed")

SEVERITIES = ("low", "medium", "high", "critical")
"""From the least to the most severe."""


class Flag(msgspec.Struct, frozen=True, gc=False):
    """A flag on an alert: how often it was raised, and when first and last, in epoch seconds."""

    flag: str
    count: int
    first: int
    last: int

    def as_json(self) -> dict[str, Any]:
        """Return the flag as an object for JSON output and exports."""
        return {
            "flag": self.flag,
            "count": self.count,
            "first": format_time(self.first),
            "last": format_time(self.last),
        }


class Risk(msgspec.Struct, frozen=True, gc=False):
    """A score from 0 to 100, its severity and its summands.

    ``parts`` are (source, points), in the order in which they are added."""

    score: int
    severity: str
    parts: list[tuple[str, int]]


class AlertContext(msgspec.Struct, frozen=True, gc=False):
    """An alert's context: its flags, baseline and risk."""

    flags: list[Flag] = []
    baseline: Baseline | None = None
    """The history of its principal and account; None until all known files were read."""
    risk: Risk | None = None
    """The rule's score plus the points of the flags; None until the flags are known."""


class Lifecycle(msgspec.Struct, frozen=True, gc=False):
    """An alert's revision, whether it is settled, and the ids of the alerts that it supersedes."""

    revision: int = 1
    settled: bool = False
    supersedes: list[str] = []


class Handling(msgspec.Struct, frozen=True, gc=False):
    """Who an alert is assigned to, and what its notes say.

    ``notes`` is their number; ``verdict`` comes from the latest note with a verdict; ``tickets``
    are in the order in which they were written."""

    assignee: str = ""
    notes: int = 0
    verdict: str = ""
    tickets: list[str] = []


class Triage(msgspec.Struct, frozen=True, gc=False):
    """What was decided on an alert.

    ``broke_through`` are the novelties that keep matching suppressions from hiding the alert."""

    status: Status = "open"
    suppressed_by: str | None = None
    broke_through: list[str] = []
    handling: Handling = Handling()


class Alert(msgspec.Struct, frozen=True, gc=False):
    """An alert: four parts, each with a single writer.

    ``derive`` makes the finding, ``correlate`` the context, the store the lifecycle; analysts and
    their suppressions decide the triage."""

    finding: Finding
    context: AlertContext = AlertContext()
    lifecycle: Lifecycle = Lifecycle()
    triage: Triage = Triage()

    @property
    def alert_id(self) -> str:
        return self.finding.alert_id

    @property
    def rule(self) -> RuleSummary:
        return self.finding.rule

    @property
    def window(self) -> Window | None:
        return self.finding.window

    @property
    def key(self) -> dict[str, Value]:
        return self.finding.key

    @property
    def columns(self) -> dict[str, Value]:
        return self.finding.columns

    @property
    def event_ids(self) -> list[str]:
        return self.finding.event_ids

    @property
    def first_event(self) -> int:
        return self.finding.first_event

    @property
    def last_event(self) -> int:
        return self.finding.last_event

    @property
    def facets(self) -> Facets:
        return self.finding.facets

    @property
    def start(self) -> int:
        """The start of the window; without one, the first event."""
        return self.finding.start

    @property
    def extent(self) -> tuple[int, int]:
        """The half-open span that the alert covers: its window, or its events."""
        return self.finding.extent

    @property
    def shown_extent(self) -> tuple[int, int]:
        """The span as shown: the window, or first and last event."""
        return self.finding.shown_extent

    @property
    def span(self) -> int:
        """Seconds from the first to the last event."""
        return self.finding.span

    @property
    def principal(self) -> str:
        """The first caller ARN; ``""`` where no caller has one."""
        return self.finding.principal

    @property
    def account(self) -> str:
        """The first caller account; ``""`` where none is known."""
        return self.finding.account

    @property
    def networks(self) -> list[str]:
        """The AS organizations that the rule's query returned, if it returned any."""
        return self.finding.networks

    @property
    def event_count(self) -> int:
        """The number of distinct events."""
        return self.finding.event_count

    @property
    def flags(self) -> list[Flag]:
        return self.context.flags

    @property
    def baseline(self) -> Baseline | None:
        return self.context.baseline

    @property
    def risk(self) -> Risk | None:
        return self.context.risk

    @property
    def revision(self) -> int:
        return self.lifecycle.revision

    @property
    def settled(self) -> bool:
        return self.lifecycle.settled

    @property
    def supersedes(self) -> list[str]:
        return self.lifecycle.supersedes

    @property
    def status(self) -> Status:
        return self.triage.status

    @property
    def suppressed_by(self) -> str | None:
        return self.triage.suppressed_by

    @property
    def broke_through(self) -> list[str]:
        return self.triage.broke_through

    @property
    def handling(self) -> Handling:
        return self.triage.handling

    @property
    def assignee(self) -> str:
        """The analyst it is assigned to; ``""``: nobody."""
        return self.triage.handling.assignee

    @property
    def severity(self) -> str:
        """The severity of the risk; the rule's until the risk is known."""
        risk = self.context.risk
        return risk.severity if risk else self.finding.rule.severity

    @property
    def score(self) -> int:
        """The score of the risk; the rule's until the risk is known."""
        risk = self.context.risk
        return risk.score if risk else self.finding.rule.risk_score

    def with_triage(self, **changed: Any) -> Alert:
        """Return the alert with these fields of its triage replaced."""
        return msgspec.structs.replace(self, triage=msgspec.structs.replace(self.triage, **changed))

    def as_json(self) -> dict[str, Any]:
        """Return the object that ``--format jsonl`` prints."""
        window = None
        if self.window:
            window = {
                "mode": self.window.mode,
                "start": format_time(self.window.start),
                "end": format_time(self.window.end),
            }
        return {
            "alert_id": self.alert_id,
            "revision": self.revision,
            "state": "settled" if self.settled else "provisional",
            "status": self.status,
            "rule": {
                "id": self.rule.id,
                "name": self.rule.name,
                "severity": self.rule.severity,
                "risk_score": self.rule.risk_score,
                "building_block": self.rule.building_block,
            },
            "window": window,
            "key": self.key,
            "columns": self.columns,
            "event_ids": self.event_ids,
            "first_event": format_time(self.first_event),
            "last_event": format_time(self.last_event),
            "flags": [flag.as_json() for flag in self.flags],
            "risk": {"score": self.score, "severity": self.severity},
            "suppressed_by": self.suppressed_by,
            "broke_through": self.broke_through,
            "supersedes": self.supersedes,
            **self.flat_core(),
        }

    def flat_core(self) -> dict[str, Any]:
        """Return the fields that the alerts of all rules have in common, for a SIEM to map.

        Severity and score are the alert's, including its context; those under ``rule`` are the
        rule's."""
        facets, attack = self.facets, self.rule.attack
        return {
            "principal": self.principal or None,
            "accounts": facets.accounts,
            "regions": facets.regions,
            "source_ips": facets.source_addresses,
            "user_agents": facets.user_agents,
            "severity": self.severity,
            "risk_score": self.score,
            "calls": self.event_count,
            "techniques": sorted({each.id for each in attack}),
            "tactics": sorted({each.tactic for each in attack if each.tactic}),
            "assignee": self.assignee or None,
        }
