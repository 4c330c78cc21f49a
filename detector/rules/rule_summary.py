"""Describe a rule as its alerts show it."""

from __future__ import annotations

from typing import Literal

import msgspec

WindowMode = Literal["tumbling", "sliding"]
"""How the windows of rules that have one are cut."""


class RuleSummary(msgspec.Struct, frozen=True):
    """The part of a rule that an alert repeats."""

    id: str
    name: str
    severity: str
    risk_score: int
    building_block: bool
