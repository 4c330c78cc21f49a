"""Compare values with text: by containment, equality, wildcards, address or network.

Each comparison is a small callable on case-folded text that takes linear time.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from functools import lru_cache

import msgspec

from detector.ecs.values import ip_from_text
from detector.filter.parser import FilterValue
from detector.text.linear_regex import full_matcher, glob_regex

Pattern = Callable[[str], bool]


class Contains(msgspec.Struct, frozen=True):
    text: str

    def __call__(self, folded: str) -> bool:
        return self.text in folded


class Is(msgspec.Struct, frozen=True):
    text: str

    def __call__(self, folded: str) -> bool:
        return folded == self.text


class Glob(msgspec.Struct, frozen=True):
    """Matches the whole text with a glob, given as a regex in RE2's syntax."""

    regex: str

    def __call__(self, folded: str) -> bool:
        return _glob_matcher(self.regex)(folded)


@lru_cache(256)
def _glob_matcher(regex: str) -> Pattern:
    # Compiled here rather than in Glob, which must be picklable.
    return full_matcher(regex)


class Address(msgspec.Struct, frozen=True):
    """Matches an address in any notation."""

    canonical: str

    def __call__(self, folded: str) -> bool:
        return ip_from_text(folded) == self.canonical


class Within(msgspec.Struct, frozen=True):
    network: ipaddress.IPv4Network | ipaddress.IPv6Network

    def __call__(self, folded: str) -> bool:
        address = _address(folded)
        return address is not None and address in self.network


@lru_cache(1 << 16)
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    canonical = ip_from_text(text)
    if canonical is None:
        return None
    return ipaddress.ip_address(canonical)


def pattern(value: FilterValue, *, whole: bool) -> Pattern:
    """Return a pattern for a value.

    With wildcards or ``whole``, it must match the whole text, otherwise a part of it.
    """
    if value.wild:
        return _glob(value)
    folded = value.text.casefold()
    return Is(folded) if whole else Contains(folded)


def address(value: FilterValue, *, whole: bool) -> Pattern:
    """Return a pattern for an address or network; any other value is compared as text.

    Raises ValueError for an invalid network.
    """
    text = value.text.strip()
    if not value.wild and (canonical := ip_from_text(text)) is not None:
        return Address(canonical)
    if "/" in text and re.fullmatch(r"[0-9a-fA-F.:]+/[0-9]+", text):
        try:
            return Within(ipaddress.ip_network(text, strict=False))
        except ValueError:
            raise ValueError(f"{text} is not a network: write it like 10.0.0.0/8") from None
    return pattern(value, whole=whole)


def _glob(value: FilterValue) -> Glob:
    wild = set(value.wild)
    letters = ((letter.casefold(), index in wild) for index, letter in enumerate(value.text))
    return Glob(glob_regex(letters))
