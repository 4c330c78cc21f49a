"""The baseline: when principals, keys and regions were observed.

An observation has a span of event times over all records. Spans only widen, by minimum and maximum,
so the baseline is a pure function of the records read, whatever their order, and older logs that
come later correct it.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, TypeVar

import msgspec

from detector.text.late_pattern import late_pattern
from detector.text.time import DAY, format_age

ObservationKind = Literal[
    "account",
    "principal",
    "access-key",
    "region",
    "changed-region",
    "principal-region",
    "selection",
]

ENOUGH_HISTORY = 10 * DAY
"""Seconds of history from which "never seen before" means something.

Elastic's new-terms rules look back 5 to 10 days."""
NEW_PRINCIPAL_AGE = DAY
"""Seconds before a window within which a principal's first call makes it new there."""


Observation = tuple[ObservationKind, str, str]
"""Something that was observed of an account, a principal or a key, the subject.

The last is what was observed of the subject, ``""`` for the subject itself."""

ObservationSpans = dict[Observation, tuple[int, int]]
"""First and last event time of each observation, in epoch seconds."""


class Baseline(msgspec.Struct, frozen=True, gc=False):
    """What the baseline says of one alert; times in epoch seconds.

    ``since`` is when the account's history begins; ``principal_first`` and ``key_first`` are the
    first observations of the alert's principal and of its newest long-term key; ``unused_regions``
    are those of its regions in which nothing of the account was changed before.
    ``from_selection``: logs of a backfill were read, which hold selected calls only: then what was
    before is not known, however long the history."""

    since: int | None = None
    principal_first: int | None = None
    key_first: int | None = None
    unused_regions: list[str] = []
    from_selection: bool = False

    def history_before(self, start: int) -> int:
        """Return the seconds of history before ``start``."""
        return max(0, start - self.since) if self.since is not None else 0

    def has_enough_history(self, start: int) -> bool:
        """Return whether there is enough history before ``start`` to call something new."""
        return not self.from_selection and self.history_before(start) >= ENOUGH_HISTORY

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

        ``new`` without a call, ``unusual`` where nothing was changed in it, ``used`` otherwise."""

        def is_before(first: int | None) -> bool:
            return first is not None and (start is None or first < start)

        if is_before(self.changed):
            return "used"
        return "unusual" if is_before(self.seen) else "new"


def first_seen(baseline: Baseline | None, start: int) -> tuple[bool | None, str]:
    """Judge whether an alert's principal was new at ``start``.

    Returns the answer, None where there is too little history, and a text that says why.
    """
    if baseline is None:
        return None, "not determined yet"
    if baseline.from_selection:
        return None, "not known: logs of a backfill were read, which hold selected calls only"
    newest = baseline.newest_first()
    if newest is None:
        return None, "caller has no ARN or access key"
    history = baseline.history_before(start)
    if not baseline.has_enough_history(start):
        return (
            None,
            f"not enough history yet ({format_age(history)} of "
            f"{format_age(ENOUGH_HISTORY)} needed)",
        )
    age = start - newest
    seen = "first seen in this alert" if age <= 0 else f"first seen {format_age(age)} earlier"
    return is_new(newest, start), f"{seen} ({format_age(history)} of history)"


def is_new(first: int, start: int) -> bool:
    """Return whether a principal first observed then is new."""
    return first > start - NEW_PRINCIPAL_AGE


def is_long_term(access_key: str) -> bool:
    """Return whether an access key is not one of a session."""
    return access_key.startswith("AKIA")


class ObservedOrigin(NamedTuple):
    """What is observed of a caller and the region that it called, whatever it called.

    ``key`` is a long-term access key. What is not known is ``""``. The observations that follow
    from it are made once for many chunks."""

    account: str
    principal: str
    key: str
    region: str

    def observations(self) -> Iterator[Observation]:
        """Yield what is observed of its parts."""
        account, principal, key, region = self
        if account:
            yield "account", account, ""
            if region:
                yield "region", account, region
        if key:
            yield "access-key", key, ""
        if not principal:
            return
        yield "principal", principal, ""
        if region:
            yield "principal-region", principal, region


ChangedRegion = tuple[str, str]
"""An account and a region in which it changed something."""


class OriginSpans(msgspec.Struct):
    """First and last event time of callers in regions, and of what was changed there.

    In epoch seconds. A union of such is one again, whatever the order."""

    seen: dict[ObservedOrigin, tuple[int, int]] = {}
    changed: dict[ChangedRegion, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self.seen) + len(self.changed)

    def unite(self, other: OriginSpans) -> None:
        """Widen the spans over others."""
        widen_spans(self.seen, other.seen.items())
        widen_spans(self.changed, other.changed.items())

    def observations(self) -> ObservationSpans:
        """Return the span of each observation that was made."""
        spans: ObservationSpans = {}
        for origin, span in self.seen.items():
            widen_spans(spans, [(each, span) for each in origin.observations()])
        for (account, region), span in self.changed.items():
            spans["changed-region", account, region] = span
        return spans


_K = TypeVar("_K")


def widen_spans(
    spans: dict[_K, tuple[int, int]], others: Iterable[tuple[_K, tuple[int, int]]]
) -> None:
    """Widen the span of each key over another one. The keys of a large log run through here."""
    for key, span in others:
        known = spans.setdefault(key, span)
        if known is not span:
            first, last = span
            if first < known[0] or last > known[1]:
                spans[key] = min(first, known[0]), max(last, known[1])


def principal_of(arn: str) -> str:
    """Return the principal behind an ARN: the role of an assumed-role session.

    Session names come and go."""
    return arn.rsplit("/", 1)[0] if ":assumed-role/" in arn else arn


def agent_family(user_agent: str) -> str:
    """Return the first program of a user agent without version: ``aws-cli``."""
    return user_agent.lstrip("[").split("/", 1)[0].split(" ", 1)[0][:64]


_PLAIN_ADDRESS = late_pattern(r"(?:\d{1,3}\.){3}\d{1,3}|[0-9a-fA-F:]{2,39}")
"""The form of all addresses but those with a zone or an embedded IPv4 address."""


def network_of(address: str) -> str | None:
    """Return the network of an address: its /24 (IPv6: /48)."""
    try:
        if not _PLAIN_ADDRESS.fullmatch(address):
            return str(_network(address))
        if ":" not in address:
            socket.inet_pton(socket.AF_INET, address)
            return address[: address.rindex(".")] + ".0/24"
        start = socket.inet_pton(socket.AF_INET6, address)[:6]
        return socket.inet_ntop(socket.AF_INET6, start.ljust(16, b"\0")) + "/48"
    except (ValueError, OSError):
        return address if address.endswith(".amazonaws.com") else None  # a service's name


def _network(address: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    ip = ipaddress.ip_address(address)
    prefix = 24 if ip.version == 4 else 48
    return ipaddress.ip_network((ip, prefix), strict=False)
