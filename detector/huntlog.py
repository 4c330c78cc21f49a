"""What the analyst decides and writes: notes with a verdict, suppressions, and what they apply to."""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from collections.abc import Iterable
from typing import Literal

import msgspec

from detector.alert import Alert, Flag

Verdict = Literal["undecided", "benign", "suspicious", "escalated", "false-positive", "duplicate"]
VERDICTS: tuple[Verdict, ...] = ("undecided", "benign", "suspicious", "escalated", "false-positive", "duplicate")

Scope = Literal["principal", "principal-pattern", "role", "access-key", "user-agent", "cidr", "account"]
SCOPES: tuple[Scope, ...] = ("principal", "principal-pattern", "role", "access-key", "user-agent", "cidr", "account")


class Context(msgspec.Struct, frozen=True):
    """What the alert knew when a note was written, kept with the note."""

    alert_id: str
    revision: int
    rule: str
    principal: str
    accounts: list[str]
    regions: list[str]
    start: int
    end: int
    first_event: int
    last_event: int
    events: int
    source_addresses: list[str]
    user_agents: list[str]
    access_keys: list[str]
    denied: int
    flags: list[Flag]

    @classmethod
    def of(cls, alert: Alert) -> Context:
        facets = alert.facets
        return cls(
            alert_id=alert.alert_id, revision=alert.revision, rule=alert.rule.name, principal=alert.principal,
            accounts=facets.accounts, regions=facets.regions,
            start=alert.window.start if alert.window else alert.first_event,
            end=alert.window.end if alert.window else alert.last_event,
            first_event=alert.first_event, last_event=alert.last_event, events=alert.event_count,
            source_addresses=facets.source_addresses, user_agents=facets.user_agents,
            access_keys=facets.access_keys, denied=facets.denied, flags=alert.flags,
        )


class Words(msgspec.Struct, frozen=True):
    """The analyst's part of a note."""

    text: str = ""
    verdict: Verdict = "undecided"
    ticket: str = ""
    owner: str = ""


class Edit(msgspec.Struct, frozen=True):
    """A former state of a note: until ``at`` (epoch seconds) it said ``words``."""

    at: float
    author: str
    words: Words


class Note(msgspec.Struct, frozen=True):
    """One entry of the hunt log. ``history`` holds what it said before, oldest first."""

    note_id: int
    alert_id: str
    created: float
    author: str
    words: Words
    context: Context
    edited: float | None = None
    history: list[Edit] = []


class Suppression(msgspec.Struct, frozen=True):
    """Hides matching alerts while it is active; the alerts are kept.

    ``value`` is an exact string for most scopes, a wildcard pattern (``*``, ``?``) for ``principal-pattern`` and
    ``user-agent``, an address or network for ``cidr``. ``rule_id`` None means all rules. Times are epoch seconds.
    """

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
    hidden: int = 0
    """How many alerts it has hidden so far."""

    def active(self, now: float) -> bool:
        return self.lifted is None and self.created <= now < self.expires

    def state(self, now: float) -> Literal["active", "expired", "lifted"]:
        return "lifted" if self.lifted is not None else "active" if now < self.expires else "expired"


def matches(suppression: Suppression, alert: Alert) -> bool:
    """Whether the suppression speaks of this alert, whenever that is.

    An alert that mixes several principals, addresses or the like is only meant where all of them are.
    """
    if suppression.rule_id not in (None, alert.rule.id):
        return False
    values = _values(suppression.scope, alert)
    return bool(values) and all(_fits(suppression.scope, suppression.value, value) for value in values)


def preview(suppression: Suppression, alerts: Iterable[Alert], until: float) -> list[Alert]:
    """What it would have hidden of the alerts in the 30 days before ``until`` (epoch seconds)."""
    return [alert for alert in alerts
            if until - PREVIEW <= alert.last_event <= until and matches(suppression, alert)]


PREVIEW = 30 * 86_400


def scope_values(alert: Alert) -> dict[Scope, str]:
    """What each scope would hold if it were made from this alert; a scope that does not apply is absent."""
    return {scope: values[0] for scope in SCOPES if (values := _values(scope, alert))}


def check(suppression: Suppression) -> None:
    """Raise ValueError, in one line, where the suppression could not work or does not say why it is there."""
    if not suppression.value.strip():
        raise ValueError(f"the {suppression.scope} to suppress is empty: name one")
    if suppression.scope == "cidr":
        try:
            ipaddress.ip_network(suppression.value, strict=False)
        except ValueError:
            raise ValueError(f"{suppression.value!r} is no address or network: write it like 203.0.113.0/24") from None
    if suppression.expires <= suppression.created:
        raise ValueError("the suppression would end before it begins: give it an interval such as 7d")
    if not (suppression.ticket.strip() or suppression.justification.strip()):
        raise ValueError("say why: a ticket or a justification")


_UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


def interval(text: str) -> int:
    """Seconds of ``90m``, ``12h``, ``7d``, ``2w``. Raises ValueError in one line."""
    found = re.fullmatch(r"\s*(\d{1,5})\s*([mhdw])\s*", text)
    if not found or not int(found[1]):
        raise ValueError(f"{text!r} is no interval: write it like 12h, 7d or 2w")
    return int(found[1]) * _UNITS[found[2]]


def _values(scope: Scope, alert: Alert) -> list[str]:
    facets = alert.facets
    return {
        "principal": facets.arns, "principal-pattern": facets.arns, "role": facets.roles,
        "access-key": facets.access_keys, "user-agent": facets.user_agents, "cidr": facets.source_addresses,
        "account": facets.accounts,
    }[scope]


def _fits(scope: Scope, wanted: str, value: str) -> bool:
    if scope == "cidr":
        try:
            return ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False)
        except ValueError:
            return False
    if scope in ("principal-pattern", "user-agent"):
        return fnmatch.fnmatchcase(value, wanted.replace("[", "[[]"))
    return bool(value == wanted)
