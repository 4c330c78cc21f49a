"""Workloads of AWS services and of tools outside the accounts."""

from __future__ import annotations

from collections.abc import Iterator

from detector.simulate import agents
from detector.simulate.organization import (
    GLOBAL_REGION,
    ORGANIZATION,
    SHARED,
    START,
)
from detector.simulate.routine import KEY_ARN, Routine, Step, always
from detector.simulate.shapes import (
    Caller,
    Failure,
    other_account,
    role_session,
    service,
    service_role,
    web_identity,
)

_VENDOR = "123456789012"
_NO_POLICY = Failure("NoSuchBucketPolicy", "The bucket policy does not exist")
_TRAIL_ARN = f"arn:aws:cloudtrail:{GLOBAL_REGION}:{SHARED}:trail/main"


def log_delivery(account: str, region: str, every: int) -> Iterator[Routine]:
    """Yield CloudTrail's calls before a delivery: it checks its bucket and requests data keys."""
    bucket = f"{ORGANIZATION}-trail"
    yield Routine(
        "delivery",
        region,
        every,
        always(service(account, "cloudtrail")),
        (
            Step(
                "s3",
                "GetBucketAcl",
                {"bucketName": bucket, "Host": f"{bucket}.s3.{{region}}.amazonaws.com", "acl": ""},
                resource=f"arn:aws:s3:::{bucket}",
            ),
            Step(
                "kms",
                "GenerateDataKey",
                {
                    "keySpec": "AES_256",
                    "keyId": KEY_ARN,
                    "encryptionContext": {"aws:cloudtrail:arn": _TRAIL_ARN},
                },
                resource=KEY_ARN,
            ),
        ),
    )


def recorder(account: str, region: str) -> Iterator[Routine]:
    """Yield the routines of AWS Config and IAM Access Analyzer in a region."""
    yield Routine(
        "recorder",
        region,
        4000,
        always(service_role(account, "AWSServiceRoleForConfig", "config", START - 3000)),
        (
            Step("ec2", "DescribeVpcs", {"vpcSet": {}, "filterSet": {}}),
            Step("ec2", "DescribeSecurityGroups", {"securityGroupSet": {}, "filterSet": {}}),
            Step("rds", "DescribeDBInstances", {"maxRecords": 100}),
            Step("lambda", "ListFunctions20150331", {"maxItems": 50}),
            Step("kms", "ListAliases", {"limit": 100}, share=0.5),
        ),
    )
    yield Routine(
        "analyzer",
        region,
        7000,
        always(
            service_role(
                account, "AWSServiceRoleForAccessAnalyzer", "access-analyzer", START - 3300
            )
        ),
        (
            Step("kms", "ListKeys", {}),
            Step("sqs", "ListQueues", {}),
            Step("secretsmanager", "ListSecrets", {"maxResults": 100}),
        ),
        pace=2,
    )


def pipeline(account: str, region: str) -> Iterator[Routine]:
    """Yield Terraform plans run by a CI system outside AWS, each with its own token."""
    provider, subject = (
        "token.actions.githubusercontent.com",
        "repo:example-org/infrastructure:ref:refs/heads/main",
    )

    def session(run: int) -> Caller:
        return role_session(
            account, "terraform-plan", "GitHubActions", "198.51.100.61", agents.TERRAFORM, run
        )

    reads = (
        "Vpcs",
        "Subnets",
        "RouteTables",
        "SecurityGroups",
        "InternetGateways",
        "NatGateways",
        "NetworkAcls",
        "LaunchTemplates",
        "Images",
        "AvailabilityZones",
        "VpcEndpoints",
        "KeyPairs",
    )
    yield Routine(
        "plan",
        region,
        2400,
        session,
        (
            Step(
                "sts",
                "AssumeRoleWithWebIdentity",
                by=web_identity(account, provider, subject, "198.51.100.61", agents.GITHUB_ACTION),
            ),
            Step("sts", "GetCallerIdentity"),
            Step("dynamodb", "DescribeTable", {"tableName": "terraform-locks"}),
            Step(
                "s3",
                "GetBucketPolicy",
                {"bucketName": "example-org-state", "policy": ""},
                failure=_NO_POLICY,
                resource="arn:aws:s3:::example-org-state",
            ),
            Step("iam", "GetRole", {"roleName": "app-server"}),
            Step("iam", "ListAttachedRolePolicies", {"roleName": "app-server"}),
            *(Step("ec2", f"Describe{what}", {"filterSet": {}}) for what in reads),
            Step(
                "ec2",
                "DescribeInstances",
                {"instancesSet": {"items": [{"instanceId": "{instance}"}]}, "filterSet": {}},
            ),
            Step(
                "ec2",
                "DescribeInstanceAttribute",
                {"instanceId": "{instance}", "attribute": "disableApiTermination"},
            ),
            Step("elasticloadbalancing", "DescribeLoadBalancers", {"names": ["app-{stage}"]}),
            Step(
                "autoscaling",
                "DescribeAutoScalingGroups",
                {"autoScalingGroupNames": ["app-{stage}"]},
            ),
            Step(
                "ec2",
                "CreateTags",
                {
                    "resourcesSet": {"items": [{"resourceId": "{instance}"}]},
                    "tagSet": {"items": [{"key": "revision", "value": "{hex}"}]},
                },
                share=0.3,
            ),
        ),
    )


def monitoring(account: str, regions: tuple[str, ...]) -> Iterator[Routine]:
    """Yield a monitoring product that polls the regions in use."""

    def session(run: int) -> Caller:
        return role_session(
            account, "monitoring", "metrics", "203.0.113.201", agents.MONITORING, run // 3600 * 3600
        )

    for region in regions:
        yield Routine(
            "monitoring",
            region,
            600,
            session,
            (
                Step(
                    "sts",
                    "AssumeRole",
                    by=other_account(
                        account, _VENDOR, "poller", "203.0.113.201", agents.MONITORING
                    ),
                ),
                Step(
                    "ec2",
                    "DescribeInstances",
                    {"maxResults": 500, "instancesSet": {}, "filterSet": {}},
                ),
                Step(
                    "monitoring", "ListMetrics", {"namespace": "AWS/EC2", "recentlyActive": "PT3H"}
                ),
                Step(
                    "ec2", "DescribeVolumes", {"volumeSet": {}, "filterSet": {}, "maxResults": 500}
                ),
                Step("rds", "DescribeDBInstances", {}, share=0.5),
            ),
        )
