"""The stories of the simulated trail, with the findings expected of each.

A story is a generator of events; ``about.toml`` describes it. The expected findings are derived by
hand from the definition of the reference rule and cover only calls to DescribeInstances.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

from detector.simulate.organization import START, stream, time_of
from detector.simulate.people import CAROL
from detector.simulate.shapes import Event
from detector.simulate.stories import attacks, benign, edges


@dataclass(frozen=True)
class ExpectedAlert:
    """An expected alert; times are in epoch seconds."""

    first: int
    last: int
    regions: int
    events: int


@dataclass(frozen=True)
class Story:
    """A story with its expected alerts by kind of window.

    ``principal`` is the ARN of the caller, None for callers without one.
    """

    title: str
    tell: Callable[[Random], Iterator[Event]]
    principal: str | None
    tumbling: tuple[ExpectedAlert, ...] = ()
    sliding: tuple[ExpectedAlert, ...] = ()

    @property
    def name(self) -> str:
        return self.tell.__name__

    @property
    def about(self) -> str:
        return _abouts()[self.name].rstrip()

    def events(self) -> list[Event]:
        return list(self.tell(stream(f"story/{self.name}")))


@cache
def _abouts() -> dict[str, str]:
    path = Path(__file__).with_name("about.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Other:
    """The numbers of alerts expected of another built-in rule, by kind of window."""

    rule_id: str
    rule: str
    principal: str | None
    tumbling: int
    sliding: int


def _finding(first: str, last: str, regions: int, events: int) -> ExpectedAlert:
    return ExpectedAlert(time_of(first), time_of(last), regions, events)


def _story(
    title: str,
    tell: Callable[[Random], Iterator[Event]],
    principal: str | None,
    *findings: ExpectedAlert,
) -> Story:
    """Make a story in which both kinds of window find the same alerts."""
    return Story(title, tell, principal, findings, findings)


STORIES: tuple[Story, ...] = (
    _story(
        "A stolen key",
        attacks.stolen_key,
        attacks.CI_DEPLOY.arn,
        _finding("11:58:02", "11:58:13", 17, 34),
    ),
    _story(
        "A borrowed role",
        attacks.borrowed_role,
        attacks.RELEASE_BOT.arn,
        _finding("10:31:03", "10:31:17", 17, 17),
    ),
    _story(
        "An inventory",
        benign.inventory,
        benign.scanner(START).arn,
        *(_finding(f"{hour}:00:04", f"{hour}:00:07", 17, 17) for hour in (10, 11, 12)),
    ),
    _story(
        "A look in the console",
        benign.console_view,
        benign.ALICE.arn,
        _finding("10:02:17", "10:02:17", 17, 17),
    ),
    Story(
        "A sweep over a window's edge",
        edges.split_sweep,
        edges.APP_SERVER.arn,
        sliding=(_finding("10:47:21", "10:47:37", 17, 17),),
    ),
    Story("A slow sweep", attacks.slow_sweep, attacks.CONTRACTOR.arn),
    Story("A near miss", edges.near_miss, edges.REPORTING.arn),
    _story(
        "Files out of order",
        edges.disorder,
        edges.METRICS.arn,
        _finding("11:31:04", "11:31:15", 12, 14),
    ),
    _story(
        "A denied sweep",
        attacks.refused_sweep,
        attacks.LEGACY_EXPORT.arn,
        _finding("12:21:33", "12:21:42", 17, 17),
    ),
    _story(
        "Callers without an ARN", edges.without_arn, None, _finding("12:40:02", "12:40:26", 12, 13)
    ),
)

_FIRST = "fe4abb31-3c75-40f8-982a-799b81115488", "First-time GetCallerIdentity by a user or key"
_BURST = "9a49ff4f-e499-47be-9fef-bb7626646381", "Burst of discovery calls from the AWS CLI"
_SLOW = "6edddbdd-ab21-46f3-8cd9-e9ea841d9311", "Multi-region EC2 enumeration (slow)"
_REFUSED = "c11fd14f-a657-4a89-ad8d-3b71c3814627", "Long-term access key denied in multiple regions"

OTHERS: tuple[Other, ...] = (
    Other(*_FIRST, CAROL.arn, 1, 1),
    Other(*_FIRST, attacks.CONTRACTOR.arn, 1, 1),
    Other(*_FIRST, attacks.CI_DEPLOY.arn, 1, 1),
    Other(*_FIRST, attacks.LEGACY_EXPORT.arn, 1, 1),
    Other(*_SLOW, attacks.CONTRACTOR.arn, 1, 1),
    Other(*_BURST, attacks.CONTRACTOR.arn, 1, 2),
    Other(*_REFUSED, attacks.LEGACY_EXPORT.arn, 1, 1),
)
