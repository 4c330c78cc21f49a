"""Indicators: addresses, networks, keys, ARNs, accounts, event ids and user agents.

An event is checked for all indicators of a list at once.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import msgspec

from detector.detection.baseline import network_of, principal_of
from detector.detection.event import Event
from detector.detection.principal import required_substring, session_principal
from detector.ecs.values import ip_from_text
from detector.text.late_pattern import late_pattern

IndicatorKind = Literal["address", "network", "key", "arn", "account", "event", "agent"]

MAX_INDICATORS = 10_000
"""The greatest number of indicators in a list; further ones are reported as refused."""
_KEY = late_pattern(r"(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,124}")
_ACCOUNT = late_pattern(r"[0-9]{12}")
_EVENT = late_pattern(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class Indicator(msgspec.Struct, frozen=True, order=True):
    """A value to look for: ``text`` is as written, ``value`` is the form that is compared."""

    kind: IndicatorKind
    value: str
    text: str


class IndicatorList(msgspec.Struct, frozen=True):
    """Distinct indicators, and the texts that were refused, each with the reason."""

    indicators: tuple[Indicator, ...]
    refused: tuple[str, ...] = ()


def parse_indicators(text: str) -> IndicatorList:
    """Parse a list with one indicator per line, or several separated by commas or blanks.

    ``#`` starts a comment. Defanged addresses (``203.0.113[.]7``) are accepted. Text that is not an
    address, network, key, ARN, account or event id is taken as a part of a user agent if it has a
    run of at least four characters that JSON does not escape.
    """
    found: dict[tuple[IndicatorKind, str], Indicator] = {}
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
                found.setdefault((indicator.kind, indicator.value), indicator)
    return IndicatorList(tuple(found.values()), tuple(refused))


def _parts(line: str) -> Sequence[str]:
    """Split a line into values if each part is a known value; else return it whole."""
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


def known_indicator(text: str) -> Indicator | None:
    """Return an address, network, key, ARN, account or event id; None for any other text."""
    known = _kind_of(text)
    if known is None:
        return None
    return Indicator(*known, text)


def _indicator(text: str) -> Indicator | None:
    known = known_indicator(text)
    if known is not None:
        return known
    if required_substring(text) is None:
        return None
    return Indicator("agent", text.casefold(), text)


class IndicatorMatcher:
    """Finds the indicators that an event has."""

    def __init__(self, indicators: Iterable[Indicator]) -> None:
        self.indicators = tuple(indicators)
        self._by_value = {(each.kind, each.value): each for each in self.indicators}
        self._networks = [
            (ipaddress.ip_network(each.value), each)
            for each in self.indicators
            if each.kind == "network"
        ]
        self._agents = [each for each in self.indicators if each.kind == "agent"]

    def of_event(self, event: Event) -> list[Indicator]:
        """Return the indicators that an event has, sorted."""
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

    def principal_keys(self) -> frozenset[str] | None:
        """Return the principal keys of records with these keys and ARNs; None if others are wanted.

        Addresses and networks have no principal keys, and are ignored.
        """
        keys: set[str] = set()
        for each in self.indicators:
            if each.kind in ("address", "network"):
                continue
            if each.kind == "key" and each.value[:4] in ("AKIA", "ASIA"):
                keys.add(each.value)
            elif each.kind == "arn":
                keys |= {principal_of(each.value), session_principal(each.value) or ""}
            else:
                return None
        return frozenset(keys - {""})

    @property
    def has_networks(self) -> bool:
        """Whether some indicators are addresses or networks."""
        return any(each.kind in ("address", "network") for each in self.indicators)

    def network_test(self) -> Callable[[str], bool]:
        """Return a test for whether a network of the baseline may contain a wanted address."""
        networks = [
            ipaddress.ip_network(each.value, strict=False)
            for each in self.indicators
            if each.kind in ("address", "network")
        ]
        known = {network_of(str(each.network_address)) for each in networks}

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

        return is_wanted

    def required_substrings(self) -> Sequence[bytes] | None:
        """Return substrings one of which each matching record has, ignoring case; None if
        unknown."""
        parts = []
        for each in self.indicators:
            if each.kind == "network" or (each.kind == "address" and ":" in each.value):
                return None
            part = required_substring(each.value.rpartition("/")[2])
            if part is None:
                return None
            parts.append(part)
        return parts
