"""The baseline: when principals, keys and regions were observed.

Each observation has the span of its event times over all records. Spans are only ever widened
(minimum and maximum), so the baseline is a pure function of the set of records read, and older logs
that arrive later correct it.
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
"""Seconds of history that are needed before "never seen before" means anything.

Elastic's new-terms rules look back 5 to 10 days."""
NEW_PRINCIPAL_AGE = DAY
"""A principal is new in a window if it first called less than this many seconds before it."""


Observation = tuple[ObservationKind, str, str]
"""An observation: its kind, its subject (an account, principal or key) and the observed value.

The value is ``""`` if the observation is that the subject itself occurred."""

ObservationSpans = dict[Observation, tuple[int, int]]
"""First and last event time of each observation, in epoch seconds."""


class Baseline(msgspec.Struct, frozen=True, gc=False):
    """The baseline of one alert; times in epoch seconds.

    ``since`` is when the account's history begins; ``principal_first`` and ``key_first`` are the
    first observations of the alert's principal and of its newest long-term key; ``unused_regions``
    are the alert's regions in which the account had changed nothing before. ``from_selection``:
    logs of a backfill were read, which hold only selected calls; what happened before is then
    unknown, however long the history is."""

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
        """Return when the principal or its key was first observed, whichever is later; None if
        unknown."""
        firsts = (self.principal_first, self.key_first)
        return max((first for first in firsts if first is not None), default=None)


class RegionHistory(msgspec.Struct, frozen=True):
    """The first calls in a region, in epoch seconds.

    ``seen`` is the account's first call, ``changed`` the account's first call that changed
    something, ``principal`` the principal's first call."""

    seen: int | None = None
    changed: int | None = None
    principal: int | None = None

    def label(self, start: int | None) -> str:
        """Return how usual the region was before ``start`` (None: at any time).

        ``new``: no call; ``unusual``: calls, but none that changed anything; ``used`` otherwise."""

        def is_before(first: int | None) -> bool:
            return first is not None and (start is None or first < start)

        if is_before(self.changed):
            return "used"
        return "unusual" if is_before(self.seen) else "new"


def first_seen(baseline: Baseline | None, start: int) -> tuple[bool | None, str]:
    """Judge whether an alert's principal was new at ``start``.

    Returns the answer (None if there is too little history) and a text that explains it.
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
    """Return whether a principal that was first observed at ``first`` is new at ``start``."""
    return first > start - NEW_PRINCIPAL_AGE


def is_long_term(access_key: str) -> bool:
    """Return whether an access key is a long-term key, not that of a session."""
    return access_key.startswith("AKIA")


class ObservedOrigin(NamedTuple):
    """What is observed of a caller in a region, whatever it called.

    ``key`` is a long-term access key. Unknown parts are ``""``. Spans are collected by this tuple;
    its observations are derived once for many chunks."""

    account: str
    principal: str
    key: str
    region: str

    def observations(self) -> Iterator[Observation]:
        """Yield the observations that follow from the parts."""
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
    """First and last event times, in epoch seconds: of callers in regions, and of changes there.

    ``unite`` is commutative and associative."""

    seen: dict[ObservedOrigin, tuple[int, int]] = {}
    changed: dict[ChangedRegion, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self.seen) + len(self.changed)

    def unite(self, other: OriginSpans) -> None:
        """Widen the spans to include those of ``other``."""
        widen_spans(self.seen, other.seen.items())
        widen_spans(self.changed, other.changed.items())

    def observations(self) -> ObservationSpans:
        """Return the span of each observation."""
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
    """Widen each key's span to include the given one. A hot path for large logs."""
    for key, span in others:
        known = spans.setdefault(key, span)
        if known is not span:
            first, last = span
            if first < known[0] or last > known[1]:
                spans[key] = min(first, known[0]), max(last, known[1])


def principal_of(arn: str) -> str:
    """Return the principal behind an ARN.

    For an assumed-role session, this is the ARN without the session's name, which varies."""
    return arn.rsplit("/", 1)[0] if ":assumed-role/" in arn else arn


def agent_family(user_agent: str) -> str:
    """Return the first program that a user agent names, without its version: ``aws-cli``."""
    return user_agent.lstrip("[").split("/", 1)[0].split(" ", 1)[0][:64]


_PLAIN_ADDRESS = late_pattern(r"(?:\d{1,3}\.){3}\d{1,3}|[0-9a-fA-F:]{2,39}")
"""Matches all addresses except those with a zone or an embedded IPv4 address."""


def network_of(address: str) -> str | None:
    """Return the network of an address: its /24 (IPv6: /48).

    A service's name is returned as it is; None for any other text."""
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
