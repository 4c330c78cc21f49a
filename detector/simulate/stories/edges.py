"""Stories about edge cases: of the window, the threshold, delivery and identity."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from detector.simulate import agents
from detector.simulate.organization import (
    ACCOUNTS,
    DEVELOPMENT,
    GLOBAL_REGION,
    OUTSIDER,
    PRODUCTION,
    REGIONS,
    SECOND_TRAIL,
    SHARED,
    instance,
    time_of,
)
from detector.simulate.shapes import (
    Event,
    call,
    describe_instances,
    iam_user,
    other_account,
    role_session,
    service,
)

APP_SERVER = role_session(
    PRODUCTION,
    "app-server",
    instance(PRODUCTION, GLOBAL_REGION, 0),
    "192.0.2.44",
    agents.BOTO3_LAPTOP,
    time_of("10:21:55"),
)
REPORTING = role_session(
    DEVELOPMENT,
    "regional-report",
    "nightly",
    "10.40.7.18",
    agents.BOTO3_SERVER,
    time_of("10:30:02"),
)
METRICS = iam_user(SHARED, "svc-metrics", "203.0.113.118", agents.BOTO3_SERVER)


def split_sweep(rng: Random) -> Iterator[Event]:
    """Sweep across a window boundary."""
    yield call(rng, APP_SERVER, time_of("10:47:02"), "sts", "GetCallerIdentity", GLOBAL_REGION)
    for index, region in enumerate(REGIONS):
        yield describe_instances(rng, APP_SERVER, time_of("10:47:21") + index, region)


def near_miss(rng: Random) -> Iterator[Event]:
    """List nine regions quickly and a tenth one too late."""
    first, *others = REGIONS[:9]
    start = time_of("11:05:05")
    yield describe_instances(rng, REPORTING, start, first)
    for index, region in enumerate(others, start=1):
        for _ in range(3):
            yield describe_instances(rng, REPORTING, start + index, region)
    yield describe_instances(rng, REPORTING, start + 30, REGIONS[9])


def disorder(rng: Random) -> Iterator[Event]:
    """Sweep while files arrive late, twice and out of order."""
    twice = SECOND_TRAIL[1]
    late = "sa-east-1"
    regions = [
        twice,
        *(region for region in REGIONS if region not in (twice, late, GLOBAL_REGION)),
    ][:11]
    for index, region in enumerate(sorted([*regions, late], key=lambda _: rng.random())):
        for page in range(3 if region == twice else 1):
            event = describe_instances(rng, METRICS, time_of("11:31:04") + index + 2 * page, region)
            if region == late:
                event.record["addendum"] = {"reason": "DELIVERY_DELAY"}
            if region == late:
                delay = 3600
            elif region == twice:
                delay = 0
            else:
                delay = 90 * rng.randrange(13)
            yield replace(event, delay=delay)


def without_arn(rng: Random) -> Iterator[Event]:
    """Call as AWS services and a partner's account, which have no ARN in the trail."""
    callers = [
        service(account, name)
        for account, name in zip(
            ACCOUNTS, ("autoscaling", "elasticloadbalancing", "spotfleet"), strict=True
        )
    ]
    callers.append(
        other_account(PRODUCTION, OUTSIDER, "partner-scan", "198.51.100.200", agents.BOTO3_SERVER)
    )
    for start in range(time_of("10:07:00"), time_of("13:00:00"), 720):
        for index in range(3):
            yield describe_instances(
                rng, callers[index], start + 4 * index, REGIONS[rng.randrange(len(REGIONS))]
            )
    for index in range(13):
        yield describe_instances(
            rng, callers[index % 4], time_of("12:40:02") + 2 * index, REGIONS[index % 12]
        )
