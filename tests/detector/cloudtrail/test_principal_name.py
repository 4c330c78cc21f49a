"""Names of principals as people know them."""

from __future__ import annotations

import pytest

from detector.cloudtrail.principal_name import principal_name

HOME = "111122223333"
NAMES = {HOME: "Production", "999988887777": "Partner"}
SSO = "AWSReservedSSO_Read_Only_0123456789abcdef"


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        (f"arn:aws:iam::{HOME}:user/ana", "user/ana"),
        (f"arn:aws:iam::{HOME}:user/team/ana", "user/team/ana"),
        (f"arn:aws:iam::{HOME}:user/division/platform/build/team/ci-deploy", "user/…/ci-deploy"),
        (f"arn:aws:sts::{HOME}:assumed-role/{SSO}/ana@example.com", "ana@example.com · Read_Only"),
        (f"arn:aws:sts::{HOME}:assumed-role/AWSReservedSSO_x/ana", "role/AWSReservedSSO_x/ana"),
        (f"arn:aws:sts::{HOME}:assumed-role/app/i-0123456789abcdef0", "app · i-0123456789abcdef0"),
        (f"arn:aws:sts::{HOME}:assumed-role/app/i-01234567", "app · i-01234567"),
        (f"arn:aws:sts::{HOME}:assumed-role/app/i-am-ana", "role/app/i-am-ana"),
        (
            f"arn:aws:sts::{HOME}:assumed-role/a-role-with-a-long-name/and-a-long-session",
            "role/a-role-with-a-long-name/and-a-long-session",
        ),
        (f"arn:aws-us-gov:iam::{HOME}:user/ana", "user/ana"),
        (f"arn:aws:iam::{HOME}:root", "root of Production"),
        ("arn:aws:iam::444455556666:root", "root of 444455556666"),
        ("arn:aws:iam::999988887777:user/eve", "user/eve in Partner"),
        ("arn:aws:iam::444455556666:user/eve", "user/eve in 444455556666"),
        (
            f"arn:aws:sts::999988887777:assumed-role/{SSO}/eve@example.com",
            "eve@example.com · Read_Only in Partner",
        ),
        ("ec2.amazonaws.com", "ec2.amazonaws.com"),
        ("arn:aws:iam", "arn:aws:iam"),
        ("", ""),
    ],
)
def test_principal_is_named_as_people_know_it(arn: str, name: str) -> None:
    assert principal_name(arn, HOME, NAMES) == name


def test_account_is_left_out_where_home_is_unknown() -> None:
    assert principal_name("arn:aws:iam::999988887777:user/eve") == "user/eve"
