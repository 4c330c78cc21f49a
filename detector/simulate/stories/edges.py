"""Cases at the edges of the definition: of the window, of the threshold, of delivery, of identity."""

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
    at,
    instance,
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
    at("10:21:55"),
)
REPORTING = role_session(
    DEVELOPMENT, "regional-report", "nightly", "10.40.7.18", agents.BOTO3_SERVER, at("10:30:02")
)
METRICS = iam_user(SHARED, "svc-metrics", "203.0.113.118", agents.BOTO3_SERVER)


def split_sweep(rng: Random) -> Iterator[Event]:
    """The credentials of an instance, used from elsewhere, sweep all 17 regions in 17 seconds,
    across a full half minute: nine regions before 10:47:30, eight from then on.

    Tumbling windows find nothing; sliding windows find one alert: 17 regions, 17 calls.
    """
    yield call(rng, APP_SERVER, at("10:47:02"), "sts", "GetCallerIdentity", GLOBAL_REGION)
    for place, region in enumerate(REGIONS):
        yield describe_instances(rng, APP_SERVER, at("10:47:21") + place, region)


def near_miss(rng: Random) -> Iterator[Event]:
    """A report asks nine regions within eight seconds, most of them three times, and a tenth
    exactly 30 seconds after the first, which is where a window of 30 seconds has ended.

    No alert in either kind of window: 26 calls, but never ten regions.
    """
    first, *others = REGIONS[:9]
    start = at("11:05:05")
    yield describe_instances(rng, REPORTING, start, first)
    for place, region in enumerate(others, start=1):
        for _ in range(3):
            yield describe_instances(rng, REPORTING, start + place, region)
    yield describe_instances(rng, REPORTING, start + 30, REGIONS[9])


def disorder(rng: Random) -> Iterator[Event]:
    """A sweep of twelve regions within 12 seconds whose files arrive up to 18 minutes apart and in
    another order than the calls were made; one region's file comes an hour late, and another's
    comes twice, from a second trail.

    One alert: 12 regions, 14 calls. It stands as soon as ten regions are in, and the late file
    revises it."""
    twice = SECOND_TRAIL[1]
    late = "sa-east-1"
    regions = [
        twice,
        *(region for region in REGIONS if region not in (twice, late, GLOBAL_REGION)),
    ][:11]
    for place, region in enumerate(sorted([*regions, late], key=lambda _: rng.random())):
        for page in range(3 if region == twice else 1):
            event = describe_instances(rng, METRICS, at("11:31:04") + place + 2 * page, region)
            if region == late:
                event.record["addendum"] = {"reason": "DELIVERY_DELAY"}
            yield replace(
                event,
                delay=3600 if region == late else 0 if region == twice else 90 * rng.randrange(13),
            )


def without_arn(rng: Random) -> Iterator[Event]:
    """AWS services, and a partner's account, call on their own behalf: their records have no ARN. A
    few calls every twelve minutes in all accounts, and once, by coincidence, twelve regions within
    24 seconds.

    One alert: 12 regions, 13 calls of four callers in three accounts, because a missing ARN is a
    key of its own."""
    callers = [
        service(account, name)
        for account, name in zip(
            ACCOUNTS, ("autoscaling", "elasticloadbalancing", "spotfleet"), strict=True
        )
    ]
    callers.append(
        other_account(PRODUCTION, OUTSIDER, "partner-scan", "198.51.100.200", agents.BOTO3_SERVER)
    )
    for start in range(at("10:07:00"), at("13:00:00"), 720):
        for place in range(3):
            yield describe_instances(
                rng, callers[place], start + 4 * place, REGIONS[rng.randrange(len(REGIONS))]
            )
    for place in range(13):
        yield describe_instances(
            rng, callers[place % 4], at("12:40:02") + 2 * place, REGIONS[place % 12]
        )
