"""Describe a rule as its alerts show it."""

from __future__ import annotations

import msgspec


class RuleSummary(msgspec.Struct, frozen=True):
    """What an alert says of its rule."""

    id: str
    name: str
    severity: str
    risk_score: int
    building_block: bool
