"""The finding: the part of an alert that depends on its window's set of hits alone.

The same records give the same finding with the same id, in whatever order they arrived.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence

import msgspec

from detector.cloudtrail.record import json_text
from detector.detection.baseline import principal_of
from detector.detection.event import EventCall, EventClient, KeptEvent
from detector.ecs.values import Value
from detector.rules.rule_summary import RuleSummary, WindowMode

_NETWORK_COLUMN = "source_as_organization_name"


class Window(msgspec.Struct, frozen=True, gc=False):
    """The half-open span ``[start, end)`` in epoch seconds that an alert covers."""

    mode: WindowMode
    start: int
    end: int


class Facets(msgspec.Struct, frozen=True, gc=False):
    """The distinct values over an alert's events, each list sorted.

    Suppressions are matched against them, and lists show them."""

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
    """The number of events that failed."""

    @property
    def names(self) -> list[str]:
        """The names that refer to a principal: ARNs, sessions' roles, keys."""
        return [*self.arns, *map(principal_of, self.arns), *self.roles, *self.access_keys]

    @classmethod
    def of(cls, rows: Sequence[KeptEvent]) -> Facets:
        """Collect the facets of events."""
        return cls.of_parts(
            {row.client for row in rows},
            {row.call for row in rows},
            {row.region for row in rows},
            sum(1 for row in rows if row.call.error_code),
        )

    @classmethod
    def of_parts(
        cls,
        clients: Collection[EventClient],
        calls: Iterable[EventCall],
        regions: Iterable[str],
        denied: int,
    ) -> Facets:
        """Collect the facets of events from their distinct parts.

        ``denied`` is the number of events that failed."""

        def distinct(values: Iterable[str]) -> list[str]:
            return sorted(set(values) - {""})

        return cls(
            regions=distinct(regions),
            accounts=distinct(client.caller_account for client in clients),
            arns=distinct(client.arn for client in clients),
            roles=distinct(client.role_arn for client in clients),
            access_keys=distinct(client.access_key for client in clients),
            identity_types=distinct(client.identity_type for client in clients),
            source_addresses=distinct(client.source_address for client in clients),
            user_agents=distinct(client.user_agent for client in clients),
            error_codes=distinct(call.error_code for call in calls),
            denied=denied,
        )


class Finding(msgspec.Struct, frozen=True, gc=False):
    """What a rule found in a window, or in one event if the rule only filters.

    ``window`` is None for a rule that only filters: it raises one alert per event. Times are epoch
    seconds."""

    alert_id: str
    rule: RuleSummary
    window: Window | None
    key: dict[str, Value]
    columns: dict[str, Value]
    event_ids: list[str]
    first_event: int
    last_event: int
    facets: Facets

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


def alert_id(rule_id: str, start: int | str, key: Sequence[Value]) -> str:
    """Return the stable id of an alert.

    ``start`` is the start of its window, or the event's id for a rule that only filters."""
    return hashlib.sha256(json_text([rule_id, start, list(key)]).encode()).hexdigest()[:20]
