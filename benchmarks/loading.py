"""Loading a team's rule files, the first time and from the cache of compiled rules."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.process import PYTHON, TRAILHOUND, Run, run
from benchmarks.report import Report, at_most
from benchmarks.scale import Scale

_FILES = 1000
_LIMIT = 2.0
_PARSED_ALONE = (
    "import sys, tomllib, pathlib\n"
    "[tomllib.loads(path.read_text()) for path in pathlib.Path(sys.argv[1]).iterdir()]"
)
_RULE = """[metadata]
creation_date = "2026/01/01"
integration = ["aws"]

[rule]
rule_id = "generated-{number}"
name = "Generated rule {number}"
description = "A rule as teams have them."
type = "{type}"
language = "{language}"
from = "now-6m"
index = ["filebeat-*", "logs-aws.cloudtrail-*"]
severity = "medium"
risk_score = 47
note = \"\"\"{note}\"\"\"
references = ["https://docs.aws.amazon.com/cloudtrail/"]
tags = ["Domain: Cloud", "Data Source: AWS CloudTrail", "Use Case: Threat Detection"]
query = '''
{query}
'''
{more}
[[rule.threat]]
framework = "MITRE ATT&CK"
[rule.threat.tactic]
id = "TA0007"
name = "Discovery"
reference = "https://attack.mitre.org/tactics/TA0007/"
[[rule.threat.technique]]
id = "T1580"
name = "Cloud Infrastructure Discovery"
reference = "https://attack.mitre.org/techniques/T1580/"
"""
_NOTE = "## Triage\\n\\n" + "Look at what the caller did before and after, and from where.\\n" * 60
_CONDITION = (
    'event.dataset: "aws.cloudtrail" and event.provider: "ec2.amazonaws.com" and event.action: '
    '(DescribeInstances or Run{number}*) and event.outcome: "success" and not '
    'user_agent.original: (*Terraform* or "aws-internal") and not user.name: ("a-{number}" or b)'
)
_ESQL = """from logs-aws.cloudtrail-* metadata _id, _version, _index
| where event.dataset == "aws.cloudtrail" and event.provider == "ec2.amazonaws.com"
    and event.action in ("DescribeInstances", "Run{number}") and user.name != "a-{number}"
| eval Esql.window = date_trunc(30 seconds, @timestamp)
| stats Esql.regions = count_distinct(cloud.region), Esql.events = count(*),
    Esql.agents = values(user_agent.original) by Esql.window, aws.cloudtrail.user_identity.arn
| where Esql.regions >= 10 and Esql.events >= 10
| keep Esql.*, aws.cloudtrail.user_identity.arn"""
_EQL = """any where event.dataset == "aws.cloudtrail" and event.provider == "ec2.amazonaws.com"
  and event.action in ("DescribeInstances", "Run{number}") and event.outcome == "success"
  and not stringContains(user_agent.original, "Terraform {number}")"""
_LUCENE = (
    "event.provider:ec2.amazonaws.com AND event.action:(DescribeInstances OR Run{number}*) "
    "AND NOT user.name:a-{number}"
)
_FORMS: Sequence[tuple[str, str, str, str]] = (
    ("query", "kuery", _CONDITION, ""),
    ("query", "kuery", _CONDITION, ""),
    (
        "new_terms",
        "kuery",
        _CONDITION,
        'new_terms_fields = ["user.name"]\nhistory_window_start = "now-7d"\n',
    ),
    ("threshold", "kuery", _CONDITION, 'threshold = { field = ["user.name"], value = 20 }\n'),
    ("esql", "esql", _ESQL, ""),
    ("eql", "eql", _EQL, ""),
    ("query", "lucene", _LUCENE, ""),
)
"""Rule types with their languages and queries, in the proportions that teams have."""


def loading(scale: Scale, folder: Path) -> Report:
    """Loading of a thousand rule files, first and again."""
    rules = folder / "rules"
    _write_rules(rules)
    firsts, laters = [], []
    for number in range(scale.rounds):
        cache = folder / f"cache-{number}"
        firsts.append(_load(rules, cache, folder))
        laters.append(_load(rules, cache, folder))
    alone = min(
        (run([PYTHON, "-c", _PARSED_ALONE, str(rules)], folder) for _ in range(scale.rounds)),
        key=_seconds,
    )
    first, later = min(firsts, key=_seconds), min(laters, key=_seconds)
    rows = [
        (f"{_FILES:,} rule files", "time", "CPU", "to tomllib alone"),
        *(
            (name, f"{it.seconds:.2f} s", f"{it.cpu:.2f} s", f"{it.cpu / alone.cpu:.2f}×")
            for name, it in (
                ("parsed by tomllib, no more", alone),
                ("rules list, for the first time", first),
                ("rules list, again", later),
            )
        ),
    ]
    budgets = [at_most("loading 1,000 rule files", _LIMIT, first.seconds, "{:.2f} s")]
    return Report("Loading rules", rows, budgets=budgets)


def _seconds(measured: Run) -> float:
    return measured.seconds


def _load(rules: Path, cache: Path, home: Path) -> Run:
    """List the rules, with the cache of compiled rules in ``cache``."""
    command = [*TRAILHOUND, "rules", "list", "--no-builtin", "--rules", os.fspath(rules)]
    return run(["env", f"XDG_CACHE_HOME={cache}", *command], home)


def _write_rules(folder: Path) -> None:
    folder.mkdir()
    for number, text in enumerate(_rules()):
        (folder / f"rule-{number:04d}.toml").write_text(text, encoding="utf-8")


def _rules() -> Iterator[str]:
    for number in range(_FILES):
        type, language, query, more = _FORMS[number % len(_FORMS)]
        yield _RULE.format(
            number=number,
            type=type,
            language=language,
            note=_NOTE,
            query=query.replace("{number}", str(number)),
            more=more,
        )
