"""Sweeps by intruders."""

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
    aws_id,
    instance,
    resource_id,
    time_of,
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
    PRODUCTION, "release-admin", "cli", "198.51.100.87", agents.LINUX_CLI, time_of("10:33:10")
)
LEGACY_EXPORT = iam_user(DEVELOPMENT, "legacy-export", "198.51.100.140", agents.LINUX_CLI)


def stolen_key(rng: Random) -> Iterator[Event]:
    """Sweep with a stolen key, then copy volumes."""
    who, home = CI_DEPLOY, GLOBAL_REGION
    yield call(rng, who, time_of("11:57:22"), "sts", "GetCallerIdentity", home)
    yield call(rng, who, time_of("11:57:41"), "ec2", "DescribeRegions", home, {"regionSet": {}})
    sweep = time_of("11:58:02")
    for index, region in enumerate(REGIONS):
        moment = sweep + index * 10 // 16
        yield describe_instances(rng, who, moment, region)
        yield describe_instances(rng, who, moment + 1, region, running=True)
    for index, region in enumerate(REGIONS):
        yield call(
            rng,
            who,
            sweep + 35 + index,
            "ec2",
            "DescribeVolumes",
            region,
            {"volumeSet": {}, "filterSet": {}},
        )
        yield call(
            rng,
            who,
            sweep + 36 + index,
            "ec2",
            "DescribeSnapshots",
            region,
            {"ownersSet": {"items": [{"owner": "self"}]}, "snapshotSet": {}, "filterSet": {}},
        )
    for index in range(4):
        yield call(
            rng,
            who,
            time_of("12:01:10") + 2 * index,
            "ec2",
            "DescribeInstanceAttribute",
            home,
            {"instanceId": instance(PRODUCTION, home, index), "attribute": "userData"},
        )

    copies = [resource_id("snap", f"stolen/{index}") for index in range(2)]
    for index, copy in enumerate(copies):
        moment = time_of("12:04:10") + 9 * index
        source = volume(PRODUCTION, home, index)
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
        time_of("12:07:31"),
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

    yield call(rng, who, time_of("12:10:48"), "iam", "ListUsers", home)
    yield call(
        rng,
        who,
        time_of("12:11:05"),
        "iam",
        "ListAttachedUserPolicies",
        home,
        {"userName": "backup-operator"},
    )
    moment = time_of("12:13:30")
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
        time_of("12:15:05"),
        "iam",
        "AttachUserPolicy",
        home,
        {"userName": "backup-operator", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
    )


def borrowed_role(rng: Random) -> Iterator[Event]:
    """Sweep with a service user's key, then assume a role with more rights."""
    who, home = RELEASE_BOT, GLOBAL_REGION
    yield call(rng, who, time_of("10:30:44"), "ec2", "DescribeRegions", home, {"regionSet": {}})
    for index, region in enumerate(REGIONS):
        yield describe_instances(rng, who, time_of("10:31:03") + index * 14 // 16, region)
    yield assume_role(rng, who, time_of("10:33:10"), home, RELEASE_ADMIN)
    yield call(rng, RELEASE_ADMIN, time_of("10:34:02"), "iam", "ListRoles", home)
    yield call(rng, RELEASE_ADMIN, time_of("10:34:20"), "iam", "ListUsers", home)
    for moment, action in (
        (time_of("10:41:15"), "CreateUser"),
        (time_of("10:41:40"), "CreateLoginProfile"),
    ):
        event = call(rng, RELEASE_ADMIN, moment, "iam", action, home, {"userName": "svc-metrics-2"})
        event.record["addendum"] = {"reason": "DELIVERY_DELAY"}
        yield replace(event, delay=2400)


def slow_sweep(rng: Random) -> Iterator[Event]:
    """Sweep slowly with an exploitation framework."""
    who, start = CONTRACTOR, time_of("11:20:00")
    yield call(rng, who, start - 12, "sts", "GetCallerIdentity", GLOBAL_REGION)
    for index, region in enumerate(sorted(REGIONS, key=lambda _: rng.random())):
        moment = start + 37 * index
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
    """Try a key without rights in all regions."""
    who = LEGACY_EXPORT
    yield call(rng, who, time_of("12:21:20"), "sts", "GetCallerIdentity", GLOBAL_REGION)
    for index, region in enumerate(REGIONS):
        resource = f"arn:aws:ec2:{region}:{DEVELOPMENT}:instance/*"
        yield describe_instances(
            rng,
            who,
            time_of("12:21:33") + index * 9 // 16,
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
            time_of(moment),
            source,
            action,
            GLOBAL_REGION,
            failure=denied(rng, who, source, permission),
        )
