"""The shapes of CloudTrail records: callers and calls.

Fields, their order and their values follow the CloudTrail User Guide ("CloudTrail record contents",
"CloudTrail userIdentity element") and public records of real accounts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from random import Random
from typing import Any
from uuid import UUID

from detector.simulate.organization import aws_id, digest, resource_id, stamp

Json = dict[str, Any]


@dataclass(frozen=True)
class Event:
    """A record; CloudTrail delivers it ``delay`` seconds later than usual."""

    time: int
    record: Json
    delay: int = 0

    @property
    def account(self) -> str:
        return str(self.record["recipientAccountId"])

    @property
    def region(self) -> str:
        return str(self.record["awsRegion"])


@dataclass(frozen=True)
class Caller:
    """A caller: the properties that are the same in each of its calls.

    ``account`` is the account whose trail records the calls. In ``agent``, ``{command}`` stands for
    the AWS CLI's name of the call (``ec2.describe-instances``)."""

    account: str
    identity: Json
    address: str
    agent: str
    console: bool = False

    @property
    def arn(self) -> str | None:
        return self.identity.get("arn")

    def via(self, service: str) -> Caller:
        """Return this caller for calls that an AWS service makes on its behalf."""
        host = f"{service}.amazonaws.com"
        return replace(
            self, identity={**self.identity, "invokedBy": host}, address=host, agent=host
        )


@dataclass(frozen=True)
class Failure:
    code: str
    message: str


def iam_user(account: str, name: str, address: str, agent: str) -> Caller:
    """Make an IAM user with a long-term access key."""
    return Caller(
        account,
        {
            "type": "IAMUser",
            "principalId": aws_id("AIDA", f"{account}/{name}"),
            "arn": f"arn:aws:iam::{account}:user/{name}",
            "accountId": account,
            "accessKeyId": aws_id("AKIA", f"{account}/{name}"),
            "userName": name,
        },
        address,
        agent,
    )


def role_session(
    account: str,
    role: str,
    session: str,
    address: str,
    agent: str,
    issued: int,
    *,
    path: str = "/",
    console: bool = False,
) -> Caller:
    """Make a session of a role whose path is ``path``."""
    principal = aws_id("AROA", f"{account}/{role}")
    identity: Json = {
        "type": "AssumedRole",
        "principalId": f"{principal}:{session}",
        "arn": f"arn:aws:sts::{account}:assumed-role/{role}/{session}",
        "accountId": account,
        "accessKeyId": aws_id("ASIA", f"{account}/{role}/{session}/{issued}"),
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": principal,
                "arn": f"arn:aws:iam::{account}:role{path}{role}",
                "accountId": account,
                "userName": role,
            },
            "attributes": {
                "creationDate": stamp(issued),
                "mfaAuthenticated": "true" if console else "false",
            },
        },
    }
    if session.startswith("i-"):
        identity["sessionContext"]["ec2RoleDelivery"] = "2.0"
    return Caller(account, identity, address, agent, console)


def service_role(account: str, role: str, service: str, issued: int) -> Caller:
    """Make a session of a service-linked role."""
    host = f"{service}.amazonaws.com"
    return role_session(
        account,
        role,
        role.removeprefix("AWSServiceRoleFor"),
        host,
        host,
        issued,
        path=f"/aws-service-role/{host}/",
    ).via(service)


def service(account: str, name: str) -> Caller:
    """Make an AWS service that acts by itself, without an ARN or key."""
    host = f"{name}.amazonaws.com"
    return Caller(account, {"type": "AWSService", "invokedBy": host}, host, host)


def other_account(account: str, foreign: str, session: str, address: str, agent: str) -> Caller:
    """Make a caller from another account; the trail does not record its ARN."""
    principal = aws_id("AROA", f"{foreign}/{session}")
    return Caller(
        account,
        {"type": "AWSAccount", "principalId": f"{principal}:{session}", "accountId": foreign},
        address,
        agent,
    )


def web_identity(account: str, provider: str, subject: str, address: str, agent: str) -> Caller:
    """Make a caller with a token of an OpenID Connect provider."""
    arn = f"arn:aws:iam::{account}:oidc-provider/{provider}"
    return Caller(
        account,
        {
            "type": "WebIdentityUser",
            "principalId": f"{arn}:sts.amazonaws.com:{subject}",
            "userName": subject,
            "identityProvider": arn,
        },
        address,
        agent,
    )


_LATEST = {
    "ec2": "1.11",
    "kms": "1.11",
    "s3": "1.11",
    "sts": "1.11",
    "iam": "1.11",
    "signin": "1.09",
}
_READS = (
    "Describe",
    "Get",
    "List",
    "Lookup",
    "BatchGet",
    "Decrypt",
    "Encrypt",
    "GenerateDataKey",
    "AssumeRole",
)
_RESOURCE_TYPES = {"kms": "AWS::KMS::Key", "s3": "AWS::S3::Bucket", "sts": "AWS::IAM::Role"}


def call(
    rng: Random,
    who: Caller,
    moment: int,
    source: str,
    action: str,
    region: str,
    parameters: Json | None = None,
    response: Json | None = None,
    *,
    failure: Failure | None = None,
    resource: str | None = None,
) -> Event:
    """Make the record of one call, completed at ``moment``.

    ``source`` is ``ec2`` for ec2.amazonaws.com, ``resource`` an ARN.
    """
    sign_in = source == "signin"
    record: Json = {
        "eventVersion": _LATEST.get(source, "1.10"),
        "userIdentity": who.identity,
        "eventTime": stamp(moment),
        "eventSource": f"{source}.amazonaws.com",
        "eventName": action,
        "awsRegion": region,
        "sourceIPAddress": who.address,
        "userAgent": who.agent.replace("{command}", f"{source}.{_kebab(action)}"),
    }
    if failure:
        record |= {"errorCode": failure.code, "errorMessage": failure.message}
    record |= {"requestParameters": parameters, "responseElements": None if failure else response}
    if source == "s3":
        record["additionalEventData"] = {
            "SignatureVersion": "SigV4",
            "CipherSuite": "TLS_AES_128_GCM_SHA256",
            "bytesTransferredIn": 0,
            "AuthenticationMethod": "AuthHeader",
            "bytesTransferredOut": 180 + rng.randrange(900),
        }
    elif sign_in:
        record["additionalEventData"] = {"MobileVersion": "No", "MFAUsed": "Yes"}
    record |= {
        "requestID": uuid(rng),
        "eventID": uuid(rng),
        "readOnly": action.startswith(_READS),
    }
    if resource:
        record["resources"] = [
            {"accountId": who.account, "type": _RESOURCE_TYPES[source], "ARN": resource}
        ]
    record |= {
        "eventType": "AwsConsoleSignIn" if sign_in else "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": who.account,
        "eventCategory": "Management",
    }
    if who.address.startswith("10."):
        record["vpcEndpointId"] = resource_id("vpce", f"{who.account}/{region}/{source}")
    if not who.address.endswith(".amazonaws.com"):
        record["tlsDetails"] = {
            "tlsVersion": "TLSv1.3",
            "cipherSuite": "TLS_AES_128_GCM_SHA256",
            "clientProvidedHostHeader": _host(source, region),
        }
    if who.console and not sign_in:
        record["sessionCredentialFromConsole"] = "true"
    return Event(moment, record)


def assume_role(
    rng: Random, who: Caller, moment: int, region: str, session: Caller, action: str = "AssumeRole"
) -> Event:
    """Make the STS call by which ``who`` obtains ``session`` for an hour."""
    role = session.identity["sessionContext"]["sessionIssuer"]["arn"]
    key = session.identity["accessKeyId"]
    _, name = session.identity["principalId"].split(":", 1)
    return call(
        rng,
        who,
        moment,
        "sts",
        action,
        region,
        {"roleArn": role, "roleSessionName": name},
        {
            "credentials": {
                "accessKeyId": key,
                "sessionToken": "IQoJb3JpZ2luX2VjEXAMPLE" + digest(key)[:24],
                "expiration": long_time(moment + 3600),
            },
            "assumedRoleUser": {
                "assumedRoleId": session.identity["principalId"],
                "arn": session.arn,
            },
        },
        resource=role,
    )


def describe_instances(
    rng: Random,
    who: Caller,
    moment: int,
    region: str,
    *,
    running: bool = False,
    failure: Failure | None = None,
) -> Event:
    """Make the call that the reference rule counts.

    ``running`` lists running instances only.
    """
    state = {"name": "instance-state-name", "valueSet": {"items": [{"value": "running"}]}}
    parameters = {
        "maxResults": 1000,
        "instancesSet": {},
        "filterSet": {"items": [state]} if running else {},
    }
    return call(rng, who, moment, "ec2", "DescribeInstances", region, parameters, failure=failure)


def denied(rng: Random, who: Caller, source: str, action: str, resource: str = "*") -> Failure:
    """Make the error of a call that no policy allows; EC2 words it differently."""
    why = (
        f"User: {who.arn} is not authorized to perform: {source}:{action} on resource: {resource} "
        f"because no identity-based policy allows the {source}:{action} action"
    )
    if source != "ec2":
        return Failure("AccessDenied", why)
    encoded = f"{rng.randrange(1 << 320):080x}"
    return Failure(
        "Client.UnauthorizedOperation",
        "You are not authorized to perform this operation. "
        f"{why}. Encoded authorization failure message: {encoded}",
    )


def uuid(rng: Random) -> str:
    return str(UUID(int=rng.randrange(1 << 128), version=4))


def long_time(seconds: int) -> str:
    """Format a time as STS and IAM do: ``Mar 1, 2026, 1:05:00 PM``.

    The month is always March 2026, because strftime's month names depend on the locale.
    """
    hour = int(stamp(seconds, "%H"))
    return (
        f"Mar {int(stamp(seconds, '%d'))}, 2026, {hour % 12 or 12}{stamp(seconds, ':%M:%S')} "
        f"{'AP'[hour >= 12]}M"
    )


def _kebab(action: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", action).lower()


def _host(source: str, region: str) -> str:
    if source == "iam":
        return "iam.amazonaws.com"
    return (
        f"{region}.signin.aws.amazon.com"
        if source == "signin"
        else f"{source}.{region}.amazonaws.com"
    )
