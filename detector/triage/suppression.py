"""What the analyst decides and writes: notes with a verdict, suppressions, and what they apply to."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Literal, NamedTuple

import msgspec

from detector.detection.alert import Alert
from detector.detection.baseline import agent_family, network_of
from detector.text.linear_regex import full_matcher, glob_regex
from detector.text.time import DAY

Scope = Literal[
    "principal", "principal-pattern", "role", "access-key", "user-agent", "cidr", "account"
]
SCOPES: tuple[Scope, ...] = (
    "principal",
    "principal-pattern",
    "role",
    "access-key",
    "user-agent",
    "cidr",
    "account",
)


ALWAYS_BREAKING_FLAGS = ("snapshot", "image-export", "access-key", "iam-change")
"""Flags that break through a suppression however often they were seen, unless they are waived."""

NOVELTY_POINTS = {"new-network": 20, "new-agent": 15, "new-region": 10}
"""Points of what an alert brings beside flags: a source network, a program, a region that was not
seen."""

DEFAULT_BREAK_AT = 15
"""Points of something new from which on it breaks through, unless said otherwise."""


class SeenProfile(msgspec.Struct, frozen=True):
    """How the alerts looked that a suppression was made for: each sorted."""

    regions: list[str]
    source_addresses: list[str]
    user_agents: list[str]
    flags: list[str]

    @classmethod
    def of(cls, alerts: Iterable[Alert]) -> SeenProfile:
        held = list(alerts)
        return cls(
            regions=sorted({region for alert in held for region in alert.facets.regions}),
            source_addresses=sorted(
                {address for alert in held for address in alert.facets.source_addresses}
            ),
            user_agents=sorted({agent for alert in held for agent in alert.facets.user_agents}),
            flags=sorted({flag.flag for alert in held for flag in alert.flags}),
        )


class Suppression(msgspec.Struct, frozen=True):
    """Hides matching alerts while it is active, and while they look as they did; the alerts are
    kept.

    ``looks`` is what was seen when it was made; None where nothing was. Something new of
    ``break_at`` points or more breaks through, and each flag of ``ALWAYS_BREAKING_FLAGS`` does, but for what is
    ``waived`` by name.

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
    """When the decision to make it was taken back."""
    hidden: int = 0
    """How many alerts it has hidden so far."""
    seen_profile: SeenProfile | None = msgspec.field(name="looks", default=None)
    break_at: int = DEFAULT_BREAK_AT
    ignored_flags: list[str] = msgspec.field(name="waived", default_factory=list)

    @property
    def over(self) -> Literal["lifted", "undone", ""]:
        """How the analyst ended it; empty where only time will."""
        return "undone" if self.undone is not None else "lifted" if self.lifted is not None else ""

    def active(self, now: float) -> bool:
        return not self.over and self.created <= now < self.expires

    def state(self, now: float) -> Literal["active", "expired", "lifted", "undone"]:
        return self.over or ("active" if now < self.expires else "expired")


def matches(suppression: Suppression, alert: Alert) -> bool:
    """Whether the suppression speaks of this alert, whenever that is.

    An alert that mixes several principals, addresses or the like is only meant where all of them
    are."""
    if suppression.rule_id not in (None, alert.rule.id):
        return False
    values = _values(suppression.scope, alert)
    return bool(values) and all(
        _fits(suppression.scope, suppression.value, value) for value in values
    )


def novelties(suppression: Suppression, alert: Alert) -> list[str]:
    """What an alert that it speaks of brings that breaks through it, each in a few words; nothing
    where it hides it."""
    seen = suppression.seen_profile
    points = _points(alert)
    found = [
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
        found += [
            f"{name.replace('-', ' ')} {value}"
            for name, values in _novel(suppression.scope, seen, alert)
            if name not in suppression.ignored_flags
            and NOVELTY_POINTS[name] >= suppression.break_at
            for value in values
        ]
    return found


def apply_suppressions(alert: Alert, active: Iterable[Suppression]) -> Alert:
    """The alert, hidden by the first suppression that speaks of it and to which it brings nothing
    new."""
    brought: dict[str, None] = {}
    for suppression in active:
        if matches(suppression, alert):
            if not (new := novelties(suppression, alert)):
                return msgspec.structs.replace(alert, suppressed_by=suppression.suppression_id)
            brought |= dict.fromkeys(new)
    return msgspec.structs.replace(alert, broke_through=list(brought)) if brought else alert


def learn(suppression: Suppression, alerts: Iterable[Alert]) -> Suppression:
    """The suppression, knowing how these alerts look, as far as it speaks of them; as it is, where
    it knows already.

    What it would not hide it does not learn from.
    """
    if suppression.seen_profile is not None:
        return suppression
    known = [
        alert
        for alert in alerts
        if matches(suppression, alert)
        and not any(
            flag.flag in ALWAYS_BREAKING_FLAGS and flag.flag not in suppression.ignored_flags
            for flag in alert.flags
        )
    ]
    return (
        msgspec.structs.replace(suppression, seen_profile=SeenProfile.of(known))
        if known
        else suppression
    )


class SuppressionPreview(NamedTuple):
    """The alerts that would have been hidden, and those that would have broken through, with what
    they bring."""

    hidden: list[Alert]
    through: list[tuple[Alert, list[str]]]


def preview_suppression(
    suppression: Suppression, alerts: Iterable[Alert], until: float
) -> SuppressionPreview:
    """What it would have done with the alerts in the 30 days before ``until`` (epoch seconds).

    Where the logs are older than that, in the 30 days before the newest alert.
    """
    alerts = list(alerts)
    until = min(until, max((alert.last_event for alert in alerts), default=until))
    meant = [
        alert
        for alert in alerts
        if until - PREVIEW_SECONDS <= alert.last_event <= until and matches(suppression, alert)
    ]
    knowing = learn(suppression, meant)
    outcome = [(alert, novelties(knowing, alert)) for alert in meant]
    return SuppressionPreview(
        [alert for alert, brought in outcome if not brought],
        [(alert, brought) for alert, brought in outcome if brought],
    )


PREVIEW_SECONDS = 30 * DAY


def scope_values(alert: Alert) -> dict[Scope, str]:
    """What each scope would hold if it were made from this alert; a scope that does not apply is
    absent."""
    return {scope: values[0] for scope in SCOPES if (values := _values(scope, alert))}


def check_suppression(suppression: Suppression) -> None:
    """Raise ValueError, in one line, where the suppression could not work or does not say why it is
    there."""
    if not suppression.value.strip():
        raise ValueError(f"the {suppression.scope} to suppress is empty: name one")
    if suppression.scope == "cidr":
        try:
            ipaddress.ip_network(suppression.value, strict=False)
        except ValueError:
            raise ValueError(
                f"{suppression.value!r} is no address or network: write it like 203.0.113.0/24"
            ) from None
    if suppression.break_at < 0:
        raise ValueError(
            "nothing has fewer than 0 points: say from how many on something new breaks through"
        )
    if suppression.expires <= suppression.created:
        raise ValueError(
            "the suppression would end before it begins: give it an interval such as 7d"
        )
    if not (suppression.ticket.strip() or suppression.justification.strip()):
        raise ValueError("say why: a ticket or a justification")


def _values(scope: Scope, alert: Alert) -> list[str]:
    facets = alert.facets
    return {
        "principal": facets.arns,
        "principal-pattern": facets.arns,
        "role": facets.roles,
        "access-key": facets.access_keys,
        "user-agent": facets.user_agents,
        "cidr": facets.source_addresses,
        "account": facets.accounts,
    }[scope]


def _points(alert: Alert) -> dict[str, int]:
    """What each of its flags adds to its risk."""
    parts = alert.risk.parts if alert.risk else []
    tools = [points for name, points in parts if name.endswith(" (tool)")]
    return {**dict(parts), "tool-tell": max(tools, default=0)}


def _novel(scope: Scope, seen: SeenProfile, alert: Alert) -> Iterator[tuple[str, list[str]]]:
    """What of an alert was not seen, by the names of ``NOVELTY_POINTS``; the scope itself says what may
    vary."""
    facets = alert.facets
    if scope != "cidr":
        yield (
            "new-network",
            sorted(_networks(facets.source_addresses) - _networks(seen.source_addresses)),
        )
    if scope != "user-agent":
        yield "new-agent", sorted(_families(facets.user_agents) - _families(seen.user_agents))
    yield "new-region", sorted({*facets.regions} - {*seen.regions})


def _networks(addresses: Iterable[str]) -> set[str]:
    return {network_of(address) or address for address in addresses}


def _families(agents: Iterable[str]) -> set[str]:
    return {agent_family(agent) for agent in agents}


def _fits(scope: Scope, wanted: str, value: str) -> bool:
    if scope == "cidr":
        try:
            return ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False)
        except ValueError:
            return False
    if scope in ("principal-pattern", "user-agent"):
        return _glob_matcher(wanted)(value)
    return bool(value == wanted)


@lru_cache(1024)
def _glob_matcher(glob: str) -> Callable[[str], bool]:
    return full_matcher(glob_regex((letter, letter in ("*", "?")) for letter in glob))
