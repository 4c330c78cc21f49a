"""A log file that is not as its digest says is an alert of its own: evidence is missing or was changed."""

from __future__ import annotations

from collections.abc import Iterable

from detector.alert import Alert, Facets, RuleSummary, alert_id
from detector.store.completeness import Finding

RULES = {
    "missing": RuleSummary("7f0c1c86-5b0e-4d4e-9a67-2f1c8c1f6e01", "CloudTrail log file missing", "high", 73, False),
    "modified": RuleSummary("7f0c1c86-5b0e-4d4e-9a67-2f1c8c1f6e02", "CloudTrail log file modified", "critical", 99,
                            False),
}


def integrity_alerts(findings: Iterable[Finding]) -> list[Alert]:
    """An alert for each finding. Its times are those of the events that the file held, by its digest."""
    return [_alert(finding) for finding in findings]


def _alert(finding: Finding) -> Alert:
    rule = RULES[finding.kind]
    key = {"aws.s3.object.key": finding.key}
    facets = Facets(**{**{name: [] for name in Facets.__struct_fields__}, "denied": 0,  # type: ignore[arg-type]
                       "regions": [finding.region] if finding.region else [],
                       "accounts": [finding.account] if finding.account else []})
    return Alert(
        alert_id=alert_id(rule.id, finding.name, [finding.key]), rule=rule, window=None, key=dict(key),
        columns={**key, "log.file.path": finding.path, "digest.path": finding.digest}, event_ids=[],
        first_event=finding.oldest or 0, last_event=finding.newest or finding.oldest or 0, facets=facets, settled=True)
