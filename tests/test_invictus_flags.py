"""The context of two steps of a real attack, published by invictus-ir.

Each event was checked by hand once. The reference rule finds nothing there, since the attack stays
in one region, so two rules of these tests raise the alerts. TRAILHOUND_DATA names the folder of the
files.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from detector.detection.alert import Alert
from detector.rules.ruleset import load
from detector.store import Store
from detector.text.time import format_time
from tests.detector.detection.test_correlate import BUILTIN
from tests.detector.trail import scan
from tests.test_invictus import DATA

RULE = '''[rule]
name = "{name}"
rule_id = "{name}"
type = "esql"
language = "esql"
query = """
from logs-aws.cloudtrail-* | where {where}
"""
'''
RULES = {
    "passwords": 'event.action == "GetPasswordData" | stats n = count(*) by '
    "time_window = date_trunc(30 seconds, @timestamp), aws.cloudtrail.user_identity.arn "
    "| where n >= 10",
    "instance": 'event.action == "DescribeInstances" and aws.cloudtrail.user_identity.arn like '
    '"*stratus-red-team-ec2-steal-credentials-role*"',
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, dict[str, Alert]]]:
    if not DATA.is_dir():
        pytest.skip(f"no folder {DATA}: TRAILHOUND_DATA names the one that holds invictus-ir")
    folder: Path = tmp_path_factory.mktemp("rules")
    for name, where in RULES.items():
        (folder / f"{name}.toml").write_text(RULE.format(name=name, where=where), encoding="utf-8")
    with closing(Store.open(None)) as store:
        run = scan(DATA, store=store, by=load([folder, BUILTIN / "flags"], builtin=False))
        yield store, {alert.rule.name: alert for alert in run.alerts}


def events(store: Store, alert: Alert, flag: str) -> list[tuple[str, str]]:
    return sorted(
        (format_time(event.time)[11:19], event.action)
        for event in store.context.signals(alert.alert_id)[flag]
    )


def test_role_session_leads_to_its_opener(
    found: tuple[Store, dict[str, Alert]],
) -> None:
    store, alerts = found
    alert = alerts["passwords"]
    assert alert.principal.endswith(
        ":assumed-role/stratus-red-team-ec2-get-password-data-role/aws-go-sdk-1688990082523310002"
    )
    assert store.alerts.lineage(alert.alert_id).hop.arns == [
        "arn:aws:iam::123837392027:user/bert-jan"
    ]
    assert {flag.flag: flag.count for flag in alert.flags} == {
        "access-key": 2,
        "iam-change": 60,
        "image-export": 2,
        "snapshot": 6,
        "instance-start": 2,
        "session-start": 1,
        "denied-calls": 29,
        "s3-write": 13,
        "caller-identity": 11,
        "other-enumeration": 1391,
        "role-assumption": 10,
        "tool-tell": 29,
    }
    assert events(store, alert, "snapshot") == [
        ("12:10:36", "CreateSnapshot"),
        ("12:11:27", "CreateSnapshot"),
        ("12:11:28", "ModifySnapshotAttribute"),
        ("12:11:57", "ModifySnapshotAttribute"),
        ("12:19:39", "CreateDBSnapshot"),
        ("12:22:06", "ModifyDBSnapshotAttribute"),
    ]
    assert events(store, alert, "image-export") == [
        ("12:11:01", "ModifyImageAttribute"),
        ("12:11:57", "ModifyImageAttribute"),
    ]
    assert events(store, alert, "access-key") == [
        ("12:24:29", "CreateAccessKey"),
        ("12:24:50", "CreateAccessKey"),
    ]
    assert events(store, alert, "instance-start") == [
        ("11:55:21", "RunInstances"),
        ("12:03:24", "RunInstances"),
    ]
    assert events(store, alert, "session-start") == [("11:57:16", "SendCommand")]
    assert (alert.score, alert.severity) == (100, "critical")


def test_stolen_instance_credentials(found: tuple[Store, dict[str, Alert]]) -> None:
    store, alerts = found
    alert = alerts["instance"]
    assert {flag.flag for flag in alert.flags} == {
        "caller-identity",
        "other-enumeration",
        "role-assumption",
    }
    assert events(store, alert, "caller-identity") == [("11:57:22", "GetCallerIdentity")]
    assert events(store, alert, "other-enumeration") == [
        ("11:57:45", "GetDocument"),
        ("11:57:45", "ListInstanceAssociations"),
        ("12:07:39", "ListInstanceAssociations"),
    ]
    # EC2 itself opened the session, in the service's name: it has no ARN, and so nobody is one step
    # away.
    [opened] = store.context.signals(alert.alert_id)["role-assumption"]
    assert (opened.action, opened.arn, opened.issued_key) == (
        "AssumeRole",
        "",
        alert.facets.access_keys[0],
    )
    assert store.alerts.lineage(alert.alert_id).hop.arns == []
