"""Rules of every kind that has a threshold or a window, as files."""

from __future__ import annotations

from pathlib import Path

RULE_ID = "11111111-2222-4333-8444-555555555555"
_HEAD = f"""[rule]
rule_id = "{RULE_ID}"
name = "A rule"
"""
WINDOW = (
    _HEAD
    + """type = "esql"
language = "esql"
query = '''
from logs-aws.cloudtrail-*
| where event.action == "DescribeInstances"
| eval w = date_trunc(30 seconds, @timestamp)
| keep w, cloud.region, source.ip, aws.cloudtrail.user_identity.arn
| stats regions = count_distinct(cloud.region), n = count(*), v = values(cloud.region)
  by w, aws.cloudtrail.user_identity.arn
| where regions >= 9 and n > 8
'''
"""
)
SEVERAL_VALUES = (
    _HEAD
    + """type = "esql"
language = "esql"
query = '''
from logs-aws.cloudtrail-*
| where event.action == "DescribeInstances"
| eval w = date_trunc(30 seconds, @timestamp),
    place = coalesce(cloud.region, aws.cloudtrail.resources.arn)
| stats places = count_distinct(place) by w, aws.cloudtrail.user_identity.arn
| where places > 8
'''
"""
)
LOOKBACK = (
    _HEAD
    + """type = "esql"
language = "esql"
from = "now-1m"
query = '''
from logs-aws.cloudtrail-*
| where event.action == "DescribeInstances"
| stats n = count(*), a = min(@timestamp), b = max(@timestamp) by source.ip
| eval span = date_diff("seconds", a, b)
| where n >= 9 and span > 4
'''
"""
)
FEW = (
    _HEAD
    + """type = "esql"
language = "esql"
from = "now-1m"
query = '''
from logs-aws.cloudtrail-*
| where event.action == "DescribeInstances"
| stats n = count(*) by b = bucket(@timestamp, 20 seconds), aws.cloudtrail.user_identity.arn
| where n <= 8
'''
"""
)
FILTERED = (
    _HEAD
    + """type = "esql"
language = "esql"
query = '''
from logs-aws.cloudtrail-*
| eval m = length(cloud.region)
| where m >= 10
| stats n = count(*) by b = bucket(@timestamp, 20 seconds), aws.cloudtrail.user_identity.arn
| where n >= 8
'''
"""
)
THRESHOLD = (
    _HEAD
    + """type = "threshold"
language = "kuery"
from = "now-40s"
query = 'event.action : "DescribeInstances"'
[rule.threshold]
field = ["aws.cloudtrail.user_identity.arn"]
value = 8
[[rule.threshold.cardinality]]
field = "cloud.region"
value = 9
"""
)
MERGED = (
    _HEAD
    + """type = "threshold"
language = "kuery"
from = "now-20s"
query = 'event.action : "DescribeInstances"'
threshold = { field = ["aws.cloudtrail.user_identity.arn"], value = 6 }
[rule.alert_suppression]
group_by = ["aws.cloudtrail.user_identity.arn"]
duration = { value = 40, unit = "s" }
"""
)
SEQUENCE = (
    _HEAD
    + """type = "eql"
language = "eql"
query = '''
sequence by source.ip with maxspan=20s
  [any where cloud.region == "ap-northeast-1"]
  [any where cloud.region : ("ap-south-1", "eu-*")] with runs=2
'''
"""
)
NEW_TERMS = (
    _HEAD
    + """type = "new_terms"
language = "kuery"
query = 'event.action : "DescribeInstances"'
new_terms_fields = ["cloud.region"]
history_window_start = "now-30s"
"""
)
SIGMA = f"""title: Regions
id: {RULE_ID}
correlation:
  type: value_count
  rules: [listed]
  group-by: [userIdentity.arn]
  timespan: 30s
  condition:
    field: awsRegion
    gte: 9
---
title: Listed
name: listed
logsource: {{product: aws, service: cloudtrail}}
detection:
  selection: {{eventName: DescribeInstances}}
  condition: selection
"""
RANGED = (
    _HEAD
    + """type = "threshold"
language = "kuery"
from = "now-40s"
query = 'event.action : "DescribeInstances" and cloud.account.id >= 1 and not cloud.region: "1"'
[rule.threshold]
field = ["source.ip"]
value = 8
"""
)
SUPPRESSED = (
    _HEAD
    + """type = "query"
language = "kuery"
query = 'event.action : "DescribeInstances"'
[rule.alert_suppression]
group_by = ["source.ip"]
duration = { value = 20, unit = "s" }
"""
)
SIGMA_RANGE = f"""title: Large
id: {RULE_ID}
logsource: {{product: aws, service: cloudtrail}}
detection:
  selection:
    - eventName: DescribeInstances
      recipientAccountId|gte: 7
    - eventName: Nothing
  condition: selection
"""
KINDS = {
    "window": WINDOW,
    "several values": SEVERAL_VALUES,
    "lookback": LOOKBACK,
    "few": FEW,
    "filtered": FILTERED,
    "threshold": THRESHOLD,
    "merged": MERGED,
    "sequence": SEQUENCE,
    "new terms": NEW_TERMS,
    "sigma": SIGMA,
    "ranged": RANGED,
    "suppressed": SUPPRESSED,
    "sigma range": SIGMA_RANGE,
}


def write_kind(folder: Path, kind: str, text: str | None = None) -> Path:
    """Write the file of a rule; ``text`` in the place of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    suffix = ".yml" if kind.startswith("sigma") else ".toml"
    path = folder / f"rule{suffix}"
    path.write_text(text if text is not None else KINDS[kind], encoding="utf-8")
    return path
