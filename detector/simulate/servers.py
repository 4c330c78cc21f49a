"""Workloads that run on instances, functions and containers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from detector.simulate import agents
from detector.simulate.organization import (
    START,
    instance,
    number_of,
)
from detector.simulate.routine import KEY_ARN, Routine, Step, always, decrypt_step
from detector.simulate.shapes import (
    Caller,
    Failure,
    role_session,
    service,
    service_role,
    web_identity,
)

_MISSING = Failure("ResourceNotFoundException", "The specified log group does not exist.")
_THROTTLED = Failure("ThrottlingException", "Rate exceeded")
_SLOW_DOWN = Failure("Client.RequestLimitExceeded", "Request limit exceeded.")
_DATABASE_ARN = "arn:aws:secretsmanager:{region}:{account}:secret:app/{stage}/database"
_FUNCTION_ARN_PREFIX = "arn:aws:lambda:{region}"


def fleet_session(account: str, region: str, index: int) -> Caller:
    """Return the session of one of the servers behind a load balancer."""
    return role_session(
        account,
        "app-server",
        instance(account, region, index),
        f"10.{20 + number_of(region, 40)}.4.{11 + index}",
        agents.BOTO3_SERVER,
        START - 2400 - 60 * index,
    )


def fleet(account: str, region: str, size: int) -> Iterator[Routine]:
    """Yield the routines of ``size`` load-balanced servers and of the services that run them."""
    for index in range(size):
        server, who = instance(account, region, index), fleet_session(account, region, index)
        yield Routine(
            f"server {index}",
            region,
            420,
            always(who),
            (
                Step("secretsmanager", "GetSecretValue", {"secretId": "app/{stage}/database"}),
                decrypt_step(
                    {"SecretARN": _DATABASE_ARN},
                    "secretsmanager",
                ),
                Step(
                    "ssm",
                    "GetParametersByPath",
                    {"path": "/app/{stage}/", "recursive": True, "withDecryption": True},
                ),
                decrypt_step(
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
            f"agent {index}",
            region,
            600,
            always(replace(who, agent=agents.SSM_AGENT)),
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
        always(service_role(account, "AWSServiceRoleForAutoScaling", "autoscaling", START - 1860)),
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
        always(service_role(account, "AWSServiceRoleForAutoScaling", "autoscaling", START - 1860)),
        (
            Step(
                "kms",
                "GenerateDataKeyWithoutPlaintext",
                {
                    "keyId": KEY_ARN,
                    "encryptionContext": {"aws:ebs:id": "{volume}"},
                    "numberOfBytes": 64,
                },
                resource=KEY_ARN,
            ),
            Step(
                "kms",
                "CreateGrant",
                {"keyId": KEY_ARN, "granteePrincipal": "ec2.{region}.amazonaws.com"},
                resource=KEY_ARN,
            ),
        ),
    )


def functions(account: str, region: str) -> Iterator[Routine]:
    """Yield scheduled Lambda functions, whose roles the service assumes."""
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
                decrypt_step(
                    {"aws:lambda:FunctionArn": f"{_FUNCTION_ARN_PREFIX}:{account}:function:{name}"},
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


def containers(account: str, region: str) -> Iterator[Routine]:
    """Yield an EKS cluster whose pods assume roles with web identity tokens."""
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
        always(node),
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
