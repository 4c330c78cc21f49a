"""The expected flags, risk and rhythm of the stories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from detector.simulate.stories import STORIES, Story


@dataclass(frozen=True)
class Around:
    """The expected flags, risk and rhythm of a story's alerts."""

    flags: Mapping[str, int]
    score: int
    severity: str
    rhythm: str = "single occurrence, 17 regions"


AROUND: Mapping[str, Around] = {
    "stolen_key": Around(
        {
            "access-key": 1,
            "caller-identity": 1,
            "first-seen-principal": 1,
            "iam-change": 1,
            "other-enumeration": 41,
            "snapshot": 3,
            "tool-tell": 34,
            "unused-region": 15,
        },
        100,
        "critical",
    ),
    "borrowed_role": Around(
        {"iam-change": 2, "other-enumeration": 3, "role-assumption": 1, "unused-region": 15},
        91,
        "high",
    ),
    "inventory": Around(
        {
            "caller-identity": 1,
            "other-enumeration": 52,
            "tool-tell": 17,
            "unused-region": 16,
        },
        26,
        "low",
        "every hour, 17 regions, 3 times",
    ),
    "console_view": Around(
        {"other-enumeration": 18, "tool-tell": 17, "unused-region": 16}, 21, "low"
    ),
    "split_sweep": Around(
        {"caller-identity": 1, "other-enumeration": 193, "unused-region": 15}, 41, "medium"
    ),
    "disorder": Around({"unused-region": 12}, 31, "low", "single occurrence, 12 regions"),
    "refused_sweep": Around(
        {
            "caller-identity": 1,
            "denied-calls": 17,
            "first-seen-principal": 1,
            "other-enumeration": 3,
            "unused-region": 15,
        },
        66,
        "medium",
    ),
    "without_arn": Around({"unused-region": 11}, 31, "low", "single occurrence, 12 regions"),
}
"""The expected context of alerts, by the name of the story.

Stories in which the reference rule finds nothing are omitted. In ``split_sweep``, the instance
shares its role with the other servers, so their daily listings count too. The accounts have twelve
days of history and change resources in at most two regions, so every sweep reaches unused regions,
and a sweep without other flags has low severity.
"""


def stories() -> list[tuple[Story, Around]]:
    """Return the stories that have an expected context, in their order."""
    return [(story, AROUND[story.name]) for story in STORIES if story.name in AROUND]
