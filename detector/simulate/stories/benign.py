"""Sweeps that are part of legitimate work."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from detector.simulate import agents
from detector.simulate.organization import DEVELOPMENT, GLOBAL_REGION, REGIONS, SHARED, time_of
from detector.simulate.shapes import Caller, Event, call, describe_instances, role_session

ALICE = role_session(
    DEVELOPMENT,
    "AWSReservedSSO_ReadOnly_1f0e2d3c4b5a6978",
    "alice@example.com",
    "198.51.100.23",
    agents.EC2_CONSOLE,
    time_of("09:41:08"),
    path=f"/aws-reserved/sso.amazonaws.com/{GLOBAL_REGION}/",
    console=True,
)


def scanner(issued: int) -> Caller:
    """Make a session of the scanner; the ARN stays the same, the access key changes."""
    return role_session(
        SHARED, "inventory", "ProwlerAssessmentSession", "203.0.113.60", agents.PROWLER, issued
    )


def inventory(rng: Random) -> Iterator[Event]:
    """Take inventory of all regions at every full hour."""
    for hour in (10, 11, 12):
        start = time_of(f"{hour}:00:04")
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
        for index, region in enumerate(sorted(REGIONS, key=lambda _: rng.random())):
            moment = start + index * 3 // 16
            yield describe_instances(rng, who, moment, region)
            for action in ("SecurityGroups", "Volumes", "Snapshots"):
                moment += 1 + rng.randrange(4)
                yield call(rng, who, moment, "ec2", f"Describe{action}", region, {"filterSet": {}})


def console_view(rng: Random) -> Iterator[Event]:
    """Open a page of the console that shows all regions."""
    moment = time_of("10:02:17")
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
