"""Compare values with text: contained, equal, by wildcards, as a network.

Each comparison is a small callable over case-folded text, in time linear in the text.
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
    """The whole text, by a glob in RE2's syntax."""

    regex: str

    def __call__(self, folded: str) -> bool:
        return _glob_matcher(self.regex)(folded)


@lru_cache(256)
def _glob_matcher(regex: str) -> Pattern:
    # Compiled here and not in Glob, which is pickled.
    return full_matcher(regex)


class Address(msgspec.Struct, frozen=True):
    """The address itself, in whatever way it is written."""

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
    """Return the comparison of a value with text.

    With wildcards, or where ``whole``, the whole text must match; otherwise a part of it.
    """
    if value.wild:
        return _glob(value)
    folded = value.text.casefold()
    return Is(folded) if whole else Contains(folded)


def address(value: FilterValue, *, whole: bool) -> Pattern:
    """Return the comparison of an address or network with text.

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
