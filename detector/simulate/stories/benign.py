"""Sweeps that belong to somebody's work."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from detector.simulate import agents
from detector.simulate.organization import DEVELOPMENT, GLOBAL_REGION, REGIONS, SHARED, at
from detector.simulate.shapes import Caller, Event, call, describe_instances, role_session

ALICE = role_session(
    DEVELOPMENT,
    "AWSReservedSSO_ReadOnly_1f0e2d3c4b5a6978",
    "alice@example.com",
    "198.51.100.23",
    agents.EC2_CONSOLE,
    at("09:41:08"),
    path=f"/aws-reserved/sso.amazonaws.com/{GLOBAL_REGION}/",
    console=True,
)


def scanner(issued: int) -> Caller:
    """The scanner's session. Every run gets a key of its own; the ARN stays."""
    return role_session(
        SHARED, "inventory", "ProwlerAssessmentSession", "203.0.113.60", agents.PROWLER, issued
    )


def inventory(rng: Random) -> Iterator[Event]:
    """The security team's scanner takes stock at every full hour: a pool of workers asks all 17
    regions, in no order, within four seconds, and then for what belongs to the instances. It only
    reads.

    Three alerts, one an hour: 17 regions, 17 calls each.
    """
    for hour in (10, 11, 12):
        start = at(f"{hour}:00:04")
        who = scanner(start - 5)
        yield call(rng, who, start - 2, "sts", "GetCallerIdentity", GLOBAL_REGION)
        yield call(
            rng,
            who,
            start - 1,
            "ec2",
            "DescribeRegions",
            GLOBAL_REGION,
            {"regionSet": {}, "allRegions": False},
        )
        for place, region in enumerate(sorted(REGIONS, key=lambda _: rng.random())):
            moment = start + place * 3 // 16
            yield describe_instances(rng, who, moment, region)
            for action in ("SecurityGroups", "Volumes", "Snapshots"):
                moment += 1 + rng.randrange(4)
                yield call(rng, who, moment, "ec2", f"Describe{action}", region, {"filterSet": {}})


def console_view(rng: Random) -> Iterator[Event]:
    """A person opens a page of the console that shows all regions at once; the browser's page asks
    them in one second.

    One alert: 17 regions, 17 calls, with a user agent and a flag that say console.
    """
    moment = at("10:02:17")
    yield call(rng, ALICE, moment - 1, "ec2", "DescribeRegions", GLOBAL_REGION, {"regionSet": {}})
    for region in REGIONS:
        yield describe_instances(rng, ALICE, moment, region)
        yield call(
            rng,
            ALICE,
            moment + rng.randrange(2),
            "ec2",
            "DescribeVpcs",
            region,
            {"vpcSet": {}, "filterSet": {}},
        )
