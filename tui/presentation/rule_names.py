"""Short names of the rules, for columns."""

from __future__ import annotations

from detector.rules.rule_summary import RuleSummary
from tui.presentation.format import elide

_SHORT_NAMES = {
    "393ef120-63d1-11ef-8e38-f661ea17fbce": "EC2 sweep",
    "6edddbdd-ab21-46f3-8cd9-e9ea841d9311": "EC2 slow sweep",
    "9a49ff4f-e499-47be-9fef-bb7626646381": "CLI burst",
    "c11fd14f-a657-4a89-ad8d-3b71c3814627": "denied key",
    "fe4abb31-3c75-40f8-982a-799b81115488": "first identity",
    "f951aa27-cf90-416c-8157-e00fb7de9f8e": "S3 policy burst",
    "9fb3562a-2ae1-49e9-82da-10c78c72ae61": "vCPU quota",
}
"""Short names of the built-in rules that create alerts, by rule id."""


def rule_name(rule: RuleSummary, cells: int) -> str:
    """Return a rule's name in at most ``cells`` cells: full, short, or with its middle cut."""
    if len(rule.name) <= cells:
        return rule.name
    return elide(_SHORT_NAMES.get(rule.id, rule.name), cells)
