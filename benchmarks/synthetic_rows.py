"""Made-up alerts and calls as the app holds them in memory."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.rule import NEEDED, WINDOW
from detector.detection.alert import Alert, AlertContext, Flag, Lifecycle
from detector.detection.event import Event, Position
from detector.detection.finding import Facets, Finding, Window
from detector.investigation.pivot import EventRow
from detector.rules.rule_summary import RuleSummary
from detector.simulate.organization import ACCOUNTS, REGIONS, START

_PRINCIPALS = 5_000
_ACCOUNTS = tuple(ACCOUNTS)
_ACTIONS = (
    "DescribeInstances",
    "DescribeVolumes",
    "GetCallerIdentity",
    "ListBuckets",
    "DescribeSecurityGroups",
)
_AGENTS = ("aws-cli/2.17.32 md/awscrt#0.20.11 os/linux#6.8", "Boto3/1.40.21 md/Botocore#1.40.21")
SEVERITIES = ("low", "low", "low", "medium", "high")


def alerts(first: int, count: int) -> Iterator[Alert]:
    """Yield sweeps, numbered from ``first``, one window apart.

    They come from a few thousand principals in rotation.
    """
    for number in range(first, first + count):
        time, who = START + WINDOW * number, number % _PRINCIPALS
        account = _ACCOUNTS[who % len(_ACCOUNTS)]
        arn = f"arn:aws:iam::{account}:user/held-{who:04d}"
        finding = Finding(
            alert_id=f"{number:020x}",
            rule=RuleSummary(
                "393ef120-63d1-11ef-8e38-f661ea17fbce",
                "EC2 instances listed in many regions",
                SEVERITIES[number % len(SEVERITIES)],
                21,
                True,
            ),
            window=Window("tumbling", time, time + 30),
            key={"aws.cloudtrail.user_identity.arn": arn},
            columns={
                "Esql.cloud_region_count_distinct": NEEDED,
                "Esql.cloud_region_values": list(REGIONS[:NEEDED]),
            },
            event_ids=[
                f"{number:08x}-{index:04x}-4d3a-8b7c-0123456789ab" for index in range(NEEDED)
            ],
            first_event=time + 2,
            last_event=time + 2 + NEEDED,
            facets=Facets(
                regions=list(REGIONS[:NEEDED]),
                accounts=[account],
                arns=[arn],
                roles=[],
                access_keys=[f"AKIAHELD{who:012d}"],
                identity_types=["IAMUser"],
                source_addresses=[f"198.51.100.{who % 250}"],
                user_agents=[_AGENTS[who % len(_AGENTS)]],
                error_codes=[],
                denied=0,
            ),
        )
        context = AlertContext([Flag("tool-tell", 1, time, time)])
        yield Alert(finding, context, Lifecycle(settled=True))


def calls(first: int, count: int) -> Iterator[EventRow]:
    """Yield calls of one principal, numbered from ``first``, one second apart."""
    account = _ACCOUNTS[0]
    arn = f"arn:aws:iam::{account}:user/busy"
    for number in range(first, first + count):
        event = Event(
            account=account,
            event_id=f"{number:08x}-5a5a-4d3a-8b7c-0123456789ab",
            time=START + number,
            provider="ec2.amazonaws.com",
            action=f"{_ACTIONS[number % len(_ACTIONS)]}",
            region=f"{REGIONS[number % len(REGIONS)]}",
            source_address=f"198.51.100.{number % 250}",
            user_agent=f"{_AGENTS[number % len(_AGENTS)]}",
            error_code="",
            identity_type="IAMUser",
            arn=f"{arn}",
            access_key="AKIABUSY000000000001",
            role_arn="",
            caller_account=account,
            mfa="",
            issued_key="",
            position=Position(f"AWSLogs/{number // 500:06d}.json.gz", 0, number % 500),
        )
        yield EventRow(event, (), False).without_json()
