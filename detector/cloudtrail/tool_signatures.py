"""Tool signatures: the tools that user agents reveal, and who usually runs them.

The patterns match what the tools' own code sends. A caller can send any user agent, so a signature
is a hint, never proof.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Literal, NamedTuple

from detector.text.late_pattern import late_pattern

Leaning = Literal["attack", "benign", "neutral"]


class ToolSignature(NamedTuple):
    """A tool revealed by a user agent; ``name`` fits in a column."""

    name: str
    leaning: Leaning
    because: str


_BOTOCORE = late_pattern(r"botocore[/#](\d[\d.]*)", re.IGNORECASE)


def _has_two_botocores(user_agent: str) -> bool:
    return len(set(_BOTOCORE.findall(user_agent))) > 1


def _names(pattern: str) -> Callable[[str], object]:
    """Return a case-insensitive search for a pattern."""
    late = late_pattern(pattern, re.IGNORECASE)
    return lambda user_agent: late.search(user_agent)


_SIGNATURES: tuple[tuple[ToolSignature, Callable[[str], object]], ...] = (
    (
        ToolSignature("kali", "attack", "Kali Linux kernel"),
        _names(r"\bkali\b|[-.]kali\d"),
    ),
    (
        ToolSignature("parrot", "attack", "Parrot OS kernel"),
        _names(r"parrot\d*[-.]|\bparrot\b"),
    ),
    (
        ToolSignature("pentoo", "attack", "Pentoo kernel"),
        _names(r"pentoo"),
    ),
    (
        ToolSignature("pacu", "attack", "names Pacu"),
        _names(r"pacu"),
    ),
    (
        ToolSignature(
            "spoofed",
            "attack",
            "two botocore versions in one user agent: probably spoofed",
        ),
        _has_two_botocores,
    ),
    (
        ToolSignature("stratus", "attack", "names Stratus Red Team"),
        _names(r"stratus-red-team"),
    ),
    (
        ToolSignature("trufflehog", "attack", "names TruffleHog"),
        _names(r"trufflehog"),
    ),
    (
        ToolSignature("prowler", "benign", "Prowler's partner number or name"),
        _names(r"APN_1826889|\bprowler\b"),
    ),
    (
        ToolSignature("scoutsuite", "benign", "names Scout Suite"),
        _names(r"scout ?suite"),
    ),
    (
        ToolSignature("cloudmapper", "benign", "names CloudMapper"),
        _names(r"cloudmapper"),
    ),
    (
        ToolSignature("steampipe", "benign", "names Steampipe"),
        _names(r"steampipe"),
    ),
    (
        ToolSignature("terraform", "benign", "names Terraform"),
        _names(r"terraform"),
    ),
    (
        ToolSignature("console", "benign", "AWS console client"),
        _names(r"console\.(?:ec2\.)?amazon(?:aws)?\.com|EC2Console|aws-internal/3|AWS-Console"),
    ),
)


@lru_cache(1 << 12)
def tool_signatures(user_agent: str) -> tuple[ToolSignature, ...]:
    """Return the tool signatures in one user agent."""
    beginning = user_agent[:4096]
    return tuple(signature for signature, matches in _SIGNATURES if matches(beginning))


def tool_signatures_of(user_agents: Iterable[str]) -> list[ToolSignature]:
    """Return the distinct tool signatures in several user agents, sorted."""
    by_name: dict[str, ToolSignature] = {}
    for user_agent in user_agents:
        by_name |= {signature.name: signature for signature in tool_signatures(user_agent)}
    return sorted(by_name.values())
