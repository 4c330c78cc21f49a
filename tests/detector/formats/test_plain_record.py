"""The strict form of a record against the search that it saves."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.formats.decompress import Budget
from detector.formats.items import ParsedRecord
from detector.formats.plain_record import is_plain
from detector.formats.search import unwrap_elements

OF_WEB_IDENTITY: dict[str, Any] = {
    "eventVersion": "1.08",
    "userIdentity": {
        "type": "WebIdentityUser",
        "principalId": "system:serviceaccount:default:reader",
        "userName": "system:serviceaccount:default:reader",
        "identityProvider": "arn:aws:iam::111122223333:oidc-provider/oidc.example",
    },
    "eventTime": "2026-03-01T09:15:00Z",
    "eventSource": "sts.amazonaws.com",
    "eventName": "AssumeRoleWithWebIdentity",
    "awsRegion": "eu-west-1",
    "sourceIPAddress": "198.51.100.7",
    "userAgent": "aws-sdk-go-v2/1.30",
    "requestParameters": {"roleArn": "arn:aws:iam::111122223333:role/reader"},
    "responseElements": {"credentials": {"accessKeyId": "ASIAEXAMPLE000000001"}},
    "resources": [{"ARN": "arn:aws:iam::111122223333:role/reader", "accountId": "111122223333"}],
    "tlsDetails": {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256"},
    "readOnly": True,
    "managementEvent": True,
    "eventID": "0c0e1f3a-1111-4222-8333-444455556666",
    "recipientAccountId": "111122223333",
}
ODD_VALUES = st.sampled_from(
    [
        None,
        "",
        "true",
        7,
        True,
        [],
        ["eu-west-1"],
        {},
        {"S": "eu-west-1"},
        {"tlsversion": "TLSv1.3"},
        [{"arn": "arn:aws:s3:::bucket"}],
        '{"arn": "arn:aws:iam::111122223333:user/ana"}',
        "arn:aws:iam::111122223333:user/ana",
        "1772356500",
        " 2026-03-01T09:15:00Z",
        {"eventSource": "s3.amazonaws.com", "eventName": "GetObject", "awsRegion": "eu-west-1"},
        OF_WEB_IDENTITY,
    ]
)
ODD_NAMES = st.sampled_from(
    [
        "event_source",
        "caller",
        "userIdentity.arn",
        "EventName",
        "detail",
        "detail-type",
        "Message",
        "api",
        "metadata",
        "timeWindow",
        "addendum",
    ]
)


def _is_read_as_is(raw: bytes) -> bool:
    (item, *others) = unwrap_elements([raw], Budget(1 << 20))
    is_itself = isinstance(item, ParsedRecord) and item.raw == raw and item.translated is None
    return is_itself and not others


def test_record_of_a_web_identity_is_plain() -> None:
    assert is_plain(json.dumps(OF_WEB_IDENTITY).encode())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("event_source", "s3.amazonaws.com"),
        ("userIdentity.arn", "arn:aws:iam::111122223333:user/ana"),
        ("awsRegion", ""),
        ("awsRegion", "eu-west-1 "),
        ("eventSource", " s3.amazonaws.com"),
        ("eventName", '"AssumeRoleWithWebIdentity"'),
        ("eventName", "[1]"),
        ("awsRegion", ["eu-west-1"]),
        ("eventName", None),
        ("eventTime", "1772356500"),
        ("requestParameters", '{"roleArn": "x"}'),
        ("tlsDetails", {"tlsversion": "TLSv1.3"}),
        ("resources", [{"arn": "arn:aws:s3:::bucket"}]),
        ("userIdentity", {}),
        ("userIdentity", "arn:aws:iam::111122223333:user/ana"),
    ],
)
def test_record_with_an_odd_field_is_not_plain(name: str, value: Any) -> None:
    assert not is_plain(json.dumps(OF_WEB_IDENTITY | {name: value}).encode())


@given(
    st.dictionaries(st.sampled_from(list(OF_WEB_IDENTITY)) | ODD_NAMES, ODD_VALUES, max_size=3),
    st.sets(st.sampled_from(list(OF_WEB_IDENTITY)), max_size=4),
    st.dictionaries(st.sampled_from(["type", "arn", "principalId", "Arn"]), ODD_VALUES, max_size=2),
)
def test_plain_record_is_read_as_it_is(
    changed: dict[str, Any], left_out: set[str], caller: dict[str, Any]
) -> None:
    record = OF_WEB_IDENTITY | {"userIdentity": OF_WEB_IDENTITY["userIdentity"] | caller} | changed
    raw = json.dumps({name: record[name] for name in record if name not in left_out}).encode()
    if is_plain(raw):
        assert _is_read_as_is(raw)
