"""Alerts about log files that are missing or modified according to CloudTrail's digest files.

Such an alert has no events. Its times are those of the file's events as the digest states them.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from detector.cloudtrail.object_key import trail_file
from detector.detection.alert import Alert, Lifecycle
from detector.detection.finding import Facets, Finding, alert_id
from detector.rules.rule_summary import RuleSummary


class IntegrityFinding(msgspec.Struct, frozen=True):
    """A log file that does not match its digest.

    ``oldest`` and ``newest`` span its event times, in epoch seconds."""

    kind: Literal["missing", "modified"]
    name: str
    key: str
    digest: str
    account: str
    region: str
    oldest: int | None
    newest: int | None
    path: str | None = None

    def __str__(self) -> str:
        file = self.key if self.path is None else self.path
        return f"{self.kind}: {file}: {_EXPLANATIONS[self.kind].format(self.digest)}"


INTEGRITY_RULES = {
    "missing": RuleSummary(
        "7f0c1c86-5b0e-4d4e-9a67-2f1c8c1f6e01", "CloudTrail log file missing", "high", 73, False
    ),
    "modified": RuleSummary(
        "7f0c1c86-5b0e-4d4e-9a67-2f1c8c1f6e02",
        "CloudTrail log file modified",
        "critical",
        99,
        False,
    ),
}
_EXPLANATIONS = {
    "missing": "listed in its digest but not found: download it again, "
    "or find out who deleted it; digest: {}",
    "modified": "does not match its digest: download it again, "
    "or find out who changed it; digest: {}",
}
_KINDS = {rule.id: kind for kind, rule in INTEGRITY_RULES.items()}
OBJECT_KEY_FIELD, _DIGEST_COLUMN = "aws.s3.object.key", "digest.path"


def integrity_alert(finding: IntegrityFinding) -> Alert:
    """Return the alert for a finding; its id depends on the rule and the file alone."""
    rule = INTEGRITY_RULES[finding.kind]
    facets = Facets.of([])
    file = trail_file(finding.name)
    if file:
        facets = msgspec.structs.replace(facets, regions=[file.region], accounts=[file.account])
    first = finding.oldest or finding.newest or (file.delivered if file else 0)
    found = Finding(
        alert_id=alert_id(rule.id, finding.name, [finding.key]),
        rule=rule,
        window=None,
        key={OBJECT_KEY_FIELD: finding.key},
        columns={
            OBJECT_KEY_FIELD: finding.key,
            "log.file.path": finding.path,
            _DIGEST_COLUMN: finding.digest,
        },
        event_ids=[],
        first_event=first,
        last_event=max(first, finding.newest or 0),
        facets=facets,
    )
    return Alert(found, lifecycle=Lifecycle(settled=True))


def integrity_sentence(alert: Alert) -> str | None:
    """Describe an alert about a log file; None for other alerts."""
    kind = _KINDS.get(alert.rule.id)
    if kind is None:
        return None
    explanation = _EXPLANATIONS[kind].format(alert.columns.get(_DIGEST_COLUMN))
    return f"Log file {kind}: {log_file_name(alert)}: {explanation}"


def log_file_name(alert: Alert) -> str | None:
    """Return the name of the log file that an alert is about; None for other alerts."""
    if alert.rule.id not in _KINDS:
        return None
    return str(alert.key.get(OBJECT_KEY_FIELD)).rpartition("/")[2]
