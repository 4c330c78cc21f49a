"""A log file that is not as its digest says is an alert of its own: evidence is missing or was changed.

Such an alert rests on no events. Its times are those of the events that the file held, by its digest.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from detector.cloudtrail.object_key import trail_file
from detector.detection.alert import Alert, Facets, alert_id
from detector.rules.rule_summary import RuleSummary


class IntegrityFinding(msgspec.Struct, frozen=True):
    """A log file that is not as its digest says. ``oldest`` and ``newest`` span its event times, in
    epoch seconds."""

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
        return f"{self.kind}: {self.key if self.path is None else self.path}: {_WHY[self.kind].format(self.digest)}"


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
_WHY = {
    "missing": "its digest names it, but it was not found: fetch it again, or find out who deleted it; digest: {}",
    "modified": "not what CloudTrail delivered, by its digest: fetch it again, or find out who changed it; digest: {}",
}
_KINDS = {rule.id: kind for kind, rule in INTEGRITY_RULES.items()}
OBJECT_KEY_FIELD, _DIGEST = "aws.s3.object.key", "digest.path"


def integrity_alert(finding: IntegrityFinding) -> Alert:
    """The alert for a finding: the same file gives the same id."""
    rule = INTEGRITY_RULES[finding.kind]
    key = {OBJECT_KEY_FIELD: finding.key}
    facets = Facets.of([])
    if file := trail_file(finding.name):
        facets = msgspec.structs.replace(facets, regions=[file.region], accounts=[file.account])
    first = finding.oldest or finding.newest or (file.delivered if file else 0)
    return Alert(
        alert_id=alert_id(rule.id, finding.name, [finding.key]),
        rule=rule,
        window=None,
        key=dict(key),
        columns={**key, "log.file.path": finding.path, _DIGEST: finding.digest},
        event_ids=[],
        first_event=first,
        last_event=max(first, finding.newest or 0),
        facets=facets,
        settled=True,
    )


def integrity_sentence(alert: Alert) -> str | None:
    """What an alert says of a log file, in a sentence; None where it is one of calls."""
    kind = _KINDS.get(alert.rule.id)
    return (
        kind
        and f"Log file {kind}: {log_file_name(alert)}: {_WHY[kind].format(alert.columns.get(_DIGEST))}"
    )


def log_file_name(alert: Alert) -> str | None:
    """The log file that an alert is about, by its own name; None where it is one of calls."""
    return (
        str(alert.key.get(OBJECT_KEY_FIELD)).rpartition("/")[2] if alert.rule.id in _KINDS else None
    )
