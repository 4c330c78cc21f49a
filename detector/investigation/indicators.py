"""Indicators: a list of addresses, networks, keys, ARNs, accounts, event ids and user agents.

All are looked for at once; each says how many events have it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

from detector.cloudtrail.record import Record
from detector.detection.baseline import network_of, principal_of
from detector.detection.event import Event
from detector.detection.principal import required_substring, session_principal
from detector.ecs.values import ip_from_text
from detector.store import Store
from detector.text.time import format_time

IndicatorKind = Literal["address", "network", "key", "arn", "account", "event", "agent"]

MAX_INDICATORS = 10_000
"""Lines of a list that are taken; more are said to be left out."""
_KEY = re.compile(r"(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,124}")
_ACCOUNT = re.compile(r"[0-9]{12}")
_EVENT = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class Indicator(msgspec.Struct, frozen=True, order=True):
    """A value to look for; ``text`` is as written, ``value`` in the form that is compared."""

    kind: IndicatorKind
    value: str
    text: str


class IndicatorList(msgspec.Struct, frozen=True):
    """Indicators without repetitions, and the lines that were not taken with the reason."""

    indicators: tuple[Indicator, ...]
    refused: tuple[str, ...] = ()


def parse_indicators(text: str) -> IndicatorList:
    """Read a list: one a line, or several with commas or blanks between addresses and ids.

    A line after ``#`` is a comment. Defanged addresses (``203.0.113[.]7``) are read. What is no
    address, network, key, ARN, account or event id is a part of a user agent, if it has four
    characters.
    """
    found: dict[Indicator, None] = {}
    refused = []
    for line in text.splitlines():
        line = line.partition("#")[0].strip().strip("\"',;")
        if not line:
            continue
        for part in _parts(line):
            indicator = _indicator(part)
            if indicator is None:
                refused.append(f"{part}: too short to look for: write at least 4 characters")
            elif len(found) >= MAX_INDICATORS:
                refused.append(f"{part}: more than {MAX_INDICATORS:,} indicators")
            else:
                found[indicator] = None
    return IndicatorList(tuple(found), tuple(refused))


def _parts(line: str) -> Sequence[str]:
    """Cut a line into its values where all of them are values; else it is one text."""
    parts = [part.strip("\"'") for part in re.split(r"[\s,;]+", line)]
    parts = [part for part in parts if part]
    kinds = [_kind_of(part) for part in parts]
    if len(parts) > 1 and None not in kinds:
        return parts
    return [line]


def _kind_of(text: str) -> tuple[IndicatorKind, str] | None:
    plain = text.replace("[.]", ".").replace("[:]", ":")
    canonical = ip_from_text(plain)
    if canonical is not None:
        return "address", canonical
    if "/" in plain:
        try:
            return "network", str(ipaddress.ip_network(plain, strict=False))
        except ValueError:
            pass
    if text.startswith("arn:"):
        return "arn", text
    if _KEY.fullmatch(text):
        return "key", text
    if _ACCOUNT.fullmatch(text):
        return "account", text
    if _EVENT.fullmatch(text):
        return "event", text.lower()
    return None


def _indicator(text: str) -> Indicator | None:
    known = _kind_of(text)
    if known is not None:
        return Indicator(*known, text)
    if required_substring(text) is None:
        return None
    return Indicator("agent", text.casefold(), text)


class IndicatorSelector:
    """The events that have one of some indicators.

    With a ``store`` that has counted all its files, only the principals that called from a wanted
    network are searched where every indicator is an address, a network, a key or an ARN.
    """

    ignores_case = True

    def __init__(self, indicators: Sequence[Indicator], store: Store | None = None) -> None:
        self._indicators = tuple(indicators)
        self._by_value = {(each.kind, each.value): each for each in indicators}
        self._networks = [
            (ipaddress.ip_network(each.value), each)
            for each in indicators
            if each.kind == "network"
        ]
        self._agents = [each for each in indicators if each.kind == "agent"]
        self._keys = self._principal_keys(store)

    def includes(self, event: Event, record: Record) -> bool:  # noqa: ARG002
        return bool(self.of_event(event))

    def principal_keys(self) -> frozenset[str] | None:
        return self._keys

    def required_substrings(self) -> Sequence[bytes] | None:
        if self._keys is not None or self._networks:
            return None
        parts = []
        for each in self._indicators:
            part = required_substring(each.value.rpartition("/")[2])
            if part is None or (":" in each.value and each.kind == "address"):
                return None
            parts.append(part)
        return parts

    def of_event(self, event: Event) -> list[Indicator]:
        """Return the indicators that an event has, in order."""
        address = ip_from_text(event.source_address)
        values: list[tuple[IndicatorKind, str]] = [
            ("address", address or ""),
            ("key", event.access_key),
            ("key", event.issued_key),
            ("arn", event.arn),
            ("arn", event.role_arn),
            ("arn", principal_of(event.arn)),
            ("account", event.account),
            ("account", event.caller_account),
            ("event", event.event_id.lower()),
        ]
        found = {self._by_value[value] for value in values if value in self._by_value}
        if address is not None and self._networks:
            parsed = ipaddress.ip_address(address)
            found |= {each for network, each in self._networks if parsed in network}
        if self._agents:
            agent = event.user_agent.casefold()
            found |= {each for each in self._agents if each.value in agent}
        return sorted(found)

    def _principal_keys(self, store: Store | None) -> frozenset[str] | None:
        keys: set[str] = set()
        networks = []
        for each in self._indicators:
            if each.kind == "key" and each.value[:4] in ("AKIA", "ASIA"):
                keys.add(each.value)
            elif each.kind in ("address", "network"):
                networks.append(ipaddress.ip_network(each.value, strict=False))
            elif each.kind == "arn":
                keys.add(session_principal(each.value) or principal_of(each.value))
            else:
                return None
        if not networks:
            return frozenset(keys)
        if store is None or store.activity.uncounted_files():
            return None
        known = {network_of(str(each.network_address)): each for each in networks}

        def is_wanted(network: str) -> bool:
            if network in known:
                return True
            try:
                parsed = ipaddress.ip_network(network)
            except ValueError:
                return False
            return network == "::/48" or any(
                each.version == parsed.version and each.overlaps(parsed) for each in networks
            )

        actors = store.activity.principals_with("network", is_wanted, 0, 1 << 32)
        if any(not actor.name.startswith("arn:") for actor in actors):
            return None
        return frozenset(keys | {actor.name for actor in actors})


class IndicatorCount(msgspec.Struct):
    """How often an indicator was found, by whom, and when; times are epoch seconds."""

    indicator: Indicator
    events: int = 0
    first: int = 0
    last: int = 0
    principals: set[str] = msgspec.field(default_factory=set)

    def add(self, event: Event) -> None:
        """Count an event."""
        self.events += 1
        self.first = min(self.first or event.time, event.time)
        self.last = max(self.last, event.time)
        self.principals.add(principal_of(event.arn) or event.caller_account)

    def as_json(self) -> dict[str, Any]:
        """Return the object that ``--format jsonl`` prints."""
        times: tuple[str, ...] | tuple[None, ...] = (None, None)
        if self.events:
            times = (format_time(self.first), format_time(self.last))
        return {
            "indicator": self.indicator.text,
            "kind": self.indicator.kind,
            "events": self.events,
            "first": times[0],
            "last": times[1],
            "principals": sorted(self.principals),
        }


class IndicatorCounts:
    """The hits of each indicator, those without any too."""

    def __init__(self, indicators: Sequence[Indicator]) -> None:
        self.indicators = tuple(indicators)
        self._selector = IndicatorSelector(indicators)
        self._counts = {each: IndicatorCount(each) for each in indicators}

    def add(self, events: Iterable[Event]) -> None:
        """Count events, each once for each indicator that it has."""
        for event in events:
            for indicator in self._selector.of_event(event):
                self._counts[indicator].add(event)

    def of_event(self, event: Event) -> list[Indicator]:
        """Return the indicators that an event has."""
        return self._selector.of_event(event)

    @property
    def counts(self) -> list[IndicatorCount]:
        """The counts, most hits first."""
        return sorted(self._counts.values(), key=lambda each: (-each.events, each.indicator))
