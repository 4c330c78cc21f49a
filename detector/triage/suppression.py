"""Suppressions: which alerts they hide, and which novelties override them."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, lru_cache
from operator import attrgetter
from typing import Literal, NamedTuple

import msgspec

from detector.detection.alert import Alert
from detector.detection.baseline import agent_family, network_of
from detector.detection.finding import Facets, Finding
from detector.text.linear_regex import full_matcher, glob_regex
from detector.text.time import DAY

Scope = Literal[
    "principal", "principal-pattern", "role", "access-key", "user-agent", "cidr", "account"
]
SCOPE_VALUES: dict[Scope, Callable[[Facets], list[str]]] = {
    "principal": attrgetter("arns"),
    "principal-pattern": attrgetter("arns"),
    "role": attrgetter("roles"),
    "access-key": attrgetter("access_keys"),
    "user-agent": attrgetter("user_agents"),
    "cidr": attrgetter("source_addresses"),
    "account": attrgetter("accounts"),
}
"""The values of an alert that a suppression of each scope is compared with."""
SCOPES: tuple[Scope, ...] = tuple(SCOPE_VALUES)

ALWAYS_BREAKING_FLAGS = ("snapshot", "image-export", "access-key", "iam-change")
"""Flags that override a suppression even if seen before, unless it ignores them by name."""

NOVELTY_POINTS = {"new-network": 20, "new-agent": 15, "new-region": 10}
"""Points of novelties that are not flags: a network, user agent or region not seen before."""

DEFAULT_BREAK_AT = 15
"""Points from which a novelty overrides a suppression, unless the suppression sets its own."""


class SeenProfile(msgspec.Struct, frozen=True, dict=True):
    """Facets and flags of the alerts for which a suppression was made."""

    regions: list[str]
    source_addresses: list[str]
    user_agents: list[str]
    flags: list[str]

    # Cached, as each alert needs it: after a storm there are thousands of addresses.
    @cached_property
    def networks(self) -> frozenset[str]:
        """The networks of the addresses; an address without a network is kept as it is."""
        return _networks(self.source_addresses)

    @cached_property
    def agent_families(self) -> frozenset[str]:
        """The user agents' programs, without versions."""
        return _families(self.user_agents)

    @classmethod
    def of(cls, alerts: Iterable[Alert]) -> SeenProfile:
        """Build the profile of several alerts."""
        regions: set[str] = set()
        source_addresses: set[str] = set()
        user_agents: set[str] = set()
        flags: set[str] = set()
        for alert in alerts:
            regions.update(alert.facets.regions)
            source_addresses.update(alert.facets.source_addresses)
            user_agents.update(alert.facets.user_agents)
            flags.update(flag.flag for flag in alert.flags)
        return cls(*map(sorted, (regions, source_addresses, user_agents, flags)))


class Suppression(msgspec.Struct, frozen=True):
    """A rule that hides matching alerts unless they bring something new.

    ``seen_profile`` is what had been seen when the suppression was made; None if nothing. Novelties
    of ``break_at`` points or more and all ``ALWAYS_BREAKING_FLAGS`` override it, except those in
    ``ignored_flags``.

    ``value`` is an exact string for most scopes, a wildcard pattern (``*``, ``?``) for
    ``principal-pattern`` and ``user-agent``, an address or network for ``cidr``. ``rule_id`` None
    means all rules. Times are epoch seconds."""

    scope: Scope
    value: str
    rule_id: str | None
    created: float
    expires: float
    ticket: str
    owner: str
    justification: str
    author: str = ""
    suppression_id: str = ""
    lifted: float | None = None
    undone: float | None = None
    """When the creation of the suppression was undone."""
    hidden: int = 0
    """The number of alerts hidden so far."""
    seen_profile: SeenProfile | None = msgspec.field(name="looks", default=None)
    break_at: int = DEFAULT_BREAK_AT
    ignored_flags: list[str] = msgspec.field(name="waived", default_factory=list)

    @property
    def over(self) -> Literal["lifted", "undone", ""]:
        """How the analyst ended the suppression; ``""`` if only expiry ends it."""
        if self.undone is not None:
            return "undone"
        if self.lifted is not None:
            return "lifted"
        return ""

    def active(self, now: float) -> bool:
        """Return whether the suppression hides alerts at a time."""
        return not self.over and self.created <= now < self.expires

    def state(self, now: float) -> Literal["active", "expired", "lifted", "undone"]:
        """Return the state at a time; a suppression that starts later counts as active."""
        return self.over or ("active" if now < self.expires else "expired")


def matches(suppression: Suppression, finding: Finding) -> bool:
    """Return whether a finding is in a suppression's scope.

    If a finding has several principals, addresses or other scope values, all must match."""
    if suppression.rule_id not in (None, finding.rule.id):
        return False
    scope, pattern = suppression.scope, suppression.value
    values = SCOPE_VALUES[scope](finding.facets)
    return bool(values) and all(_value_matches(scope, pattern, value) for value in values)


def novelties(suppression: Suppression, alert: Alert) -> list[str]:
    """Return the novelties of an alert that override a suppression; empty if it stays hidden."""
    seen = suppression.seen_profile
    points = _flag_points(alert)
    breaking = [
        f"{flag.flag} {flag.count}"
        for flag in alert.flags
        if flag.flag not in suppression.ignored_flags
        and (
            flag.flag in ALWAYS_BREAKING_FLAGS
            or (
                points.get(flag.flag, 0) >= suppression.break_at
                and (seen is None or flag.flag not in seen.flags)
            )
        )
    ]
    if seen is not None:
        breaking += [
            f"{name.replace('-', ' ')} {value}"
            for name, values in _facet_novelties(suppression.scope, seen, alert)
            if name not in suppression.ignored_flags
            and NOVELTY_POINTS[name] >= suppression.break_at
            for value in values
        ]
    return breaking


def apply_suppressions(alert: Alert, active: Iterable[Suppression]) -> Alert:
    """Return an alert marked as hidden, or with the novelties that override its suppressions."""
    breaking: dict[str, None] = {}
    for suppression in active:
        if not matches(suppression, alert.finding):
            continue
        new = novelties(suppression, alert)
        if not new:
            return alert.with_triage(suppressed_by=suppression.suppression_id)
        breaking |= dict.fromkeys(new)
    if breaking:
        return alert.with_triage(broke_through=list(breaking))
    return alert


def learn(suppression: Suppression, alerts: Iterable[Alert]) -> Suppression:
    """Give a suppression the profile of the alerts that it hides, if it has none yet."""
    if suppression.seen_profile is not None:
        return suppression
    hidden = [
        alert
        for alert in alerts
        if matches(suppression, alert.finding)
        and not any(
            flag.flag in ALWAYS_BREAKING_FLAGS and flag.flag not in suppression.ignored_flags
            for flag in alert.flags
        )
    ]
    return (
        msgspec.structs.replace(suppression, seen_profile=SeenProfile.of(hidden))
        if hidden
        else suppression
    )


class SuppressionPreview(NamedTuple):
    """The matching alerts that a suppression would hide, and those that it would not."""

    hidden: list[Alert]
    through: list[tuple[Alert, list[str]]]
    """Each alert with the novelties that override the suppression."""


def preview_suppression(
    suppression: Suppression, alerts: Iterable[Alert], until: float
) -> SuppressionPreview:
    """Preview a suppression over the 30 days before ``until``.

    If all alerts are older, over the 30 days before the newest alert.
    """
    alerts = list(alerts)
    until = min(until, max((alert.last_event for alert in alerts), default=until))
    matching = [
        alert
        for alert in alerts
        if until - PREVIEW_SECONDS <= alert.last_event <= until
        and matches(suppression, alert.finding)
    ]
    learned = learn(suppression, matching)
    outcome = [(alert, novelties(learned, alert)) for alert in matching]
    return SuppressionPreview(
        [alert for alert, breaking in outcome if not breaking],
        [(alert, breaking) for alert, breaking in outcome if breaking],
    )


PREVIEW_SECONDS = 30 * DAY


def scope_values(alert: Alert) -> dict[Scope, str]:
    """Return the scopes that could suppress this alert, each with its value."""
    values_by_scope = {scope: values(alert.facets) for scope, values in SCOPE_VALUES.items()}
    return {scope: values[0] for scope, values in values_by_scope.items() if values}


def check_suppression(suppression: Suppression) -> None:
    """Raise ValueError, with one line of text, for a suppression without effect or reason."""
    if not suppression.value.strip():
        raise ValueError(f"the {suppression.scope} to suppress is empty: name one")
    if suppression.scope == "cidr":
        try:
            ipaddress.ip_network(suppression.value, strict=False)
        except ValueError:
            raise ValueError(
                f"{suppression.value!r} is not an address or network: write it like 203.0.113.0/24"
            ) from None
    if suppression.break_at < 0:
        raise ValueError("points must be 0 or more")
    if suppression.expires <= suppression.created:
        raise ValueError("the suppression would end before it starts: choose a duration such as 7d")
    if not (suppression.ticket.strip() or suppression.justification.strip()):
        raise ValueError("add a ticket or a reason")


def _flag_points(alert: Alert) -> dict[str, int]:
    """Return the points of each flag of an alert."""
    parts = alert.risk.parts if alert.risk else []
    tools = [points for name, points in parts if name.endswith(" (tool)")]
    return {**dict(parts), "tool-tell": max(tools, default=0)}


def _facet_novelties(
    scope: Scope, seen: SeenProfile, alert: Alert
) -> Iterator[tuple[str, list[str]]]:
    """Yield the new facets of an alert, except in the scope's own facet."""
    facets = alert.facets
    if scope != "cidr":
        yield (
            "new-network",
            sorted(_networks(facets.source_addresses) - seen.networks),
        )
    if scope != "user-agent":
        yield "new-agent", sorted(_families(facets.user_agents) - seen.agent_families)
    yield "new-region", sorted({*facets.regions}.difference(seen.regions))


def _networks(addresses: Iterable[str]) -> frozenset[str]:
    return frozenset(network_of(address) or address for address in addresses)


def _families(agents: Iterable[str]) -> frozenset[str]:
    return frozenset(map(agent_family, agents))


def _value_matches(scope: Scope, pattern: str, value: str) -> bool:
    if scope == "cidr":
        try:
            return ipaddress.ip_address(value) in ipaddress.ip_network(pattern, strict=False)
        except ValueError:
            return False
    if scope in ("principal-pattern", "user-agent"):
        return _glob_matcher(pattern)(value)
    return bool(value == pattern)


@lru_cache(1024)
def _glob_matcher(glob: str) -> Callable[[str], bool]:
    return full_matcher(glob_regex((letter, letter in ("*", "?")) for letter in glob))
