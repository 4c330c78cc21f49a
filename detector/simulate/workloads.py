"""The daily work of the simulated organization: who repeats which calls, where, and how often."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from detector.simulate import agents
from detector.simulate.organization import (
    DEVELOPMENT,
    GLOBAL_REGION,
    HOMES,
    ORGANIZATION,
    PRODUCTION,
    REGIONS,
    SHARED,
    START,
    instance,
    number,
)
from detector.simulate.shapes import (
    Caller,
    Failure,
    Json,
    iam_user,
    other_account,
    role_session,
    service,
    service_role,
    web_identity,
)


@dataclass(frozen=True)
class Step:
    """One call of a routine. In its texts, ``{instance}`` and the like name something of the
    account and region.

    A step that assumes a role gets the session of the routine's caller.
    """

    source: str
    action: str
    parameters: Json | None = None
    response: Json | None = None
    resource: str | None = None
    failure: Failure | None = None
    share: float = 1.0
    """In which share of the runs it is made."""
    by: Caller | None = None
    """Who makes it, if not the routine's own caller."""
    via: str | None = None
    """The AWS service that makes it for the routine's caller."""


@dataclass(frozen=True)
class Routine:
    """A caller who makes the same calls again, about every ``every`` seconds, with ``pace`` seconds
    between two."""

    name: str
    region: str
    every: int
    who: Callable[[int], Caller]
    """The caller of the run that begins at that second."""
    steps: tuple[Step, ...]
    pace: float = 0.5


_VENDOR = "123456789012"
_KEY = "arn:aws:kms:{region}:{account}:key/{key}"
_MISSING = Failure("ResourceNotFoundException", "The specified log group does not exist.")
_THROTTLED = Failure("ThrottlingException", "Rate exceeded")
_SLOW_DOWN = Failure("Client.RequestLimitExceeded", "Request limit exceeded.")
_NO_POLICY = Failure("NoSuchBucketPolicy", "The bucket policy does not exist")

CAROL = iam_user(DEVELOPMENT, "carol", "198.51.100.25", agents.LINUX_CLI)
"""A developer who works with a long-term key."""


def _always(who: Caller) -> Callable[[int], Caller]:
    return lambda _run: who


def _decrypt(context: Json, via: str) -> Step:
    return Step(
        "kms",
        "Decrypt",
        {"encryptionContext": context, "encryptionAlgorithm": "SYMMETRIC_DEFAULT"},
        resource=_KEY,
        via=via,
    )


def fleet_session(account: str, region: str, place: int) -> Caller:
    """The session of one of the servers behind a load balancer."""
    return role_session(
        account,
        "app-server",
        instance(account, region, place),
        f"10.{20 + number(region, 40)}.4.{11 + place}",
        agents.BOTO3_SERVER,
        START - 2400 - 60 * place,
    )


def _fleet(account: str, region: str, size: int) -> Iterator[Routine]:
    """Servers behind a load balancer, and the services that keep them running."""
    for place in range(size):
        server, who = instance(account, region, place), fleet_session(account, region, place)
        yield Routine(
            f"server {place}",
            region,
            420,
            _always(who),
            (
                Step("secretsmanager", "GetSecretValue", {"secretId": "app/{stage}/database"}),
                _decrypt(
                    {
                        "SecretARN": "arn:aws:secretsmanager:{region}:{account}:secret:app/{stage}/database"
                    },
                    "secretsmanager",
                ),
                Step(
                    "ssm",
                    "GetParametersByPath",
                    {"path": "/app/{stage}/", "recursive": True, "withDecryption": True},
                ),
                _decrypt(
                    {"PARAMETER_ARN": "arn:aws:ssm:{region}:{account}:parameter/app/{stage}/token"},
                    "ssm",
                ),
                Step(
                    "logs",
                    "CreateLogStream",
                    {"logGroupName": "/app/{stage}", "logStreamName": f"{server}/{{hex}}"},
                    share=0.1,
                ),
                Step(
                    "ssm",
                    "GetParameter",
                    {"name": "/app/{stage}/feature-flags", "withDecryption": True},
                    failure=_THROTTLED,
                    share=0.04,
                ),
            ),
        )
        yield Routine(
            f"agent {place}",
            region,
            600,
            _always(replace(who, agent=agents.SSM_AGENT)),
            (
                Step(
                    "ssm",
                    "UpdateInstanceInformation",
                    {
                        "instanceId": server,
                        "agentVersion": "3.3.2299.0",
                        "agentStatus": "Active",
                        "platformType": "Linux",
                        "platformName": "Amazon Linux",
                        "platformVersion": "2023",
                        "agentName": "amazon-ssm-agent",
                    },
                ),
                Step(
                    "ssm",
                    "ListInstanceAssociations",
                    {"instanceId": server, "maxResults": 20},
                    share=0.4,
                ),
            ),
        )
    yield Routine(
        "scaling",
        region,
        300,
        _always(service_role(account, "AWSServiceRoleForAutoScaling", "autoscaling", START - 1860)),
        (
            Step(
                "ec2",
                "DescribeInstances",
                {"instancesSet": {"items": [{"instanceId": "{instance}"}]}, "filterSet": {}},
            ),
            Step("elasticloadbalancing", "DescribeTargetHealth", {"targetGroupArn": "{targets}"}),
            Step(
                "cloudwatch", "DescribeAlarms", {"alarmNames": ["app-{stage}-cpu-high"]}, share=0.3
            ),
        ),
    )
    yield Routine(
        "disk keys",
        region,
        1200,
        _always(service_role(account, "AWSServiceRoleForAutoScaling", "autoscaling", START - 1860)),
        (
            Step(
                "kms",
                "GenerateDataKeyWithoutPlaintext",
                {
                    "keyId": _KEY,
                    "encryptionContext": {"aws:ebs:id": "{volume}"},
                    "numberOfBytes": 64,
                },
                resource=_KEY,
            ),
            Step(
                "kms",
                "CreateGrant",
                {"keyId": _KEY, "granteePrincipal": "ec2.{region}.amazonaws.com"},
                resource=_KEY,
            ),
        ),
    )


def _functions(account: str, region: str) -> Iterator[Routine]:
    """Functions that run on a schedule: the service assumes their role, the rest is theirs."""
    for name, every in (("orders", 180), ("thumbnails", 260), ("reports", 900)):

        def session(run: int, name: str = name) -> Caller:
            return role_session(
                account, f"{name}-function", name, "10.31.9.77", agents.BOTO3_SERVER, run
            )

        yield Routine(
            name,
            region,
            every,
            session,
            (
                Step("sts", "AssumeRole", by=service(account, "lambda")),
                _decrypt(
                    {
                        "aws:lambda:FunctionArn": f"arn:aws:lambda:{{region}}:{account}:function:{name}"
                    },
                    "lambda",
                ),
                Step(
                    "logs",
                    "CreateLogStream",
                    {"logGroupName": f"/aws/lambda/{name}", "logStreamName": "[$LATEST]{hex}"},
                    failure=_MISSING if name == "reports" else None,
                    share=0.5,
                ),
                Step(
                    "sqs",
                    "GetQueueAttributes",
                    {"queueUrl": f"https://sqs.{{region}}.amazonaws.com/{account}/{name}"},
                    share=0.2,
                ),
            ),
        )


def _containers(account: str, region: str) -> Iterator[Routine]:
    """A cluster whose pods take their roles by web identity and whose nodes pull images."""
    provider, subject = (
        f"oidc.eks.{region}.amazonaws.com/id/EXAMPLE",
        "system:serviceaccount:shop:checkout",
    )

    def session(run: int) -> Caller:
        return role_session(
            account, "checkout-pod", f"checkout-{run % 7919:04d}", "10.33.2.41", agents.JAVA, run
        )

    node = role_session(
        account,
        "cluster-node",
        instance(account, region, 0),
        "10.33.2.40",
        agents.JAVA,
        START - 900,
    )
    yield Routine(
        "pods",
        region,
        480,
        session,
        (
            Step(
                "sts",
                "AssumeRoleWithWebIdentity",
                by=web_identity(account, provider, subject, "10.33.2.41", agents.JAVA),
            ),
            Step("dynamodb", "DescribeTable", {"tableName": "carts"}),
            Step(
                "sns",
                "GetTopicAttributes",
                {"topicArn": "arn:aws:sns:{region}:{account}:orders"},
                share=0.6,
            ),
        ),
    )
    yield Routine(
        "images",
        region,
        360,
        _always(node),
        (
            Step("ecr", "GetAuthorizationToken", {}),
            Step(
                "ecr",
                "BatchGetImage",
                {"repositoryName": "shop/checkout", "imageIds": [{"imageTag": "2026.2"}]},
            ),
            Step(
                "ec2", "DescribeNetworkInterfaces", {"networkInterfaceIdSet": {}, "filterSet": {}}
            ),
            Step(
                "ec2",
                "AssignPrivateIpAddresses",
                {"networkInterfaceId": "eni-0{hex}"},
                failure=_SLOW_DOWN,
                share=0.2,
            ),
        ),
    )


def _delivery(account: str, region: str, every: int) -> Iterator[Routine]:
    """CloudTrail looks at its bucket and asks for keys before it delivers."""
    bucket = f"{ORGANIZATION}-trail"
    yield Routine(
        "delivery",
        region,
        every,
        _always(service(account, "cloudtrail")),
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
                    "keyId": _KEY,
                    "encryptionContext": {
                        "aws:cloudtrail:arn": f"arn:aws:cloudtrail:{GLOBAL_REGION}:{SHARED}:trail/main"
                    },
                },
                resource=_KEY,
            ),
        ),
    )


def _recorder(account: str, region: str) -> Iterator[Routine]:
    """AWS Config and the access analyzer look after every region, used or not."""
    yield Routine(
        "recorder",
        region,
        4000,
        _always(service_role(account, "AWSServiceRoleForConfig", "config", START - 3000)),
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
        _always(
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


def _pipeline(account: str, region: str) -> Iterator[Routine]:
    """Terraform from a CI system outside of AWS: a token of its own for every run, a plan that
    reads a lot."""
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


def _monitoring(account: str, regions: tuple[str, ...]) -> Iterator[Routine]:
    """A monitoring product assumes a role from its own account and polls the regions in use."""

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


def _people() -> Iterator[Routine]:
    """Engineers at the console and at the command line."""
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
        _always(bob),
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
        f"arn:aws:iam::{DEVELOPMENT}:role/ because no identity-based policy allows the iam:ListRoles "
        "action",
    )
    yield Routine(
        "experiments",
        HOMES[DEVELOPMENT][0],
        1300,
        _always(CAROL),
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
        _always(CAROL),
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
        _always(browser),
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
        _always(backup),
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


def routines() -> Iterator[Routine]:
    for account, homes in HOMES.items():
        for region in REGIONS:
            yield from _recorder(account, region)
            yield from _delivery(account, region, 300 if region in homes else 6000)
        yield from _monitoring(account, homes)
        for region in homes:
            yield from _fleet(account, region, 5 if account == PRODUCTION else 3)
            yield from _functions(account, region)
    yield from _containers(PRODUCTION, "us-east-1")
    yield from _pipeline(PRODUCTION, "eu-west-1")
    yield from _pipeline(DEVELOPMENT, "eu-central-1")
    yield from _people()
