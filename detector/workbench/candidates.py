"""The numbers of a rule that may be parameters, and what they are called."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from detector.workbench.rule_source import KeyPath, Splice

ParameterKind = Literal["count", "duration"]

SIGMA_OPERATORS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "eq": "==", "neq": "!="}
"""The comparisons of Sigma."""

_NOUNS = {
    "cloud.region": "regions",
    "awsRegion": "regions",
    "event.action": "calls",
    "eventName": "calls",
    "event.provider": "services",
    "eventSource": "services",
    "source.ip": "addresses",
    "sourceIPAddress": "addresses",
    "user_agent.original": "agents",
    "userAgent": "agents",
    "cloud.account.id": "accounts",
    "recipientAccountId": "accounts",
    "aws.cloudtrail.user_identity.arn": "principals",
    "userIdentity.arn": "principals",
}
"""What the distinct values of a field are called."""


class NumberCandidate(NamedTuple):
    """A number of a rule, before its place in the file is known."""

    name: str
    kind: ParameterKind
    value: int
    operator: str
    written: Literal["number", "timespan", "short"]
    keeps_hits: bool
    path: KeyPath
    splice: Splice | None = None
    """The part of a text that is the number; None: all of the value."""


def noun_of(field: str) -> str:
    """Return what the distinct values of a field are called, in one word."""
    return _NOUNS.get(field, last_part(field))


def last_part(name: str) -> str:
    """Return the last part of a column's name, in letters that a parameter's name may have."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name.rpartition(".")[2]).strip("-") or "number"
