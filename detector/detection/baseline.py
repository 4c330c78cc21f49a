"""What is usual: the first and last sight of every principal, key, region, client and network, over all records.

A sight is a fact with a span of event times. Spans only widen (by minimum and maximum), so the baseline is a pure
function of the records read, whatever their order, and older logs that come later correct it.
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

ENOUGH = 10 * DAY
"""Seconds of history from which "never seen before" means something (Elastic's new-terms rules look
back 5 to 10 d)."""
NEW = DAY
"""A principal first seen less than this before a window is new there."""


class Observation(NamedTuple):
    """Something that was seen: ``who`` (an account, a principal, a key), and ``what`` of it (``""``
    for itself)."""

    kind: ObservationKind
    who: str
    what: str


ObservationSpans = dict[Observation, tuple[int, int]]
"""First and last event time of each sight, in seconds since the epoch."""


class Baseline(msgspec.Struct, frozen=True):
    """What the baseline says of one alert. Times are epoch seconds, None where there was no such
    sight before.

    ``since`` is when the account's history begins; ``principal_first`` and ``key_first`` are the
    first sights of the alert's principal and of its newest long-term key; ``unused_regions`` are
    those of its regions in which nothing of the account was changed before."""

    since: int | None = None
    principal_first: int | None = None
    key_first: int | None = None
    unused_regions: list[str] = []

    def history_before(self, start: int) -> int:
        """Seconds of history before ``start``."""
        return max(0, start - self.since) if self.since is not None else 0

    def has_enough_history(self, start: int) -> bool:
        """Whether there is enough history before ``start`` to call something new or unused."""
        return self.history_before(start) >= ENOUGH


class RegionHistory(msgspec.Struct, frozen=True):
    """The first calls in a region (epoch seconds): of an account, one that changed something, and a
    principal's."""

    seen: int | None = None
    changed: int | None = None
    principal: int | None = None

    def label(self, start: int | None) -> str:
        """How usual the region was before ``start`` (None: at any time): ``new``, ``rare`` where
        nothing was changed in it, ``used``."""

        def before(first: int | None) -> bool:
            return first is not None and (start is None or first < start)

        return "used" if before(self.changed) else "rare" if before(self.seen) else "new"


def first_seen(baseline: Baseline | None, start: int) -> tuple[bool | None, str]:
    """Whether the principal of an alert whose window begins at ``start`` was new then, and what is
    known of that.

    None where that cannot be told.
    """
    if baseline is None:
        return None, "not known yet"
    firsts = [
        first for first in (baseline.principal_first, baseline.key_first) if first is not None
    ]
    if not firsts:
        return None, "no ARN and no key to know the caller by"
    reach = baseline.history_before(start)
    if not baseline.has_enough_history(start):
        return None, f"baseline too short ({format_age(reach)} of {format_age(ENOUGH)})"
    ago = start - max(firsts)
    seen = "not seen before" if ago <= 0 else f"first seen {format_age(ago)} before"
    return is_new(max(firsts), start), f"{seen}; baseline {format_age(reach)}"


def is_new(first: int, start: int) -> bool:
    """Whether a first sight is so short before a window that its principal is new there."""
    return first > start - NEW


class BaselineKey(NamedTuple):
    """What a call says that the baseline is made of: the sights of a partial, before they are told
    apart."""

    principal: str | None
    access_key: str | None
    account: str | None
    region: str | None
    family: str | None
    network: str | None
    changes: bool


def baseline_key_of(head: Head | EventSignature) -> BaselineKey:
    who = head.caller
    key = who.access_key_id
    return BaselineKey(
        principal_of(who.arn) if who.arn else None,
        key if key and key.startswith(_LONG_TERM) else None,
        who.account_id or head.recipient_account_id,
        head.aws_region,
        agent_family(head.user_agent) if head.user_agent else None,
        network_of(head.source_ip_address) if head.source_ip_address else None,
        head.read_only is False,
    )


_LONG_TERM = "AKIA"


def observations(seen: Mapping[BaselineKey, tuple[int, int]]) -> ObservationSpans:
    """Every sight that these facts, each with its first and last event time, are of."""
    spans: ObservationSpans = {}
    for told, span in seen.items():
        for sight in _observations(told):
            extend_span(spans, sight, span)
    return spans


def extend_span(spans: dict[_K, tuple[int, int]], name: _K, span: tuple[int, int]) -> None:
    """Make the span of ``name`` reach over ``span`` too."""
    held = spans.get(name)
    if held is None:
        spans[name] = span
    elif span[0] < held[0] or span[1] > held[1]:
        spans[name] = min(held[0], span[0]), max(held[1], span[1])


_K = TypeVar("_K")


@lru_cache(1 << 14)
def _observations(told: BaselineKey) -> tuple[Observation, ...]:
    found: list[Observation] = []
    if told.account:
        found.append(Observation("account", told.account, ""))
        if told.region:
            found.append(Observation("region", told.account, told.region))
            if told.changes:
                found.append(Observation("changed-region", told.account, told.region))
    if told.access_key:
        found.append(Observation("access-key", told.access_key, ""))
    if told.principal:
        found.append(Observation("principal", told.principal, ""))
        if told.region:
            found.append(Observation("principal-region", told.principal, told.region))
        if told.family:
            found.append(Observation("principal-agent", told.principal, told.family))
        if told.network:
            found.append(Observation("principal-network", told.principal, told.network))
    return tuple(found)


def principal_of(arn: str) -> str:
    """Who is behind an ARN: for a session of an assumed role the role, since session names come and
    go."""
    return arn.rsplit("/", 1)[0] if ":assumed-role/" in arn else arn


def agent_family(user_agent: str) -> str:
    """The program that a user agent names first, without its version: ``aws-cli``, ``Boto3``."""
    return user_agent.lstrip("[").split("/", 1)[0].split(" ", 1)[0][:64]


@lru_cache(1 << 14)
def network_of(address: str) -> str | None:
    """The /24 (IPv6: /48) that an address is in; a service's name as it is."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address if address.endswith(".amazonaws.com") else None
    return str(ipaddress.ip_network((ip, 24 if ip.version == 4 else 48), strict=False))
