"""The answer key's second part: what must be found around the alerts of a story, and how they are put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from detector.simulate.stories import STORIES, Story


@dataclass(frozen=True)
class Around:
    """For each alert of the reference rule in a story: its flags with their counts, its risk; and
    over all of them the rhythm in which the sweeps of its principal come."""

    flags: Mapping[str, int]
    score: int
    severity: str
    rhythm: str = "once, 17 regions"


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
    "disorder": Around({"unused-region": 12}, 31, "low", "once, 12 regions"),
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
    "without_arn": Around({"unused-region": 11}, 31, "low", "once, 12 regions"),
}
"""By the name of the story; those are left out of which the reference rule finds nothing.

The instance whose credentials sweep over a window's edge shares its role with the other servers,
whose daily listings count with it. The accounts have twelve days of history and change things in
two regions at the most: so every sweep goes to regions that are not used, and one that brings
nothing else stays low. """


def stories() -> list[tuple[Story, Around]]:
    """The stories with something around them, in their order."""
    return [(story, AROUND[story.name]) for story in STORIES if story.name in AROUND]
