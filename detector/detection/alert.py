"""What a rule found: the alert, and the events that it rests on.

An alert is derived from its window's set of hits and from nothing else, so the same records give the
same alert with the same id, in whatever order they came. Only ``revision`` and ``supersedes`` tell how
it came about.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

from detector.cloudtrail.record import json_text
from detector.detection.baseline import Baseline
from detector.detection.event import Event
from detector.ecs.values import Value
from detector.rules.rule_summary import RuleSummary, WindowMode
from detector.text.time import format_time

Status = Literal["open", "acknowledged", "closed"]
STATUSES: tuple[Status, ...] = ("open", "acknowledged", "closed")

SEVERITIES = ("low", "medium", "high", "critical")
"""From the least to the gravest."""


class Window(msgspec.Struct, frozen=True):
    """The half-open span ``[start, end)`` in seconds since the epoch that an alert covers."""

    mode: WindowMode
    start: int
    end: int


class Flag(msgspec.Struct, frozen=True):
    """A correlated signal of the same principal: how often, first and last time."""

    flag: str
    count: int
    first: int
    last: int


class Risk(msgspec.Struct, frozen=True):
    """A score from 0 to 100, the severity that it means, and the sum that it came from: (what, how
    much) in order."""

    score: int
    severity: str
    parts: list[tuple[str, int]]


class Facets(msgspec.Struct, frozen=True):
    """The distinct values over an alert's events, each sorted: what suppressions match and lists
    show."""

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

    @classmethod
    def of(cls, events: Sequence[Event]) -> Facets:
        def distinct(values: Iterable[str]) -> list[str]:
            return sorted(set(values) - {""})

        return cls(
            regions=distinct(e.region for e in events),
            accounts=distinct(e.caller_account for e in events),
            arns=distinct(e.arn for e in events),
            roles=distinct(e.role_arn for e in events),
            access_keys=distinct(e.access_key for e in events),
            identity_types=distinct(e.identity_type for e in events),
            source_addresses=distinct(e.source_address for e in events),
            user_agents=distinct(e.user_agent for e in events),
            error_codes=distinct(e.error_code for e in events),
            denied=sum(1 for e in events if e.error_code),
        )


_NETWORK_COLUMN = "source_as_organization_name"


class Alert(msgspec.Struct, frozen=True):
    """One finding of one rule. ``window`` is None for a rule that only filters (one alert an
    event)."""

    alert_id: str
    rule: RuleSummary
    window: Window | None
    key: dict[str, Value]
    columns: dict[str, Value]
    event_ids: list[str]
    first_event: int
    last_event: int
    facets: Facets
    flags: list[Flag] = []
    baseline: Baseline | None = None
    """What is usual for its principal and account; None until all that was found has been read."""
    risk: Risk | None = None
    """The rule's score with what the flags add and take; None until they are known."""
    revision: int = 1
    settled: bool = False
    status: Status = "open"
    suppressed_by: str | None = None
    broke_through: list[str] = []
    """What it brought that the suppressions that speak of it had not seen, where that is why it is
    not hidden."""
    supersedes: list[str] = []

    @property
    def principal(self) -> str:
        """The caller's ARN; the first of them where the window mixes callers, ``""`` where none had
        one."""
        return self.facets.arns[0] if self.facets.arns else ""

    @property
    def account(self) -> str:
        return self.facets.accounts[0] if self.facets.accounts else ""

    @property
    def networks(self) -> list[str]:
        """The AS organizations that the rule's query returned, where it returns them and a database
        was given."""
        for name, value in self.columns.items():
            if _NETWORK_COLUMN in name and value:
                return [str(item) for item in value] if isinstance(value, list) else [str(value)]
        return []

    @property
    def span(self) -> int:
        """Seconds from the first to the last event."""
        return self.last_event - self.first_event

    @property
    def event_count(self) -> int:
        return len(self.event_ids)

    @property
    def severity(self) -> str:
        return self.risk.severity if self.risk else self.rule.severity

    @property
    def score(self) -> int:
        return self.risk.score if self.risk else self.rule.risk_score

    def as_json(self) -> dict[str, Any]:
        """The object that ``--format jsonl`` prints."""
        window = self.window
        return {
            "alert_id": self.alert_id,
            "revision": self.revision,
            "state": "settled" if self.settled else "provisional",
            "status": self.status,
            "rule": msgspec.to_builtins(self.rule),
            "window": window
            and {
                "mode": window.mode,
                "start": format_time(window.start),
                "end": format_time(window.end),
            },
            "key": self.key,
            "columns": self.columns,
            "event_ids": self.event_ids,
            "first_event": format_time(self.first_event),
            "last_event": format_time(self.last_event),
            "flags": [
                {
                    "flag": f.flag,
                    "count": f.count,
                    "first": format_time(f.first),
                    "last": format_time(f.last),
                }
                for f in self.flags
            ],
            "risk": {"score": self.score, "severity": self.severity},
            "suppressed_by": self.suppressed_by,
            "broke_through": self.broke_through,
            "supersedes": self.supersedes,
        }


def alert_id(rule_id: str, start: int | str, key: Sequence[Value]) -> str:
    """The stable id of what a rule found at ``start`` (an event's id for a rule that only filters)
    for ``key``."""
    return hashlib.sha256(json_text([rule_id, start, list(key)]).encode()).hexdigest()[:20]
