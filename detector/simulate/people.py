"""Workloads of people at consoles and command lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from detector.simulate import agents
from detector.simulate.organization import (
    DEVELOPMENT,
    GLOBAL_REGION,
    HOMES,
    PRODUCTION,
    START,
)
from detector.simulate.routine import Routine, Step, always
from detector.simulate.shapes import (
    Failure,
    iam_user,
    role_session,
)

CAROL = iam_user(DEVELOPMENT, "carol", "198.51.100.25", agents.LINUX_CLI)
"""A developer who works with a long-term key."""


def people() -> Iterator[Routine]:
    """Yield the routines of engineers at the console and the command line."""
    bob = role_session(
        PRODUCTION,
        "AWSReservedSSO_Operator_8a7b6c5d4e3f2a1b",
        "bob@example.com",
        "198.51.100.24",
        agents.BROWSER,
        START - 5000,
        path=f"/aws-reserved/sso.amazonaws.com/{GLOBAL_REGION}/",
        console=True,
    )
    yield Routine(
        "operator",
        GLOBAL_REGION,
        1500,
        always(bob),
        (
            Step(
                "health",
                "DescribeEventAggregates",
                {"aggregateField": "eventTypeCategory", "filter": {}},
            ),
            Step(
                "ec2",
                "DescribeInstances",
                {"maxResults": 1000, "instancesSet": {}, "filterSet": {}},
            ),
            Step(
                "ec2",
                "DescribeInstanceStatus",
                {"includeAllInstances": True, "instancesSet": {}, "filterSet": {}},
            ),
            Step("cloudwatch", "DescribeAlarms", {"maxRecords": 100}),
            Step("logs", "DescribeLogGroups", {"limit": 50}),
            Step("s3", "ListBuckets"),
            Step(
                "s3",
                "GetBucketLocation",
                {"bucketName": "example-org-assets", "location": ""},
                resource="arn:aws:s3:::example-org-assets",
            ),
            Step("ec2", "GetConsoleOutput", {"instanceId": "{instance}"}, share=0.3),
        ),
        pace=4,
    )

    refused = Failure(
        "AccessDenied",
        f"User: {CAROL.arn} is not authorized to perform: iam:ListRoles on resource: "
        f"arn:aws:iam::{DEVELOPMENT}:role/ because no identity-based policy allows the "
        "iam:ListRoles "
        "action",
    )
    yield Routine(
        "experiments",
        HOMES[DEVELOPMENT][0],
        1300,
        always(CAROL),
        (
            Step("sts", "GetCallerIdentity"),
            Step("ec2", "DescribeInstances", {"instancesSet": {}, "filterSet": {}}),
            Step(
                "ec2",
                "StartInstances",
                {"instancesSet": {"items": [{"instanceId": "{instance}"}]}},
                share=0.3,
            ),
            Step(
                "ec2",
                "StopInstances",
                {"instancesSet": {"items": [{"instanceId": "{instance}"}]}},
                share=0.3,
            ),
            Step("cloudformation", "DescribeStacks", {"stackName": "playground"}),
        ),
        pace=9,
    )
    yield Routine(
        "mistakes",
        GLOBAL_REGION,
        2700,
        always(CAROL),
        (Step("iam", "ListRoles", failure=refused),),
    )

    browser = replace(iam_user(DEVELOPMENT, "dave", "198.51.100.26", agents.BROWSER), console=True)
    browser = replace(
        browser, identity={k: v for k, v in browser.identity.items() if k != "accessKeyId"}
    )
    yield Routine(
        "sign-in",
        GLOBAL_REGION,
        4800,
        always(browser),
        (Step("signin", "ConsoleLogin", None, {"ConsoleLogin": "Success"}),),
    )

    backup = role_session(
        PRODUCTION,
        "AWSBackupDefaultServiceRole",
        "AWSBackup-Daily",
        "backup.amazonaws.com",
        "backup.amazonaws.com",
        START - 300,
        path="/service-role/",
    ).via("backup")
    yield Routine(
        "backup",
        GLOBAL_REGION,
        5000,
        always(backup),
        (
            Step(
                "ec2",
                "CreateSnapshot",
                {"volumeId": "{volume}", "description": "daily"},
                {
                    "volumeId": "{volume}",
                    "status": "pending",
                    "ownerId": PRODUCTION,
                    "encrypted": True,
                },
            ),
            Step(
                "ec2",
                "DescribeSnapshots",
                {"snapshotSet": {}, "ownersSet": {"items": [{"owner": "self"}]}},
            ),
        ),
        pace=6,
    )
