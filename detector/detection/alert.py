"""The alert: finding, context, lifecycle and triage.

What a rule found is derived from its window's set of hits alone, so the same records give the same
alert with the same id, in whatever order they came. Only ``revision`` and ``supersedes`` depend on
how it came about.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

from detector.cloudtrail.record import json_text
from detector.detection.baseline import Baseline, principal_of
from detector.detection.event import KeptEvent
from detector.ecs.values import Value
from detector.rules.rule_summary import RuleSummary, WindowMode
from detector.text.time import format_time

Status = Literal["open", "acknowledged", "closed"]
STATUSES: tuple[Status, ...] = ("open", "acknowledged", "closed")

SEVERITIES = ("low", "medium", "high", "critical")
"""From the least to the most severe."""


class Window(msgspec.Struct, frozen=True):
    """The half-open span ``[start, end)`` in epoch seconds that an alert covers."""

    mode: WindowMode
    start: int
    end: int


class Flag(msgspec.Struct, frozen=True):
    """A correlated signal: how often, and its first and last time."""

    flag: str
    count: int
    first: int
    last: int

    def as_json(self) -> dict[str, Any]:
        """Return the object that JSON output and exports have of a flag."""
        return {
            "flag": self.flag,
            "count": self.count,
            "first": format_time(self.first),
            "last": format_time(self.last),
        }


class Risk(msgspec.Struct, frozen=True):
    """A score from 0 to 100, its severity and its summands.

    A part is (what, points); the parts are in the order in which they are added."""

    score: int
    severity: str
    parts: list[tuple[str, int]]


class Facets(msgspec.Struct, frozen=True):
    """The distinct values over an alert's events, each list sorted.

    Suppressions match them, and lists show them."""

    regions: list[str]
    accounts: list[str]
    arns: list[str]
    roles: list[str]
    access_keys: list[str]
    identity_types: list[str]
    source_addresses: list[str]
    user_agents: list[str]
    error_codes: list[str]
    denied: int
    """How many of the events failed."""

    @property
    def names(self) -> list[str]:
        """The names by which a principal may be called: ARNs, sessions' roles, keys."""
        return [*self.arns, *map(principal_of, self.arns), *self.roles, *self.access_keys]

    @classmethod
    def of(cls, rows: Sequence[KeptEvent]) -> Facets:
        """Collect the facets of events."""

        def distinct(values: Iterable[str]) -> list[str]:
            return sorted(set(values) - {""})

        clients = {row.client for row in rows}
        calls = {row.call for row in rows}
        return cls(
            regions=distinct(row.region for row in rows),
            accounts=distinct(client.caller_account for client in clients),
            arns=distinct(client.arn for client in clients),
            roles=distinct(client.role_arn for client in clients),
            access_keys=distinct(client.access_key for client in clients),
            identity_types=distinct(client.identity_type for client in clients),
            source_addresses=distinct(client.source_address for client in clients),
            user_agents=distinct(client.user_agent for client in clients),
            error_codes=distinct(call.error_code for call in calls),
            denied=sum(1 for row in rows if row.call.error_code),
        )


class Handling(msgspec.Struct, frozen=True):
    """Who has an alert, and what its notes say.

    ``verdict`` is that of the latest note that has decided; ``tickets`` are in the order in which
    they were written."""

    assignee: str = ""
    notes: int = 0
    verdict: str = ""
    tickets: list[str] = []


_UNHANDLED = Handling()
_NETWORK_COLUMN = "source_as_organization_name"


class Alert(msgspec.Struct, frozen=True):
    """An alert with its context, its lifecycle and its triage.

    ``window`` is None for a rule that only filters: it gives one alert an event. Times are epoch
    seconds."""

    # What the rule found.
    alert_id: str
    rule: RuleSummary
    window: Window | None
    key: dict[str, Value]
    columns: dict[str, Value]
    event_ids: list[str]
    first_event: int
    last_event: int
    facets: Facets

    # Its context.
    flags: list[Flag] = []
    baseline: Baseline | None = None
    """What is usual for its principal and account; None until all known files were read."""
    risk: Risk | None = None
    """The rule's score with the points of the flags; None until these are known."""

    # Its lifecycle.
    revision: int = 1
    settled: bool = False

    # Its triage.
    status: Status = "open"
    suppressed_by: str | None = None
    broke_through: list[str] = []
    """The novelties for which the suppressions that match it do not hide it."""

    supersedes: list[str] = []
    """Part of the lifecycle; the last field, as stored alerts have it."""

    handling: Handling | msgspec.UnsetType = msgspec.UNSET
    """Part of the triage; unset, and not in what is stored of a finding, until somebody acts."""

    @property
    def start(self) -> int:
        """The start of the window; without one, the first event."""
        return self.window.start if self.window else self.first_event

    @property
    def extent(self) -> tuple[int, int]:
        """The half-open span that the alert covers: its window, or its events."""
        if self.window:
            return self.window.start, self.window.end
        return self.first_event, self.last_event + 1

    @property
    def shown_extent(self) -> tuple[int, int]:
        """The span as shown: the window, or first and last event."""
        if self.window:
            return self.window.start, self.window.end
        return self.first_event, self.last_event

    @property
    def span(self) -> int:
        """Seconds from the first to the last event."""
        return self.last_event - self.first_event

    @property
    def principal(self) -> str:
        """The first caller ARN; ``""`` where no caller has one."""
        return self.facets.arns[0] if self.facets.arns else ""

    @property
    def account(self) -> str:
        """The first caller account; ``""`` where none is known."""
        return self.facets.accounts[0] if self.facets.accounts else ""

    @property
    def handled(self) -> Handling:
        """Who has it and what its notes say; nobody and nothing until somebody acts."""
        return self.handling or _UNHANDLED

    @property
    def assignee(self) -> str:
        """Who works on it; ``""``: nobody."""
        return self.handled.assignee

    @property
    def networks(self) -> list[str]:
        """The AS organizations that the rule's query returned, if it returned any."""
        for name, value in self.columns.items():
            if _NETWORK_COLUMN in name and value:
                values = value if isinstance(value, list) else [value]
                return [str(item) for item in values]
        return []

    @property
    def event_count(self) -> int:
        """The number of distinct events."""
        return len(self.event_ids)

    @property
    def severity(self) -> str:
        """The severity of the risk; the rule's until the risk is known."""
        return self.risk.severity if self.risk else self.rule.severity

    @property
    def score(self) -> int:
        """The score of the risk; the rule's until the risk is known."""
        return self.risk.score if self.risk else self.rule.risk_score

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
        """Return the fields that alerts of every rule have alike, for a SIEM to map.

        Severity and score are the alert's, with its context; those under ``rule`` the rule's."""
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


def alert_id(rule_id: str, start: int | str, key: Sequence[Value]) -> str:
    """Return the stable id of an alert.

    ``start`` is the start of its window, or the event's id for a rule that only filters."""
    return hashlib.sha256(json_text([rule_id, start, list(key)]).encode()).hexdigest()[:20]
