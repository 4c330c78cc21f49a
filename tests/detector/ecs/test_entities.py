"""What Elastic's integration adds to a call: categories, entities, users, sign-ins, TLS."""

from __future__ import annotations

import pytest

from detector.ecs.fields import field_table
from tests.detector.esql.conftest import CALL, record

TABLE = field_table()
ANA = CALL["userIdentity"]
ARN = ANA["arn"]
SESSION = {
    "type": "AssumedRole",
    "principalId": "AROA1:bob@example.com",
    "arn": "arn:aws:sts::1:assumed-role/R/bob@example.com",
    "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::1:role/R", "userName": "R"}},
}


def read(name, **changed):
    return TABLE[name].read(record(**changed))


def of_iam(name, **more):
    return {"eventSource": "iam.amazonaws.com", "eventName": name, **more}


@pytest.mark.parametrize(
    "name, kind, types",
    [
        ("DescribeInstances", "host", "info"),
        ("AttachRolePolicy", "iam", "change"),
        ("AddUserToGroup", "iam", ["change", "group"]),
        ("ConsoleLogin", "authentication", "info"),
        ("PutObject", "file", "change"),
        ("StartSession", "session", "start"),
        ("ListTables", "database", "info"),
        ("AuthorizeSecurityGroupIngress", "network", "access"),
        ("Converse", "api", "info"),
        ("Publish", "api", "info"),
        ("SendCommand", "process", "start"),
        ("DeleteObject", "file", "deletion"),
        ("DeleteTrail", "configuration", "deletion"),
        ("GetBucketAcl", None, "info"),
        (None, None, "info"),
    ],
)
def test_category_and_type_of_call(name, kind, types):
    assert read("event.category", eventName=name) == kind
    assert read("event.type", eventName=name) == types


@pytest.mark.parametrize(
    "field, changed, value",
    [
        (
            "entity.target.id",
            of_iam("AttachRolePolicy", requestParameters={"roleName": "r", "policyArn": "p"}),
            "r",
        ),
        ("entity.target.id", of_iam("GetRole", requestParameters={"roleName": "r"}), None),
        ("entity.target.id", of_iam("ListUsers"), "111122223333"),
        (
            "user.target.entity.id",
            of_iam(
                "CreateAccessKey",
                requestParameters={"userName": "bob"},
                responseElements={"accessKey": {"accessKeyId": "AKIAEXAMPLE000000001"}},
            ),
            "AKIAEXAMPLE000000001",
        ),
        (
            "service.target.entity.id",
            {
                "eventName": "AuthorizeSecurityGroupIngress",
                "requestParameters": {"groupId": "sg-1"},
                "responseElements": {
                    "securityGroupRuleSet": {"items": [{"securityGroupRuleId": "sgr-2"}]}
                },
            },
            ["sg-1", "sgr-2"],
        ),
        (
            "host.target.entity.id",
            {"eventName": "GetPasswordData", "requestParameters": {"instanceId": "i-1"}},
            "i-1",
        ),
        (
            "service.target.entity.id",
            {
                "eventSource": "s3.amazonaws.com",
                "eventName": "GetObject",
                "resources": [{"ARN": "arn:aws:s3:::bucket/key"}],
            },
            "arn:aws:s3:::bucket/key",
        ),
        (
            "entity.target.id",
            {
                "eventSource": "lambda.amazonaws.com",
                "eventName": "AddPermission20150331v2",
                "requestParameters": {"functionName": "f"},
            },
            "f",
        ),
        (
            "entity.target.id",
            {
                "eventSource": "ssm.amazonaws.com",
                "eventName": "SendCommand",
                "requestParameters": {"targets": [{"key": "x", "values": ["*"]}]},
            },
            "111122223333",
        ),
        (
            "user.target.entity.id",
            {
                "eventSource": "sts.amazonaws.com",
                "eventName": "AssumeRole",
                "requestParameters": {"roleArn": "arn:aws:iam::1:role/R"},
            },
            "arn:aws:iam::1:role/R",
        ),
        ("user.entity.id", {}, ARN),
        ("service.entity.id", {}, None),
        ("entity.id", {"userIdentity": {"type": "AWSAccount", "arn": "odd"}}, "odd"),
        (
            "service.entity.id",
            {
                "eventSource": "sts.amazonaws.com",
                "eventName": "AssumeRole",
                "userIdentity": {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"},
            },
            "ec2.amazonaws.com",
        ),
        ("related.entity", {}, ["AKIA1", "ana", ARN]),
        (
            "related.entity",
            of_iam("AttachRolePolicy", requestParameters={"roleName": "r", "policyArn": "p"}),
            ["AKIA1", "ana", ARN, "p", "r"],
        ),
        ("related.user", {}, ["AIDA1", "ana"]),
        (
            "related.user",
            {"requestParameters": {"userName": "bob", "newUserName": "rob"}},
            ["AIDA1", "ana", "bob", "rob"],
        ),
        (
            "related.user",
            {"userIdentity": SESSION},
            ["AROA1:bob@example.com", "R", "bob", "bob@example.com"],
        ),
        ("related.user", {"userIdentity": {"type": "AWSService"}}, None),
        (
            "related.user",
            {"userIdentity": {**ANA, "onBehalfOf": {"userId": "u-1"}}},
            ["AIDA1", "ana", "u-1"],
        ),
        ("user.entity.id", {"userIdentity": SESSION}, "arn:aws:iam::1:role/R"),
        ("user.entity.id", {"userIdentity": {**SESSION, "sessionContext": None}}, SESSION["arn"]),
        ("actor.entity.id", {"userIdentity": SESSION}, SESSION["arn"]),
        ("actor.entity.id", {"userIdentity": {"type": "Unknown"}}, None),
        ("target.entity.id", of_iam("ListUsers"), "111122223333"),
        (
            "target.entity.id",
            of_iam("AttachUserPolicy", requestParameters={"userName": "bob", "policyArn": "p"}),
            ["bob", "p"],
        ),
        ("related.hash", {}, None),
        ("user.email", {"userIdentity": SESSION}, "bob@example.com"),
        ("user.email", {"userIdentity": {**ANA, "userName": "@ana"}}, None),
        ("user.email", {"userIdentity": {**ANA, "userName": "ana@x"}}, "ana@x"),
        ("user.target.id", {"responseElements": {"user": {"userId": "AIDA2"}}}, "AIDA2"),
        ("group.id", {"responseElements": {"group": {"groupId": "AGPA"}}}, "AGPA"),
    ],
)
def test_entity_of_call(field, changed, value):
    assert read(field, **changed) == value


def of_channel(arn, **more):
    return {
        "eventSource": "ssm.amazonaws.com",
        "eventName": "OpenControlChannel",
        "resources": [{"ARN": arn}],
        **more,
    }


INSTANCE = "arn:aws:ec2:eu-west-1:1:instance/"


@pytest.mark.parametrize(
    "target, id",
    [
        (f"{INSTANCE}i-0abc", "i-0abc"),
        ("i-0abc", "i-0abc"),
        ("arn:aws:ssm:eu-west-1:1:instance/i-0abc", None),
        (f"{INSTANCE}mi-0abc", None),
        ("arn:aws:s3:::b", None),
    ],
)
def test_host_target_id_is_the_bare_id_of_an_instance(target, id):
    assert read("host.target.id", **of_channel(target)) == id


@pytest.mark.parametrize(
    "changed, hosts",
    [
        ({}, None),
        ({"sourceIPAddress": "ec2.amazonaws.com"}, None),
        ({"sourceIPAddress": "AWS Internal"}, None),
        ({"sourceIPAddress": "host.example.com"}, "host.example.com"),
        ({"tlsDetails": {"clientProvidedHostHeader": "ec2.eu-west-1.amazonaws.com"}}, None),
        ({"tlsDetails": {"clientProvidedHostHeader": "b.example.com"}}, "b.example.com"),
        ({"requestParameters": {"computerName": "pc"}}, "pc"),
        ({"requestParameters": {"instanceId": "i-01234567"}}, "i-01234567"),
        ({"requestParameters": {"instanceId": "i-0123"}}, None),
        ({"requestParameters": {"target": "i-01234567", "resourceId": "vol-1"}}, "i-01234567"),
        ({"requestParameters": {"instanceIds": ["i-01234567", "*"]}}, "i-01234567"),
        (
            {
                "requestParameters": {"instancesSet": {"items": [{"instanceId": "i-11111111"}]}},
                "responseElements": {"instancesSet": {"items": [{"instanceId": "i-22222222"}]}},
            },
            ["i-11111111", "i-22222222"],
        ),
        (of_channel(f"{INSTANCE}i-01234567"), "i-01234567"),
        (of_channel(f"{INSTANCE}mi-0123456"), None),
    ],
)
def test_related_hosts_are_instances_and_names_that_are_not_of_aws(changed, hosts):
    assert read("related.hosts", **changed) == hosts


@pytest.mark.parametrize(
    "changed, addresses",
    [
        ({}, "203.0.113.7"),
        ({"sourceIPAddress": "ec2.amazonaws.com"}, None),
        (
            {
                "sourceIPAddress": "203.0.113.10",
                "serviceEventDetails": {"sourceIpAddress": "203.0.113.9"},
            },
            ["203.0.113.9", "203.0.113.10"],
        ),
        ({"serviceEventDetails": {"sourceIpAddress": "unknown"}}, "203.0.113.7"),
    ],
)
def test_related_addresses(changed, addresses):
    assert read("related.ip", **changed) == addresses


CENTER = {"type": "IdentityCenterUser", "onBehalfOf": {"userId": "u-1"}}
CENTER_SESSION = {**CENTER, "arn": "arn:aws:sts::1:assumed-role/R/eve@example.com"}


@pytest.mark.parametrize(
    "field, changed, value",
    [
        ("user.id", {"userIdentity": CENTER}, "u-1"),
        ("user.id", {"userIdentity": {**CENTER, "principalId": ""}}, "u-1"),
        ("user.id", {"userIdentity": {**CENTER, "principalId": "p"}}, "p"),
        ("user.id", {"userIdentity": {**CENTER, "type": "IAMUser"}}, None),
        ("user.id", {"userIdentity": {"type": "IdentityCenterUser"}}, None),
        ("user.id", {"userIdentity": {**CENTER, "type": "AWSService"}}, None),
        ("user.email", {"userIdentity": CENTER_SESSION}, "eve@example.com"),
        ("related.user", {"userIdentity": CENTER_SESSION}, ["eve", "eve@example.com", "u-1"]),
        (
            "user.name",
            {
                "eventName": "UserAuthentication",
                "userIdentity": CENTER,
                "additionalEventData": {"UserName": "bob"},
            },
            "bob",
        ),
        (
            "user.name",
            {"eventName": "UserAuthentication", "additionalEventData": {"UserName": "bob"}},
            "ana",
        ),
        (
            "user.name",
            {"userIdentity": CENTER, "additionalEventData": {"UserName": "bob"}},
            None,
        ),
        ("user.name", {"eventName": "UserAuthentication", "userIdentity": CENTER}, None),
        (
            "user.name",
            {
                "eventName": "UserAuthentication",
                "userIdentity": CENTER,
                "additionalEventData": {"UserName": "-"},
            },
            None,
        ),
    ],
)
def test_user_of_identity_center(field, changed, value):
    assert read(field, **changed) == value


@pytest.mark.parametrize("event", ["ConsoleLogin", "SwitchRole", "CheckMfa", None])
@pytest.mark.parametrize(
    "answer, mfa", [("Yes", True), ("No", False), ("no", True), ("U2F", True), (None, None)]
)
def test_sign_in_fields_are_of_sign_ins_alone(event, answer, mfa):
    data = {"MFAUsed": answer, "MobileVersion": answer, "LoginTo": answer}
    changed = {"eventName": event, "additionalEventData": data}
    is_sign_in = event == "ConsoleLogin"
    prefix = "aws.cloudtrail.console_login.additional_eventdata."
    assert read(prefix + "mfa_used", **changed) is (mfa if is_sign_in else None)
    assert read(prefix + "mobile_version", **changed) is (mfa if is_sign_in else None)
    assert read(prefix + "login_to", **changed) == (answer if is_sign_in else None)


@pytest.mark.parametrize(
    "raw, version, protocol",
    [
        ("TLSv1.3", "1.3", "tls"),
        ("TLSv1.2", "1.2", "tls"),
        ("tlsv1.1", "1.1", "tls"),
        ("TLSv1", "1", "tls"),
        ("SSLv3", "3", "ssl"),
        ("DTLSv1.2", "1.2", "dtls"),
        ("1.3", "1.3", None),
        ("TLS 1.3", "TLS 1.3", None),
        ("tlsVersion", None, None),
        ("-", None, None),
        ("v", None, None),
        (None, None, None),
    ],
)
def test_tls_version_without_protocol(raw, version, protocol):
    changed = {"tlsDetails": {"tlsVersion": raw, "cipherSuite": "c"}}
    assert read("tls.version", **changed) == version
    assert read("tls.version_protocol", **changed) == protocol
    assert read("tls.cipher", **changed) == (None if raw == "tlsVersion" else "c")
