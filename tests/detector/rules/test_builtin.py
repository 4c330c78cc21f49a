"""Tests of the built-in rules, at their thresholds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import detector.rules
from detector.rules.ruleset import load
from tests.detector.esql.conftest import record
from tests.detector.rules.rule_scan import DAY, RuleScan, raw_record

BUILTIN = Path(detector.rules.__file__).with_name("builtin")
REGIONS = [
    f"{area}-{side}-{number}"
    for area in ("us", "eu", "ap", "sa")
    for side in ("east", "west")
    for number in (1, 2, 3)
]
RawRecords = list[dict[str, Any]]


def quota_requests(regions: int, **changed: Any) -> RawRecords:
    asked = {"serviceCode": "ec2", "quotaCode": "L-1216C47A", **changed}
    return [
        raw_record(
            second,
            awsRegion=REGIONS[second],
            eventSource="servicequotas.amazonaws.com",
            eventName="GetServiceQuota",
            requestParameters=asked,
        )
        for second in range(regions)
    ]


def discovery_burst(
    actions: int, agent: str = "aws-cli/2.17.0", action: str = "List{}s", last: int = 9
) -> RawRecords:
    return [
        raw_record(
            min(number, last) if number < actions - 1 else last,
            eventID=f"b-{number}",
            userAgent=agent,
            eventName=action.format("ABCDEFGH"[number]),
        )
        for number in range(actions)
    ]


def bucket_posture_calls(buckets: int, **changed: Any) -> RawRecords:
    return [
        raw_record(
            number % 10,
            eventID=f"p-{number}",
            eventSource="s3.amazonaws.com",
            eventName="GetBucketAcl",
            requestParameters={"bucketName": f"bucket-{number}"},
            **changed,
        )
        for number in range(buckets)
    ]


def paced_sweep(regions: int, pause: int) -> RawRecords:
    return [raw_record(number * pause, awsRegion=REGIONS[number]) for number in range(regions)]


def denied_calls(
    regions: int,
    key: str = "AKIAEXAMPLE",
    code: str | None = "Client.UnauthorizedOperation",
    action: str = "DescribeVpcs",
) -> RawRecords:
    return [
        raw_record(
            number,
            awsRegion=REGIONS[number],
            eventName=action,
            errorCode=code,
            userIdentity={"type": "IAMUser", "arn": "arn:aws:iam::1:user/x", "accessKeyId": key},
        )
        for number in range(regions)
    ]


def caller_identity_calls(*seconds: int, type: str = "IAMUser", **changed: Any) -> RawRecords:
    return [
        raw_record(
            second,
            eventSource="sts.amazonaws.com",
            eventName="GetCallerIdentity",
            userIdentity={"type": type, "arn": "arn:aws:iam::1:user/x"},
            **changed,
        )
        for second in seconds
    ]


CASES: list[tuple[str, RawRecords, int]] = [
    ("discovery_service_quota_multi_region", quota_requests(10), 1),
    ("discovery_service_quota_multi_region", quota_requests(9), 0),
    ("discovery_service_quota_multi_region", quota_requests(10, quotaCode="L-34B43A08"), 0),
    ("discovery_service_quota_multi_region", quota_requests(10, serviceCode="vpc"), 0),
    ("discovery_burst_by_cli", discovery_burst(6), 1),
    ("discovery_burst_by_cli", discovery_burst(5), 0),
    ("discovery_burst_by_cli", discovery_burst(6, last=10), 0),
    ("discovery_burst_by_cli", discovery_burst(6, agent="Boto3/1.34"), 0),
    ("discovery_burst_by_cli", discovery_burst(6, action="Create{}"), 0),
    ("discovery_burst_by_cli", discovery_burst(8, action="ListUsers"), 0),
    ("discovery_s3_posture_burst", bucket_posture_calls(16), 1),
    ("discovery_s3_posture_burst", bucket_posture_calls(15), 0),
    ("discovery_s3_posture_burst", bucket_posture_calls(16, errorCode="AccessDenied"), 0),
    (
        "discovery_s3_posture_burst",
        bucket_posture_calls(16, sourceIPAddress="config.amazonaws.com"),
        0,
    ),
    (
        "discovery_s3_posture_burst",
        bucket_posture_calls(10)
        + [c | {"sourceIPAddress": "203.0.113.8"} for c in bucket_posture_calls(16)[10:]],
        0,
    ),
    ("discovery_ec2_slow_sweep", paced_sweep(10, 66), 1),  # 594 s from the first to the last
    ("discovery_ec2_slow_sweep", paced_sweep(10, 67), 0),  # 603 s
    ("discovery_ec2_slow_sweep", paced_sweep(9, 60), 0),
    ("discovery_ec2_slow_sweep", paced_sweep(10, 3), 0),  # 27 s: a fast one
    ("discovery_ec2_slow_sweep", paced_sweep(11, 3) + paced_sweep(12, 4)[11:], 1),
    ("discovery_denied_multi_region_long_term_key", denied_calls(5), 1),
    ("discovery_denied_multi_region_long_term_key", denied_calls(4), 0),
    ("discovery_denied_multi_region_long_term_key", denied_calls(5, key="ASIAEXAMPLE"), 0),
    ("discovery_denied_multi_region_long_term_key", denied_calls(5, code="ThrottlingException"), 0),
    ("discovery_denied_multi_region_long_term_key", denied_calls(5, code=None), 0),
    ("discovery_denied_multi_region_long_term_key", denied_calls(5, action="CreateVpc"), 0),
    ("discovery_first_caller_identity", caller_identity_calls(0), 1),
    ("discovery_first_caller_identity", caller_identity_calls(0, 5 * DAY), 1),
    ("discovery_first_caller_identity", caller_identity_calls(0, 10 * DAY), 2),
    ("discovery_first_caller_identity", caller_identity_calls(0, type="AssumedRole"), 0),
    ("discovery_first_caller_identity", caller_identity_calls(0, errorCode="AccessDenied"), 0),
]


@pytest.mark.parametrize(
    "name, records, count", CASES, ids=[f"{name}-{count}" for name, _, count in CASES]
)
def test_builtin_rule_fires_at_its_threshold(tmp_path, name, records, count):
    assert len(RuleScan(tmp_path, BUILTIN / f"{name}.toml").add_file(*records).alerts()) == count


def test_builtin_rules_load_with_texts():
    rules = load()
    assert rules.problems == []
    tested = {name for name, _, _ in CASES} | {"discovery_ec2_multi_region_describe_instances"}
    assert {rule.path.stem for rule in rules if rule.alerts} == tested
    for rule in rules:
        assert rule.name and rule.description and rule.license == "Apache-2.0"
        assert rule.flag or rule.note


FLAGS: list[tuple[str, dict[str, Any], bool]] = [
    (
        "caller-identity",
        {"eventSource": "sts.amazonaws.com", "eventName": "GetCallerIdentity"},
        True,
    ),
    (
        "caller-identity",
        {"eventSource": "sts.amazonaws.com", "eventName": "GetSessionToken"},
        False,
    ),
    (
        "other-enumeration",
        {"eventSource": "iam.amazonaws.com", "eventName": "ListUsers", "readOnly": True},
        True,
    ),
    (
        "other-enumeration",
        {"eventSource": "iam.amazonaws.com", "eventName": "ListUsers", "errorCode": "X"},
        True,
    ),
    ("other-enumeration", {"eventSource": "s3.amazonaws.com", "eventName": "HeadBucket"}, True),
    (
        "other-enumeration",
        {"eventSource": "s3.amazonaws.com", "eventName": "GetObject", "eventCategory": "Data"},
        False,
    ),
    (
        "other-enumeration",
        {"eventSource": "sts.amazonaws.com", "eventName": "GetCallerIdentity"},
        False,
    ),
    ("other-enumeration", {"eventName": "Getaway"}, False),
    ("other-enumeration", {"eventName": "CreateVpc"}, False),
    ("snapshot", {"eventName": "ModifySnapshotAttribute"}, True),
    ("snapshot", {"eventName": "CreateSnapshot", "errorCode": "Client.DryRunOperation"}, False),
    ("snapshot", {"eventSource": "rds.amazonaws.com", "eventName": "CreateDBSnapshot"}, True),
    ("snapshot", {"eventSource": "rds.amazonaws.com", "eventName": "CreateSnapshot"}, False),
    ("image-export", {"eventName": "CopyImage"}, True),
    ("image-export", {"eventName": "DescribeImages"}, False),
    ("access-key", {"eventSource": "iam.amazonaws.com", "eventName": "CreateAccessKey"}, True),
    ("access-key", {"eventSource": "iam.amazonaws.com", "eventName": "ListAccessKeys"}, False),
    ("role-assumption", {"eventSource": "sts.amazonaws.com", "eventName": "AssumeRole"}, True),
    (
        "role-assumption",
        {"eventSource": "sts.amazonaws.com", "eventName": "AssumeRole", "errorCode": "X"},
        False,
    ),
    ("iam-change", {"eventSource": "iam.amazonaws.com", "eventName": "AttachUserPolicy"}, True),
    ("iam-change", {"eventSource": "iam.amazonaws.com", "eventName": "CreateAccessKey"}, False),
    (
        "iam-change",
        {"eventSource": "iam.amazonaws.com", "eventName": "CreateServiceLinkedRole"},
        False,
    ),
    ("iam-change", {"eventName": "AttachVolume"}, False),
    ("s3-write", {"eventSource": "s3.amazonaws.com", "eventName": "PutBucketPolicy"}, True),
    ("s3-write", {"eventSource": "s3.amazonaws.com", "eventName": "GetObject"}, False),
    (
        "s3-egress",
        {
            "eventSource": "s3.amazonaws.com",
            "eventName": "GetObject",
            "additionalEventData": {"bytesTransferredOut": 10_000_000.0},
        },
        True,
    ),
    (
        "s3-egress",
        {
            "eventSource": "s3.amazonaws.com",
            "eventName": "GetObject",
            "additionalEventData": {"bytesTransferredOut": 9_999_999},
        },
        False,
    ),
    ("s3-egress", {"eventSource": "s3.amazonaws.com", "eventName": "GetObject"}, False),
    ("instance-start", {"eventName": "RunInstances"}, True),
    ("instance-start", {"eventName": "StopInstances"}, False),
    ("session-start", {"eventSource": "ssm.amazonaws.com", "eventName": "StartSession"}, True),
    ("session-start", {"eventSource": "ssm.amazonaws.com", "eventName": "TerminateSession"}, False),
]


@pytest.mark.parametrize(
    "flag, changed, accepted", FLAGS, ids=[f"{flag}-{c['eventName']}" for flag, c, _ in FLAGS]
)
def test_flag_rule_accepts_its_events(flag, changed, accepted):
    (rule,) = (rule for rule in load().flagging if rule.flag == flag)
    assert bool(rule.query.rows(record(**changed), 0)) == accepted
    assert not rule.alerts


def test_flags_are_complete():
    flags = {rule.flag for rule in load().flagging}
    assert flags == {flag for flag, _, _ in FLAGS} | {"discovery-burst"}
