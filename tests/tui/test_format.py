"""How values are formatted."""

from __future__ import annotations

import pytest

from detector.detection.alert import Risk
from detector.detection.baseline import Baseline
from detector.rules.ruleset import load
from detector.text.abbreviations import short_arn
from detector.text.time import format_duration
from tests.tui.build import REGIONS, START, alert
from tui.presentation import format
from tui.presentation.explanation import new_line, then_line, why_line


@pytest.mark.parametrize(
    ("arn", "short"),
    [
        ("arn:aws:iam::111122223333:user/ci-deploy", "user/ci-deploy"),
        ("arn:aws-us-gov:iam::111122223333:user/path/to/ci", "user/path/to/ci"),
        ("arn:aws:sts::111122223333:assumed-role/app/i-0a1", "role/app/i-0a1"),
        ("arn:aws:sts::111122223333:federated-user/bob", "federated-user/bob"),
        ("arn:aws:iam::111122223333:root", "root"),
        ("arn:aws:iam", "arn:aws:iam"),
        ("not an arn", "not an arn"),
        ("", ""),
    ],
)
def test_short_arn_keeps_what_identifies(arn: str, short: str) -> None:
    assert short_arn(arn) == short


@pytest.mark.parametrize(
    ("user_agent", "said"),
    [
        ("aws-cli/1.29.54 md/Botocore#1.31.54 os/linux#6.3.0-kali1-cloud-amd64", "aws-cli kali"),
        ("Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 APN_1826889", "Boto3 prowler"),
        ("APN/1.0 HashiCorp/1.0 Terraform/1.1.2 (+https://www.terraform.io)", "terraform"),
        ("Scout Suite/5.1 (https://github.com/nccgroup/ScoutSuite)", "scoutsuite"),
        ("AWS Internal", "AWS Internal"),
        ("[EC2ConsoleFrontend, aws-internal/3]", "EC2ConsoleFrontend"),
        ("Mozilla/5.0 (X11; Linux x86_64)", "browser"),
        ("autoscaling.amazonaws.com", "autoscaling.amazonaws.com"),
        ("", "–"),
    ],
)
def test_agent_names_product_and_tools(user_agent: str, said: str) -> None:
    assert format.agent(user_agent) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 m"),
        (125, "2 m 05 s"),
        (3600, "1 h"),
        (3600 + 600, "1 h 10 m"),
        (86_400 * 6 + 3600 * 23, "6 d 23 h"),
        (-5, "0 s"),
    ],
)
def test_duration_has_two_units_at_most(seconds: int, said: str) -> None:
    assert format_duration(seconds) == said


def test_time_range_omits_repeated_date() -> None:
    assert format.time_range(START, START + 30) == "2026-03-01 10:00:00–10:00:30Z"
    assert format.time_range(START, START + 86_400) == "2026-03-01 10:00:00–2026-03-02 10:00:00Z"


def test_callers_without_arn_are_named_by_kind() -> None:
    nobody = alert(arns=[], identity_types=["AWSAccount", "AWSService"])
    assert format.principal(nobody) == "no ARN (AWSAccount, AWSService)"
    assert format.subject(nobody) == "Callers without an ARN (AWSAccount, AWSService)"


def test_principal_counts_further_callers() -> None:
    assert (
        format.principal(alert(arns=["arn:aws:iam::111122223333:user/a", "arn:aws:iam::1:user/b"]))
        == "user/a +1"
    )


def test_lines_say_why_then_and_new() -> None:
    told = alert(flags=("snapshot", "access-key"), denied=5, baseline=Baseline(since=START))
    assert why_line(told, None) == (
        "12 calls matching “Many regions” in 12 regions within 11 s, 5 of 12 denied, "
        "from 203.0.113.7 with aws-cli"
    )
    assert then_line(told, {}) == "nothing after it; before: snapshot (2), access key (2)"
    assert then_line(alert(), {}) == "no other activity within ±30 min"
    assert new_line(told) == "caller has no ARN or access key"


def test_why_names_different_calls() -> None:
    actions = ["GetSecretValue", "ListUsers", "ListRoles"]
    told = alert(regions=["ap-south-1"], columns={"Esql.event_action_values": actions})
    assert why_line(told, None).startswith(
        "3 different calls (GetSecretValue, ListUsers, ListRoles) in ap-south-1"
    )


def test_new_names_age_of_principal_and_unusual_regions() -> None:
    new = alert(
        at=7200 - 40,
        baseline=Baseline(
            since=START - 12 * 86_400 + 7140,
            principal_first=START + 7100,
            unused_regions=["region-1", "region-2"],
        ),
    )
    assert new_line(new) == (
        "key AKIA…0001 first seen 40 s earlier (12 d of history); "
        "2 of 12 regions never changed by this account before"
    )


def test_new_says_nothing_of_regions_where_history_is_short() -> None:
    short = alert(
        baseline=Baseline(since=START - 3600, principal_first=START - 9, unused_regions=REGIONS)
    )
    assert new_line(short) == "not enough history yet (1 h of 10 d needed)"


def test_risk_shows_its_sum() -> None:
    assert (
        format.risk_sum(
            alert(risk=Risk(56, "medium", [("rule", 21), ("snapshot", 50), ("benign", -15)]))
        )
        == "56, medium: rule 21 + snapshot 50 − benign 15"
    )
    assert format.risk_sum(alert()) == "21"


def test_why_names_the_facts_before_the_threshold() -> None:
    rule = load().get("393ef120-63d1-11ef-8e38-f661ea17fbce")
    assert why_line(alert(), rule) == (
        "DescribeInstances in 12 regions within 11 s, from 203.0.113.7 with aws-cli "
        "(threshold: ≥10 regions and ≥10 events in 30 s)"
    )


def test_why_reports_that_all_was_denied() -> None:
    assert "all 12 denied" in why_line(alert(denied=12), None)


@pytest.mark.parametrize(
    ("text", "cells", "shown"),
    [
        ("user/ana", 8, "user/ana"),
        ("role/inventory/ana", 9, "role…/ana"),
        ("role/inventory/ben", 9, "role…/ben"),
        ("abc", 2, "ab"),
    ],
)
def test_elided_text_keeps_both_ends(text: str, cells: int, shown: str) -> None:
    assert format.elide(text, cells) == shown


def test_network_comes_from_its_column() -> None:
    assert (
        format.network(
            alert(columns={"Esql.source_as_organization_name_values": ["EXAMPLE", "OTHER"]})
        )
        == "EXAMPLE +1"
    )
    assert format.network(alert(columns={"Esql.source_as_organization_name_values": None})) == "–"


def test_plural() -> None:
    assert [format.plural(1, "entry"), format.plural(2, "entry"), format.plural(1200, "alert")] == [
        "1 entry",
        "2 entries",
        "1,200 alerts",
    ]
