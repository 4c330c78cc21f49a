"""ECS fields of a record."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from detector.cloudtrail.record import Head
from detector.ecs.address_database import AddressDatabaseError
from detector.ecs.asn import open_asn
from detector.ecs.fields import field_table
from detector.ecs.java_text import java_text
from detector.esql.plan.planner import plan
from tests.detector.esql.conftest import CALL, START, record

ASN = Path(__file__).parent / "data" / "GeoLite2-ASN-Test.mmdb"


def read(name, **changed):
    return field_table()[name].read(record(**changed))


SESSION = {
    "type": "AssumedRole",
    "principalId": "AROA1:me",
    "arn": "arn:aws:sts::1:assumed-role/R/me",
    "accountId": "1",
    "sessionContext": {
        "sessionIssuer": {
            "type": "Role",
            "arn": "arn:aws:iam::1:role/R",
            "userName": "R",
            "principalId": "AROA1",
            "accountId": "1",
        },
        "attributes": {"mfaAuthenticated": "false", "creationDate": "2026-01-01T00:00:00Z"},
    },
}
ANA = CALL["userIdentity"]
SERVICE = {"type": "AWSService", "invokedBy": "config.amazonaws.com"}
LINKED = {
    "type": "AssumedRole",
    "principalId": "AROA2:s",
    "arn": "arn:aws:sts::1:assumed-role/AWSServiceRoleForX/s",
    "sessionContext": {
        "sessionIssuer": {
            "arn": "arn:aws:iam::1:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX",
            "userName": "AWSServiceRoleForX",
        }
    },
}
IDENTITY = "aws.cloudtrail.user_identity."


def session_from(date):
    return {**SESSION, "sessionContext": {"attributes": {"creationDate": date}}}


@pytest.mark.parametrize(
    "name, raw, value",
    [
        ("@timestamp", {"eventTime": "2026-01-01T00:00:07Z"}, 1_767_225_607_000),
        ("event.dataset", {}, "aws.cloudtrail"),
        ("data_stream.namespace", {}, "default"),
        ("event.provider", {"eventSource": "s3.amazonaws.com"}, "s3.amazonaws.com"),
        ("event.action", {"eventName": None}, None),
        ("cloud.region", {"awsRegion": ""}, None),
        ("cloud.region", {"awsRegion": "-"}, None),
        ("aws.cloudtrail.error_code", {"errorCode": "none"}, None),
        ("event.outcome", {}, "success"),
        ("event.outcome", {"errorCode": "AccessDenied"}, "failure"),
        ("event.outcome", {"errorMessage": "no"}, "failure"),
        ("event.outcome", {"errorCode": ""}, "success"),
        (
            "event.outcome",
            {"eventName": "ConsoleLogin", "responseElements": {"ConsoleLogin": "Failure"}},
            "failure",
        ),
        ("cloud.account.id", {"userIdentity": {"accountId": "9"}, "recipientAccountId": "1"}, "9"),
        (
            "cloud.account.id",
            {"userIdentity": {"type": "AWSService"}, "recipientAccountId": "1"},
            "1",
        ),
        ("aws.cloudtrail.recipient_account_id", {"recipientAccountId": "1"}, "1"),
        ("source.ip", {"sourceIPAddress": "203.0.113.7"}, "203.0.113.7"),
        ("source.ip", {"sourceIPAddress": "2001:DB8:0::1"}, "2001:db8::1"),
        ("source.ip", {"sourceIPAddress": "ec2.amazonaws.com"}, None),
        ("source.ip", {"sourceIPAddress": "AWS Internal"}, None),
        ("source.address", {"sourceIPAddress": "ec2.amazonaws.com"}, "ec2.amazonaws.com"),
        ("user.name", {}, "ana"),
        ("user.name", {"userIdentity": SESSION}, "R"),
        ("user.name", {"userIdentity": {**SERVICE, "userName": "x"}}, None),
        ("user.name", {"userIdentity": {"type": "AWSService", "userName": "x"}}, "x"),
        ("user.name", {"userIdentity": LINKED}, None),
        ("user.name", {"userIdentity": {**LINKED, "type": "FederatedUser"}}, "AWSServiceRoleForX"),
        ("user.name", {"userIdentity": {"type": "Root", "arn": "arn:aws:iam::1:root"}}, None),
        ("user.id", {"userIdentity": SESSION}, "AROA1:me"),
        ("user.id", {"userIdentity": {**SERVICE, "principalId": "x"}}, None),
        ("user.id", {"userIdentity": LINKED}, None),
        ("user.id", {"userIdentity": {**ANA, "invokedBy": "signin.amazonaws.com"}}, "AIDA1"),
        ("service.name", {"userIdentity": SERVICE}, "config.amazonaws.com"),
        ("service.name", {"userIdentity": LINKED}, "x.amazonaws.com"),
        ("service.name", {"userIdentity": {**LINKED, "invokedBy": "y.aws"}}, "y.aws"),
        ("service.name", {"userIdentity": {**ANA, "invokedBy": "signin.amazonaws.com"}}, None),
        ("service.name", {"userIdentity": SESSION}, None),
        ("cloud.service.name", {"eventSource": "s3.amazonaws.com"}, "s3"),
        ("cloud.service.name", {"eventSource": "ec2.amazonaws.com.cn"}, None),
        ("cloud.service.name", {"eventSource": "aws:s3"}, None),
        ("user.target.name", {"requestParameters": {"userName": "bob"}}, "bob"),
        (IDENTITY + "arn", {"userIdentity": {"arn": ""}}, None),
        (
            IDENTITY + "session_context.session_issuer.arn",
            {"userIdentity": SESSION},
            "arn:aws:iam::1:role/R",
        ),
        (IDENTITY + "session_context.creation_date", {"userIdentity": SESSION}, 1_767_225_600_000),
        (
            IDENTITY + "session_context.creation_date",
            {"userIdentity": session_from("20260101T000000Z")},
            1_767_225_600_000,
        ),
        (
            IDENTITY + "session_context.creation_date",
            {"userIdentity": session_from("20260101T000000.250+01:00")},
            1_767_225_600_250 - 3_600_000,
        ),
        (
            IDENTITY + "session_context.creation_date",
            {"userIdentity": session_from("20260101")},
            None,
        ),
        (IDENTITY + "session_context.mfa_authenticated", {"userIdentity": SESSION}, "false"),
        ("user_agent.original", {"userAgent": None}, None),
        ("user_agent.name", {"userAgent": None}, None),
        ("user_agent.name", {"userAgent": "[aws-cli/2.17.0 Python/3.11]"}, "aws-cli"),
        ("user_agent.version", {"userAgent": "aws-cli/2.17.0 Python/3.11"}, "2.17.0"),
        ("user_agent.name", {"userAgent": "Boto3/1.34.0 md/Botocore"}, "Boto3"),
        ("user_agent.name", {"userAgent": "ec2.amazonaws.com"}, "Other"),
        ("aws.cloudtrail.management_event", {"managementEvent": True}, "true"),
        ("aws.cloudtrail.read_only", {"readOnly": False}, False),
        (
            "aws.cloudtrail.session_credential_from_console",
            {"sessionCredentialFromConsole": "true"},
            "true",
        ),
        (
            "aws.cloudtrail.resources.arn",
            {"resources": [{"ARN": "b"}, {"ARN": "a"}, {"ARN": "b"}]},
            ["a", "b"],
        ),
        ("aws.cloudtrail.resources.type", {"resources": [{"type": "T"}, {"ARN": "a"}]}, "T"),
        ("aws.cloudtrail.resources.arn", {"resources": "odd"}, None),
        (
            "aws.cloudtrail.console_login.additional_eventdata.mfa_used",
            {"eventName": "ConsoleLogin", "additionalEventData": {"MFAUsed": "No"}},
            False,
        ),
        ("aws.cloudtrail.request_parameters", {"requestParameters": {}}, None),
        (
            "aws.cloudtrail.request_parameters",
            {"requestParameters": {"a": {"b": ["x", 1, True, None]}}},
            "{a={b=[x, 1, true]}}",
        ),
        (
            "aws.cloudtrail.flattened.request_parameters.filterSet.items.name",
            {"requestParameters": {"filterSet": {"items": [{"name": "n"}, {"name": "m"}]}}},
            ["m", "n"],
        ),
        (
            "aws.cloudtrail.flattened.request_parameters.maxResults",
            {"requestParameters": {"maxResults": 5}},
            "5",
        ),
        ("tls.version", {"tlsDetails": {"tlsVersion": "TLSv1.3"}}, "1.3"),
    ],
)
def test_field_getter_reads_record(name, raw, value):
    assert read(name, **raw) == value


FEDERATED = {
    **SESSION,
    "identityProvider": "idp.example.com",
    "invokedByDelegate": {"accountId": "2"},
    "inScopeOf": {
        "issuerType": "AWS::Lambda::Function",
        "credentialsIssuedTo": "arn:aws:lambda:eu-west-1:1:function:f",
        "sourceArn": "arn:aws:s3:::b",
        "sourceAccount": "3",
    },
    "sessionContext": {
        **SESSION["sessionContext"],
        "ec2RoleDelivery": "2.0",
        "sourceIdentity": "ana",
        "assumedRoot": "true",
        "signInSessionArn": "-",
        "webIdFederationData": {
            "federatedProvider": "arn:aws:iam::1:oidc-provider/ci.example.com",
            "attributes": {"ci.example.com:sub": "repo:o/r", "aud": ["b", "a", ""]},
        },
    },
}
RARE = {
    "userIdentity": FEDERATED,
    "vpcEndpointAccountId": "4",
    "addendum": {
        "reason": "DELIVERY_DELAY",
        "updatedFields": "errorCode",
        "originalRequestID": "r-0",
        "originalEventID": "e-0",
    },
    "tlsDetails": {"keyExchange": "x25519"},
}


@pytest.mark.parametrize(
    "name, value",
    [
        ("user_identity.identity_provider", "idp.example.com"),
        ("user_identity.invoked_by_delegate.account_id", "2"),
        ("user_identity.in_scope_of.issuer_type", "AWS::Lambda::Function"),
        (
            "user_identity.in_scope_of.credentials_issued_to",
            "arn:aws:lambda:eu-west-1:1:function:f",
        ),
        ("user_identity.in_scope_of.source_arn", "arn:aws:s3:::b"),
        ("user_identity.in_scope_of.source_account", "3"),
        ("user_identity.session_context.ec2_role_delivery", "2.0"),
        ("user_identity.session_context.source_identity", "ana"),
        ("user_identity.session_context.assumed_root", "true"),
        ("user_identity.session_context.sign_in_session_arn", None),
        (
            "user_identity.session_context.web_id_federation_data.federated_provider",
            "arn:aws:iam::1:oidc-provider/ci.example.com",
        ),
        (
            "user_identity.session_context.web_id_federation_data.attributes.ci.example.com:sub",
            "repo:o/r",
        ),
        (
            "user_identity.session_context.web_id_federation_data.attributes.aud",
            ["a", "b"],
        ),
        ("vpc_endpoint_account_id", "4"),
        ("addendum.reason", "DELIVERY_DELAY"),
        ("addendum.updated_fields", "errorCode"),
        ("addendum.original_request_id", "r-0"),
        ("addendum.original_event_id", "e-0"),
        ("tls_details.key_exchange", "x25519"),
    ],
)
def test_field_of_few_records_is_read_of_the_whole_record(name, value):
    assert read(f"aws.cloudtrail.{name}", **RARE) == value
    assert read(f"aws.cloudtrail.{name}") is None


def test_field_of_few_records_is_a_column_only_where_the_query_names_it():
    fields, call = field_table(), record(**RARE)
    name = "aws.cloudtrail.user_identity.session_context.assumed_root"
    assert name not in plan("from logs-* | limit 9", fields).columns
    named = plan(f'from logs-* | where {name} == "true"', fields)
    assert name in named.columns and named.rows(call, START)
    assert not named.rows(record(), START)


def test_field_table_rejects_unknown_names():
    table = field_table()
    assert "event.acton" not in table
    assert table.get("aws.cloudtrail.flattened.nothing.x") is None
    assert len(table) == len(set(table))


def test_every_getter_reads_an_empty_record():
    empty = record(**dict.fromkeys(CALL))
    found = {
        name: field.read(empty) for name, field in field_table().items() if field.constant is None
    }
    assert {name for name, value in found.items() if value is not None} == {
        "event.outcome",
        "event.type",
    }


def test_java_text_orders_keys_as_a_hash_map():
    assert (
        java_text({"credentials": 1, "assumedRoleUser": 2}) == "{assumedRoleUser=2, credentials=1}"
    )
    assert java_text({"b": 1, "a": 2, "c": 3}) == "{a=2, b=1, c=3}"
    assert java_text({"n": 1.0, "m": 12345678.0, "t": None}) == "{t=null, m=1.2345678E7, n=1.0}"


def test_java_text_keeps_the_order_of_a_map_that_once_was_larger():
    """What counts as absent is removed from a map that has grown for it: 12 members are its room
    of 16, one more doubles it."""
    names = "vpcId zone tags name size role kind host port path mode user"
    few = {name: number for number, name in enumerate(names.split())}
    nothing = {"none1": "", "none2": None, "none3": {"inner": []}}
    alone = read("aws.cloudtrail.request_parameters", requestParameters=few)
    beside = read("aws.cloudtrail.request_parameters", requestParameters={**few, **nothing})
    assert alone == java_text(few)
    grown = [part for part in java_text({**few, **nothing})[1:-1].split(", ") if "none" not in part]
    assert beside == "{" + ", ".join(grown) + "}" != alone
    within = read("aws.cloudtrail.response_elements", responseElements={"a": [{**few, **nothing}]})
    assert within == f"{{a=[{beside}]}}"
    flat = "aws.cloudtrail.flattened.request_parameters."
    assert read(flat + "host", requestParameters={**few, **nothing}) == "7"
    assert read(flat + "none2", requestParameters={**few, **nothing}) is None


@pytest.fixture(scope="module")
def asn():
    return open_asn(ASN)


@pytest.mark.parametrize(
    "address, number, organization",
    [
        ("1.128.0.7", 1221, "Telstra Pty Ltd"),
        ("2600:6000::1", 237, "Merit Network Inc."),
        ("8.8.8.8", None, None),
        ("10.0.0.1", None, None),
        ("ec2.amazonaws.com", None, None),
        ("1.128.0.7, 10.0.0.1", None, None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_asn_lookup_finds_network_of_address(asn, address, number, organization):
    table, call = field_table(asn), record(sourceIPAddress=address)
    assert table["source.as.number"].read(call) == number
    assert table["source.as.organization.name"].read(call) == organization


def test_asn_lookup_pickles_as_its_path(asn):
    again = pickle.loads(pickle.dumps(asn))
    assert again.lookup("1.128.0.7") == asn.lookup("1.128.0.7")
    assert again.fingerprint == asn.fingerprint


def test_open_asn_rejects_other_files_in_one_line(tmp_path):
    path = tmp_path / "x.mmdb"
    for make in (
        lambda: None,
        lambda: path.write_bytes(b"not a database"),
        lambda: path.write_bytes(b""),
    ):
        make()
        with pytest.raises(AddressDatabaseError) as caught:
            open_asn(path)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", [field.name for field in field_table().values() if field.of_head])
def test_a_field_of_the_head_follows_from_the_fields_it_names(name):
    field = field_table()[name]
    head = record(readOnly=True, eventCategory="Management").head()
    alone = Head(**{each: getattr(head, each) for each in field.head_fields})
    assert field.read(alone) == field.read(head)
