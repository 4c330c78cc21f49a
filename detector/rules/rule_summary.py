"""The summary of a rule that is stored with its alerts."""

from __future__ import annotations

from typing import Literal

import msgspec

WindowMode = Literal["tumbling", "sliding"]
"""How the windows of rules with a window are placed."""


class AttackTechnique(msgspec.Struct, frozen=True):
    """A technique or sub-technique of MITRE ATT&CK, with its tactic."""

    id: str
    name: str
    tactic_id: str
    tactic: str


class RuleSummary(msgspec.Struct, frozen=True, omit_defaults=True):
    """The part of a rule that is stored with each of its alerts."""

    id: str
    name: str
    severity: str
    risk_score: int
    building_block: bool
    attack: list[AttackTechnique] = []
