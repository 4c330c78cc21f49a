"""What a call acts on, for the calls that matter."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.cloudtrail.call_object import call_object, call_object_in_json
from detector.cloudtrail.record import decode

TABLE = tomllib.loads(
    files("detector.cloudtrail").joinpath("call_objects.toml").read_text(encoding="utf-8")
)
TEMPLATES = [
    pytest.param(service, name, template, id=f"{service}.{name}")
    for service, calls in TABLE.items()
    if service != "any"
    for name, template in calls.items()
]
TRUST = json.dumps(
    {
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::999988887777:root"}},
            {"Effect": "Allow", "Principal": {"Service": ["ec2.amazonaws.com"]}},
            {"Effect": "Deny", "Principal": "*"},
        ]
    }
)
ADMIN = json.dumps({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})
MANY = json.dumps({"Statement": [{"Effect": "Allow", "Action": ["a:1", "a:2", "a:3", "a:4"]}]})
IAM = "arn:aws:iam::111122223333:"

CASES: tuple[tuple[str, str, Any, Any, str], ...] = (
    (
        "iam",
        "CreateAccessKey",
        {"userName": "backup"},
        {"accessKey": {"accessKeyId": "AKIAEXAMPLE", "userName": "backup"}},
        "AKIAEXAMPLE · for user/backup",
    ),
    (
        "iam",
        "CreateAccessKey",
        None,
        {"accessKey": {"accessKeyId": "AKIAEXAMPLE", "userName": "self"}},
        "AKIAEXAMPLE · for user/self",
    ),
    (
        "iam",
        "AttachUserPolicy",
        {"userName": "backup", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
        None,
        "user/backup · policy/AdministratorAccess",
    ),
    (
        "iam",
        "PutUserPolicy",
        {"userName": "backup", "policyName": "all", "policyDocument": ADMIN},
        None,
        "user/backup · all · allows *",
    ),
    (
        "iam",
        "CreatePolicyVersion",
        {"policyArn": IAM + "policy/ops", "policyDocument": MANY},
        None,
        "policy/ops · allows a:1, a:2, a:3 +1",
    ),
    (
        "iam",
        "CreatePolicyVersion",
        {"policyArn": IAM + "policy/ops", "policyDocument": "{no JSON"},
        None,
        "policy/ops",
    ),
    (
        "iam",
        "UpdateAssumeRolePolicy",
        {"roleName": "deploy", "policyDocument": TRUST},
        None,
        "role/deploy · trusts account 999988887777, ec2.amazonaws.com",
    ),
    (
        "iam",
        "DeactivateMFADevice",
        {"userName": "ana", "serialNumber": IAM + "mfa/ana"},
        None,
        "user/ana · mfa/ana",
    ),
    (
        "sts",
        "AssumeRole",
        {"roleArn": IAM + "role/ops", "roleSessionName": "me"},
        None,
        "role/ops · as me",
    ),
    (
        "sts",
        "AssumeRole",
        {"roleArn": "arn:aws:iam::999988887777:role/ops", "roleSessionName": "me"},
        None,
        "role/ops in 999988887777 · as me",
    ),
    (
        "ec2",
        "ModifySnapshotAttribute",
        {
            "snapshotId": "snap-0a1",
            "createVolumePermission": {"add": {"items": [{"userId": "999988887777"}]}},
        },
        None,
        "snap-0a1 · shared with 999988887777",
    ),
    (
        "ec2",
        "ModifySnapshotAttribute",
        {
            "snapshotId": "snap-0a1",
            "createVolumePermission": {"add": {"items": [{"group": "all"}]}},
        },
        None,
        "snap-0a1 · shared with everyone",
    ),
    (
        "ec2",
        "ModifyImageAttribute",
        {"imageId": "ami-1", "launchPermission": {"remove": {"items": [{"userId": "1"}]}}},
        None,
        "ami-1 · no longer shared with 1",
    ),
    (
        "ec2",
        "RunInstances",
        {
            "instancesSet": {"items": [{"imageId": "ami-1", "minCount": 1, "maxCount": 10}]},
            "instanceType": "p4d.24xlarge",
        },
        {"instancesSet": {"items": [{"instanceId": f"i-{n}"} for n in range(5)]}},
        "i-0, i-1, i-2 +2 · p4d.24xlarge × 10 · of ami-1",
    ),
    (
        "ec2",
        "AuthorizeSecurityGroupIngress",
        {
            "groupId": "sg-1",
            "ipPermissions": {
                "items": [
                    {
                        "fromPort": 22,
                        "toPort": 22,
                        "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]},
                    }
                ]
            },
        },
        None,
        "sg-1 · from 0.0.0.0/0 · port 22",
    ),
    (
        "ec2",
        "CreateFlowLogs",
        {
            "CreateFlowLogsRequest": {
                "ResourceId": {"tag": 1, "content": "vpc-1"},
                "LogGroupName": "flows",
            }
        },
        None,
        "vpc-1 · to flows",
    ),
    ("ec2", "DescribeInstances", {"instancesSet": {}, "filterSet": {}}, None, ""),
    ("ec2", "DescribeImages", {"ownersSet": {"items": [{"owner": "self"}]}}, None, "owned by self"),
    (
        "rds",
        "ModifyDBSnapshotAttribute",
        {
            "dBSnapshotIdentifier": "db1",
            "attributeName": "restore",
            "valuesToAdd": ["all", "999988887777"],
        },
        None,
        "db1 · shared with everyone, 999988887777",
    ),
    (
        "s3",
        "PutBucketPolicy",
        {
            "bucketName": "data",
            "bucketPolicy": {"Statement": [{"Effect": "Allow", "Principal": "*"}]},
        },
        None,
        "s3://data · shared with everyone",
    ),
    (
        "s3",
        "PutBucketAcl",
        {"bucketName": "data", "x-amz-acl": ["public-read"]},
        None,
        "s3://data · shared with everyone",
    ),
    ("s3", "CreateBucket", {"bucketName": "data", "x-amz-acl": "private"}, None, "s3://data"),
    ("s3", "GetObject", {"bucketName": "data", "key": "a/b.csv"}, None, "s3://data/a/b.csv"),
    (
        "s3",
        "PutBucketPublicAccessBlock",
        {"bucketName": "data", "PublicAccessBlockConfiguration": {"BlockPublicPolicy": False}},
        None,
        "s3://data · public policies blocked no",
    ),
    (
        "lambda",
        "AddPermission20150331v2",
        {"functionName": "f", "action": "lambda:InvokeFunction", "principal": "*"},
        None,
        "f · lambda:InvokeFunction for everyone",
    ),
    ("lambda", "UpdateFunctionCode20150331v2", {"functionName": "f"}, None, "f"),
    ("kms", "ScheduleKeyDeletion", {"keyId": "k", "pendingWindowInDays": 7}, None, "k · in 7 days"),
    ("secretsmanager", "GetSecretValue", {"secretId": "prod/db"}, None, "prod/db"),
    (
        "ssm",
        "SendCommand",
        {"instanceIds": ["i-1"], "documentName": "AWS-RunShellScript"},
        None,
        "i-1 · AWS-RunShellScript",
    ),
    ("guardduty", "UpdateDetector", {"detectorId": "d", "enable": False}, None, "d · enabled no"),
    (
        "unheard-of",
        "DeleteThing",
        {"resourceArn": "arn:aws:x:eu-west-1:111122223333:thing/1"},
        None,
        "thing/1",
    ),
    ("unheard-of", "DeleteThing", {"password": "hunter2", "token": "t"}, None, ""),
    ("unheard-of", "DeleteThing", None, None, ""),
)


def record_of(service: str, name: str, request: Any, response: Any, **other: Any) -> bytes:
    return json.dumps(
        {
            "eventSource": f"{service}.amazonaws.com",
            "eventName": name,
            "recipientAccountId": "111122223333",
            "requestParameters": request,
            "responseElements": response,
            **other,
        }
    ).encode()


@pytest.mark.parametrize(
    ("service", "name", "request_", "response", "expected"),
    CASES,
    ids=[f"{case[1]}-{number}" for number, case in enumerate(CASES)],
)
def test_object_of_call(
    service: str, name: str, request_: Any, response: Any, expected: str
) -> None:
    assert call_object_in_json(record_of(service, name, request_, response)) == expected


def test_object_of_sign_in_is_its_result() -> None:
    for used, expected in (("No", "Success · MFA No"), ("Yes", "Success · MFA Yes")):
        raw = record_of(
            "signin",
            "ConsoleLogin",
            None,
            {"ConsoleLogin": "Success"},
            additionalEventData={"MFAUsed": used},
        )
        assert call_object_in_json(raw) == expected


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ("arn:aws:iam::111122223333:user/backdoor", "user/backdoor"),
        ("arn:aws:iam::111122223333:user/backdoor because no identity-based", "user/backdoor"),
        ("arn:aws:kms:eu-west-1:999988887777:key/1", "key/1 in 999988887777"),
        ("arn:aws:ec2:eu-west-1:111122223333:instance/*", ""),
        ("*", ""),
    ],
)
def test_object_of_denied_call_is_in_its_message(resource: str, expected: str) -> None:
    message = f"User: {IAM}user/ana is not authorized to perform: x:Y on resource: {resource}"
    raw = record_of("x", "Y", None, None, errorCode="AccessDenied", errorMessage=message)
    assert call_object_in_json(raw) == expected


def test_table_covers_calls_that_matter() -> None:
    assert len(TEMPLATES) >= 300


@pytest.mark.parametrize(("service", "name", "template"), TEMPLATES)
def test_every_template_reads_its_paths(service: str, name: str, template: str) -> None:
    """Each placeholder of a template is filled with what lies at its first path."""
    sides: dict[bool, dict[str, Any]] = {True: {}, False: {}}
    values = iter(range(100, 200))

    def put(match: re.Match[str]) -> str:
        paths, _, reading = match[1].partition("@")
        path = paths.split("|")[0]
        *outer, last = path.removeprefix("<").split(".")
        at = sides[path.startswith("<")]
        for key in outer:
            at = at.setdefault(key, {})
        value = at.setdefault(last, f"v{next(values)}")
        if reading in ("actions", "principals"):
            key = "Action" if reading == "actions" else "Principal"
            at[last] = {"Statement": [{"Effect": "Allow", key: value}]}
        return value

    expected = re.sub(r"\{([^{}]+)\}", put, template)
    raw = record_of(service, name, sides[False], sides[True])
    assert call_object_in_json(raw) == expected[:300]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["items", "policyDocument", "Statement", "Effect", "userName", "Principal"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON, JSON, st.sampled_from(["PutUserPolicy", "CreateRole", "Other"]))
def test_any_parameters_give_a_short_text(request: Any, response: Any, name: str) -> None:
    text = call_object_in_json(record_of("iam", name, request, response))
    assert len(text) <= 300


def test_deep_and_long_parameters_are_cut() -> None:
    deep = b'{"a":' * 5_000 + b"1" + b"}" * 5_000
    raw = b'{"eventSource":"iam.amazonaws.com","eventName":"CreateUser","requestParameters":'
    assert call_object_in_json(raw + deep + b"}") == ""
    long = {"userName": "u" * 10_000, "policyArn": "p" * 10_000, "policyName": "n" * 1_000}
    record = decode(record_of("iam", "AttachUserPolicy", long, None))
    assert call_object(record) == f"user/{'u' * 127}… · {'p' * 127}…"
    assert call_object_in_json(b"[]") == ""
