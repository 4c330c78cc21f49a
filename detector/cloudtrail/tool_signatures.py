"""Tool signatures: the tools that user agents name, and their users.

The patterns are those that the tools' own code sends. A caller can write any other, so a signature
is a hint, never proof.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Literal, NamedTuple

Leaning = Literal["attack", "benign", "neutral"]


class ToolSignature(NamedTuple):
    """A tool shown by user agents; ``name`` fits a column."""

    name: str
    leaning: Leaning
    because: str


_BOTOCORE = re.compile(r"botocore[/#](\d[\d.]*)", re.IGNORECASE)


def _has_two_botocores(user_agent: str) -> bool:
    return len(set(_BOTOCORE.findall(user_agent))) > 1


_SIGNATURES: tuple[tuple[ToolSignature, Callable[[str], object]], ...] = (
    (
        ToolSignature("kali", "attack", "Kali Linux kernel"),
        re.compile(r"\bkali\b|[-.]kali\d", re.IGNORECASE).search,
    ),
    (
        ToolSignature("parrot", "attack", "Parrot OS kernel"),
        re.compile(r"parrot\d*[-.]|\bparrot\b", re.IGNORECASE).search,
    ),
    (
        ToolSignature("pentoo", "attack", "Pentoo kernel"),
        re.compile(r"pentoo", re.IGNORECASE).search,
    ),
    (
        ToolSignature("pacu", "attack", "names Pacu"),
        re.compile(r"pacu", re.IGNORECASE).search,
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
        re.compile(r"stratus-red-team", re.IGNORECASE).search,
    ),
    (
        ToolSignature("trufflehog", "attack", "names TruffleHog"),
        re.compile(r"trufflehog", re.IGNORECASE).search,
    ),
    (
        ToolSignature("prowler", "benign", "Prowler's partner number or name"),
        re.compile(r"APN_1826889|\bprowler\b", re.IGNORECASE).search,
    ),
    (
        ToolSignature("scoutsuite", "benign", "names Scout Suite"),
        re.compile(r"scout ?suite", re.IGNORECASE).search,
    ),
    (
        ToolSignature("cloudmapper", "benign", "names CloudMapper"),
        re.compile(r"cloudmapper", re.IGNORECASE).search,
    ),
    (
        ToolSignature("steampipe", "benign", "names Steampipe"),
        re.compile(r"steampipe", re.IGNORECASE).search,
    ),
    (
        ToolSignature("terraform", "benign", "names Terraform"),
        re.compile(r"terraform", re.IGNORECASE).search,
    ),
    (
        ToolSignature("console", "benign", "AWS console client"),
        re.compile(
            r"console\.(?:ec2\.)?amazon(?:aws)?\.com|EC2Console|aws-internal/3|AWS-Console",
            re.IGNORECASE,
        ).search,
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
