"""Sweeps by those who should not be there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from detector.simulate import agents
from detector.simulate.organization import (
    DEVELOPMENT,
    GLOBAL_REGION,
    OUTSIDER,
    PRODUCTION,
    REGIONS,
    at,
    aws_id,
    instance,
    resource_id,
    volume,
)
from detector.simulate.shapes import (
    Event,
    assume_role,
    call,
    denied,
    describe_instances,
    iam_user,
    long_time,
    role_session,
    uuid,
)

CI_DEPLOY = iam_user(PRODUCTION, "ci-deploy", "203.0.113.7", agents.KALI_CLI)
CONTRACTOR = iam_user(DEVELOPMENT, "contractor-dev", "192.0.2.91", agents.PACU)
RELEASE_BOT = iam_user(PRODUCTION, "release-bot", "198.51.100.87", agents.LINUX_CLI)
RELEASE_ADMIN = role_session(
    PRODUCTION, "release-admin", "cli", "198.51.100.87", agents.LINUX_CLI, at("10:33:10")
)
LEGACY_EXPORT = iam_user(DEVELOPMENT, "legacy-export", "198.51.100.140", agents.LINUX_CLI)


def stolen_key(rng: Random) -> Iterator[Event]:
    """A long-term key that no job uses any more appears on a machine for attackers: it asks who it
    is, sweeps all 17 regions in 11 seconds, enumerates on, copies two volumes to snapshots, shares
    one of them with an account outside the organization, gives another user a new key and makes
    that user an administrator, all within 17 minutes.

    One alert: 17 regions, 34 calls, two in each region.
    """
    who, home = CI_DEPLOY, GLOBAL_REGION
    yield call(rng, who, at("11:57:22"), "sts", "GetCallerIdentity", home)
    yield call(rng, who, at("11:57:41"), "ec2", "DescribeRegions", home, {"regionSet": {}})
    sweep = at("11:58:02")
    for place, region in enumerate(REGIONS):
        moment = sweep + place * 10 // 16
        yield describe_instances(rng, who, moment, region)
        yield describe_instances(rng, who, moment + 1, region, running=True)
    for place, region in enumerate(REGIONS):
        yield call(
            rng,
            who,
            sweep + 35 + place,
            "ec2",
            "DescribeVolumes",
            region,
            {"volumeSet": {}, "filterSet": {}},
        )
        yield call(
            rng,
            who,
            sweep + 36 + place,
            "ec2",
            "DescribeSnapshots",
            region,
            {"ownersSet": {"items": [{"owner": "self"}]}, "snapshotSet": {}, "filterSet": {}},
        )
    for place in range(4):
        yield call(
            rng,
            who,
            at("12:01:10") + 2 * place,
            "ec2",
            "DescribeInstanceAttribute",
            home,
            {"instanceId": instance(PRODUCTION, home, place), "attribute": "userData"},
        )

    copies = [resource_id("snap", f"stolen/{place}") for place in range(2)]
    for place, copy in enumerate(copies):
        moment = at("12:04:10") + 9 * place
        source = volume(PRODUCTION, home, place)
        yield call(
            rng,
            who,
            moment,
            "ec2",
            "CreateSnapshot",
            home,
            {"volumeId": source},
            {
                "requestId": uuid(rng),
                "snapshotId": copy,
                "volumeId": source,
                "status": "pending",
                "startTime": moment * 1000,
                "progress": "",
                "ownerId": PRODUCTION,
                "volumeSize": "80",
                "encrypted": False,
            },
        )
    share = {"add": {"items": [{"userId": OUTSIDER}]}}
    yield call(
        rng,
        who,
        at("12:07:31"),
        "ec2",
        "ModifySnapshotAttribute",
        home,
        {
            "snapshotId": copies[0],
            "createVolumePermission": share,
            "attributeType": "CREATE_VOLUME_PERMISSION",
        },
        {"requestId": uuid(rng), "_return": True},
    )

    yield call(rng, who, at("12:10:48"), "iam", "ListUsers", home)
    yield call(
        rng,
        who,
        at("12:11:05"),
        "iam",
        "ListAttachedUserPolicies",
        home,
        {"userName": "backup-operator"},
    )
    moment = at("12:13:30")
    yield call(
        rng,
        who,
        moment,
        "iam",
        "CreateAccessKey",
        home,
        {"userName": "backup-operator"},
        {
            "accessKey": {
                "accessKeyId": aws_id("AKIA", "stolen/second"),
                "status": "Active",
                "userName": "backup-operator",
                "createDate": long_time(moment),
            }
        },
    )
    yield call(
        rng,
        who,
        at("12:15:05"),
        "iam",
        "AttachUserPolicy",
        home,
        {"userName": "backup-operator", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
    )


def borrowed_role(rng: Random) -> Iterator[Event]:
    """The key of a release robot sweeps all 17 regions from a laptop, then opens a session of a
    role with more rights, and that session makes a user with a login. The file with the new user
    comes 40 minutes late.

    One alert: 17 regions, 17 calls. What the session did is counted with it; the late file raises
    its risk."""
    who, home = RELEASE_BOT, GLOBAL_REGION
    yield call(rng, who, at("10:30:44"), "ec2", "DescribeRegions", home, {"regionSet": {}})
    for place, region in enumerate(REGIONS):
        yield describe_instances(rng, who, at("10:31:03") + place * 14 // 16, region)
    yield assume_role(rng, who, at("10:33:10"), home, RELEASE_ADMIN)
    yield call(rng, RELEASE_ADMIN, at("10:34:02"), "iam", "ListRoles", home)
    yield call(rng, RELEASE_ADMIN, at("10:34:20"), "iam", "ListUsers", home)
    for moment, action in ((at("10:41:15"), "CreateUser"), (at("10:41:40"), "CreateLoginProfile")):
        event = call(rng, RELEASE_ADMIN, moment, "iam", action, home, {"userName": "svc-metrics-2"})
        event.record["addendum"] = {"reason": "DELIVERY_DELAY"}
        yield replace(event, delay=2400)


def slow_sweep(rng: Random) -> Iterator[Event]:
    """An exploitation framework with a borrowed user agent works through all 17 regions, one after
    the other, with seven kinds of call in each: ten minutes from the first region to the last.

    No alert: no 30 seconds see more than one region. A rule with a longer window finds it.
    """
    who, start = CONTRACTOR, at("11:20:00")
    yield call(rng, who, start - 12, "sts", "GetCallerIdentity", GLOBAL_REGION)
    for place, region in enumerate(sorted(REGIONS, key=lambda _: rng.random())):
        moment = start + 37 * place
        yield describe_instances(rng, who, moment, region)
        for action in (
            "SecurityGroups",
            "Addresses",
            "NetworkInterfaces",
            "RouteTables",
            "Subnets",
            "LaunchTemplates",
        ):
            moment += 1 + rng.randrange(5)
            yield call(
                rng,
                who,
                moment,
                "ec2",
                f"Describe{action}",
                region,
                {"maxResults": 1000, "filterSet": {}},
            )


def refused_sweep(rng: Random) -> Iterator[Event]:
    """The long-term key of a user without any right left is tried in all 17 regions within nine
    seconds. Every one is refused, as are the calls to S3 and IAM that follow.

    One alert: 17 regions, 17 calls, all denied. A region counts as touched whether the call
    succeeds or not."""
    who = LEGACY_EXPORT
    yield call(rng, who, at("12:21:20"), "sts", "GetCallerIdentity", GLOBAL_REGION)
    for place, region in enumerate(REGIONS):
        resource = f"arn:aws:ec2:{region}:{DEVELOPMENT}:instance/*"
        yield describe_instances(
            rng,
            who,
            at("12:21:33") + place * 9 // 16,
            region,
            failure=denied(rng, who, "ec2", "DescribeInstances", resource),
        )
    for moment, source, action, permission in (
        ("12:22:05", "s3", "ListBuckets", "ListAllMyBuckets"),
        ("12:22:19", "iam", "ListUsers", "ListUsers"),
        ("12:22:31", "iam", "ListRoles", "ListRoles"),
    ):
        yield call(
            rng,
            who,
            at(moment),
            source,
            action,
            GLOBAL_REGION,
            failure=denied(rng, who, source, permission),
        )
