"""The numbers of a rule that may become parameters, and their names."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from detector.workbench.rule_source import KeyPath, Splice

ParameterKind = Literal["count", "duration"]

SIGMA_OPERATORS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "eq": "==", "neq": "!="}
"""Sigma's comparison operators."""

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
"""The noun for the distinct values of a field."""


class NumberCandidate(NamedTuple):
    """A number of a rule whose position in the file is not known yet."""

    name: str
    kind: ParameterKind
    value: int
    operator: str
    written: Literal["number", "timespan", "short"]
    keeps_hits: bool
    path: KeyPath
    splice: Splice | None = None
    """The part of the text value that is the number; None if it is the whole value."""


def noun_of(field: str) -> str:
    """Return a one-word noun for the distinct values of a field."""
    return _NOUNS.get(field, last_part(field))


def last_part(name: str) -> str:
    """Return the last part of a column's name, in characters allowed in a parameter's name."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name.rpartition(".")[2]).strip("-") or "number"
