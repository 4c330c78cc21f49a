"""Cost of more rules on the same files."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.corpus import write_trail
from benchmarks.process import TRAILHOUND, apart, measure
from benchmarks.report import Report, at_most
from benchmarks.scale import Scale

_BUILTIN = Path(__file__).parents[1] / "detector" / "rules" / "builtin"
_REFERENCE = "discovery_ec2_multi_region_describe_instances.toml"
_FIRST = "discovery_first_caller_identity.toml"
_DATASET = 'event.dataset: "aws.cloudtrail" and event.outcome: success'
_QUERIES = {
    "trail-stopped": "event.provider: cloudtrail.amazonaws.com and event.action: (StopLogging "
    "or DeleteTrail)",
    "detector-deleted": "event.provider: guardduty.amazonaws.com and event.action: "
    "(DeleteDetector or Update*)",
    "root-console": "event.action: ConsoleLogin and aws.cloudtrail.user_identity.type: Root",
    "group-opened": "event.provider: ec2.amazonaws.com and event.action: "
    "AuthorizeSecurityGroupIngress and "
    "aws.cloudtrail.request_parameters: *cidrIp=0.0.0.0/0*",
    "snapshot-shared": "event.action: ModifySnapshotAttribute and "
    "aws.cloudtrail.request_parameters: *add=*",
    "admin-attached": "event.action: Attach* and aws.cloudtrail.request_parameters: "
    "*AdministratorAccess*",
    "key-for-another": "event.action: CreateAccessKey and not user.target.name: *",
    "credential-file": "event.action: GetObject and "
    "aws.cloudtrail.flattened.request_parameters.key: "
    "(*/.aws/credentials or */id_rsa)",
    "function-changed": "event.provider: lambda.amazonaws.com and event.action: "
    "(CreateFunction* or UpdateFunction*)",
    "bucket-policy": "event.provider: s3.amazonaws.com and event.action: PutBucketPolicy",
}
_TERMS = {
    "new-role-user": (
        "event.action: AssumeRole and aws.cloudtrail.user_identity.type: IAMUser",
        "aws.cloudtrail.user_identity.arn",
    ),
    "new-federation": ("event.action: GetFederationToken", "user.id"),
    "new-trust": ("event.action: UpdateAssumeRolePolicy", "aws.cloudtrail.user_identity.arn"),
    "new-command": ("event.provider: ssm.amazonaws.com and event.action: SendCommand", "user.id"),
}
_THRESHOLDS = {
    "secrets": ("event.action: GetSecretValue", "user.id", 2000),
    "root-guesses": (
        "event.action: ConsoleLogin and aws.cloudtrail.user_identity.type: Root",
        "cloud.account.id",
        10,
    ),
}
_LOOKBACKS = {
    "miner": """| where event.action in ("RegisterTaskDefinition", "RunTask")
| stats made = sum(case(event.action == "RegisterTaskDefinition", 1, 0)),
    run = sum(case(event.action == "RunTask", 1, 0))
  by aws.cloudtrail.user_identity.arn
| where made >= 1 and run >= 1""",
    "invocations": """
| where event.provider == "lambda.amazonaws.com" and event.action like "Invoke*"
| stats n = count(*) by aws.cloudtrail.user_identity.arn
| where n >= 1000""",
    "countries": """
| where event.action == "ConsoleLogin" and aws.cloudtrail.user_identity.type == "IAMUser"
| stats n = count_distinct(source.geo.country_iso_code) by aws.cloudtrail.user_identity.arn
| where n >= 2""",
}


def rules(scale: Scale, folder: Path) -> Report:
    """The cost of twenty-five rules over that of one."""
    corpus = apart(write_trail, folder / "rules", scale.large)
    many = folder / "many"
    count = _write(many)
    base = [
        *TRAILHOUND,
        "scan",
        str(corpus.root),
        "--jobs",
        "1",
        "--format",
        "jsonl",
        "--no-builtin",
        "--rules",
    ]
    one, all_ = "one rule", f"{count} rules"
    measured = measure(
        {one: [*base, str(_BUILTIN / _REFERENCE)], all_: [*base, str(many)]},
        scale.rounds,
        folder / "home",
    )
    rows = [
        ("", "seconds", "records/s", "to one rule"),
        *(
            (
                name,
                f"{measured[name].seconds:.2f}",
                f"{corpus.records / measured[name].seconds:,.0f}",
                f"{measured[name].seconds / measured[one].seconds:.2f}×",
            )
            for name in (one, all_)
        ),
    ]
    return Report(
        f"More rules: {corpus}",
        rows,
        budgets=[
            at_most(
                f"{count} rules against one: time",
                2.0,
                measured[all_].seconds / measured[one].seconds,
            )
        ],
    )


def _write(folder: Path) -> int:
    """Write rule files of Elastic's kinds; return how many.

    Of these logs they say no more than the reference rule alone: an alert has a cost of its own,
    whatever rule gave it.
    """
    folder.mkdir()
    for path in _BUILTIN.glob("*.toml"):
        if path.name != _FIRST:
            (folder / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    for name, query in _QUERIES.items():
        _rule(folder, name, "query", f"{_DATASET} and {query}")
    for name, (query, field) in _TERMS.items():
        _rule(
            folder,
            name,
            "new_terms",
            f"{_DATASET} and {query}",
            f'new_terms_fields = ["{field}"]\nhistory_window_start = "now-10d"',
        )
    for name, (query, field, value) in _THRESHOLDS.items():
        _rule(
            folder,
            name,
            "threshold",
            f"{_DATASET} and {query}",
            f'[rule.threshold]\nfield = ["{field}"]\nvalue = {value}',
        )
    for name, query in _LOOKBACKS.items():
        _rule(folder, name, "esql", f"from logs-aws.cloudtrail-*\n{query}")
    return len(list(folder.iterdir()))


def _rule(folder: Path, name: str, type: str, query: str, more: str = "") -> None:
    language = "esql" if type == "esql" else "kuery"
    (folder / f"{name}.toml").write_text(
        f'[rule]\nrule_id = "{name}"\nname = "{name}"\ntype = "{type}"\n'
        f'language = "{language}"\nfrom = "now-60m"\n'
        f"query = {json.dumps(query)}\n{more}\n",
        encoding="utf-8",
    )
