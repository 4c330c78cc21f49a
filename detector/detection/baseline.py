"""The baseline: when principals, keys, regions and clients were observed.

An observation has a span of event times over all records. Spans only widen, by minimum and maximum,
so the baseline is a pure function of the records read, whatever their order, and older logs that
come later correct it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal, NamedTuple, TypeVar

import msgspec

from detector.cloudtrail.record import EventSignature, Head
from detector.text.time import DAY, format_age

ObservationKind = Literal[
    "account",
    "principal",
    "access-key",
    "region",
    "changed-region",
    "principal-region",
    "principal-agent",
    "principal-network",
]

ENOUGH_HISTORY = 10 * DAY
"""Seconds of history from which "never seen before" means something.

Elastic's new-terms rules look back 5 to 10 days."""
NEW_PRINCIPAL_AGE = DAY
"""Seconds before a window within which a principal's first call makes it new there."""


class Observation(NamedTuple):
    """Something that was observed of an account, a principal or a key.

    ``subject`` is the account, principal or key; ``value`` is what was observed of it, ``""`` for
    the subject itself."""

    kind: ObservationKind
    subject: str
    value: str


ObservationSpans = dict[Observation, tuple[int, int]]
"""First and last event time of each observation, in epoch seconds."""


class Baseline(msgspec.Struct, frozen=True):
    """What the baseline says of one alert; times in epoch seconds.

    ``since`` is when the account's history begins; ``principal_first`` and ``key_first`` are the
    first observations of the alert's principal and of its newest long-term key; ``unused_regions``
    are those of its regions in which nothing of the account was changed before."""

    since: int | None = None
    principal_first: int | None = None
    key_first: int | None = None
    unused_regions: list[str] = []

    def history_before(self, start: int) -> int:
        """Return the seconds of history before ``start``."""
        return max(0, start - self.since) if self.since is not None else 0

    def has_enough_history(self, start: int) -> bool:
        """Return whether there is enough history before ``start`` to call something new."""
        return self.history_before(start) >= ENOUGH_HISTORY

    def newest_first(self) -> int | None:
        """Return the later of the first observations of principal and key."""
        firsts = (self.principal_first, self.key_first)
        return max((first for first in firsts if first is not None), default=None)


class RegionHistory(msgspec.Struct, frozen=True):
    """The first calls in a region, in epoch seconds.

    ``seen`` is the account's first, ``changed`` the first that changed something, ``principal`` the
    principal's."""

    seen: int | None = None
    changed: int | None = None
    principal: int | None = None

    def label(self, start: int | None) -> str:
        """Return how usual the region was before ``start`` (None: ever).

        ``new`` without a call, ``rare`` where nothing was changed in it, ``used`` otherwise."""

        def is_before(first: int | None) -> bool:
            return first is not None and (start is None or first < start)

        if is_before(self.changed):
            return "used"
        return "rare" if is_before(self.seen) else "new"


def first_seen(baseline: Baseline | None, start: int) -> tuple[bool | None, str]:
    """Judge whether an alert's principal was new at ``start``.

    Returns the answer, None where there is too little history, and a text that says why.
    """
    if baseline is None:
        return None, "not known yet"
    newest = baseline.newest_first()
    if newest is None:
        return None, "no ARN and no key to know the caller by"
    history = baseline.history_before(start)
    if not baseline.has_enough_history(start):
        return (
            None,
            f"baseline too short ({format_age(history)} of {format_age(ENOUGH_HISTORY)})",
        )
    age = start - newest
    seen = "not seen before" if age <= 0 else f"first seen {format_age(age)} before"
    return is_new(newest, start), f"{seen}; baseline {format_age(history)}"


def is_new(first: int, start: int) -> bool:
    """Return whether a principal first observed then is new."""
    return first > start - NEW_PRINCIPAL_AGE


class BaselineKey(NamedTuple):
    """What the baseline keeps of a record.

    ``family`` is the program of the user agent; ``changes`` says that the call is no read."""

    principal: str | None
    access_key: str | None
    account: str | None
    region: str | None
    family: str | None
    network: str | None
    changes: bool


_LONG_TERM_KEY_PREFIX = "AKIA"


def baseline_key_of(head: Head | EventSignature) -> BaselineKey:
    """Return what the baseline keeps of a record."""
    caller = head.caller
    access_key = caller.access_key_id
    if access_key and not access_key.startswith(_LONG_TERM_KEY_PREFIX):
        access_key = None
    return BaselineKey(
        principal_of(caller.arn) if caller.arn else None,
        access_key or None,
        caller.account_id or head.recipient_account_id,
        head.aws_region,
        agent_family(head.user_agent) if head.user_agent else None,
        network_of(head.source_ip_address) if head.source_ip_address else None,
        head.read_only is False,
    )


def observations(seen: Mapping[BaselineKey, tuple[int, int]]) -> ObservationSpans:
    """Expand baseline keys with their spans into observations with theirs."""
    spans: ObservationSpans = {}
    for key, span in seen.items():
        for observation in _observations(key):
            extend_span(spans, observation, span)
    return spans


_K = TypeVar("_K")


def extend_span(spans: dict[_K, tuple[int, int]], key: _K, span: tuple[int, int]) -> None:
    """Extend the span of ``key`` over ``span``."""
    known = spans.get(key)
    if known is None:
        spans[key] = span
    elif span[0] < known[0] or span[1] > known[1]:
        spans[key] = min(known[0], span[0]), max(known[1], span[1])


@lru_cache(1 << 14)
def _observations(key: BaselineKey) -> tuple[Observation, ...]:
    observed: list[Observation] = []
    if key.account:
        observed.append(Observation("account", key.account, ""))
        if key.region:
            observed.append(Observation("region", key.account, key.region))
            if key.changes:
                observed.append(Observation("changed-region", key.account, key.region))
    if key.access_key:
        observed.append(Observation("access-key", key.access_key, ""))
    if key.principal:
        observed.append(Observation("principal", key.principal, ""))
        if key.region:
            observed.append(Observation("principal-region", key.principal, key.region))
        if key.family:
            observed.append(Observation("principal-agent", key.principal, key.family))
        if key.network:
            observed.append(Observation("principal-network", key.principal, key.network))
    return tuple(observed)


def principal_of(arn: str) -> str:
    """Return the principal behind an ARN: the role of an assumed-role session.

    Session names come and go."""
    return arn.rsplit("/", 1)[0] if ":assumed-role/" in arn else arn


def agent_family(user_agent: str) -> str:
    """Return the first program of a user agent without version: ``aws-cli``."""
    return user_agent.lstrip("[").split("/", 1)[0].split(" ", 1)[0][:64]


@lru_cache(1 << 14)
def network_of(address: str) -> str | None:
    """Return the network of an address: its /24 (IPv6: /48)."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address if address.endswith(".amazonaws.com") else None  # a service's name
    prefix = 24 if ip.version == 4 else 48
    return str(ipaddress.ip_network((ip, prefix), strict=False))
