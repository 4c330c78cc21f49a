"""Alerts as Detection Findings of the Open Cybersecurity Schema Framework (OCSF).

Source of the format: OCSF 1.3.0, class Detection Finding (2004) of category Findings (2).
"""

from __future__ import annotations

from typing import Any

from detector import __version__
from detector.cloudtrail.principal_name import principal_name
from detector.detection.alert import Alert, Status
from detector.inventory.inventory_files import current_inventory

_VERSION = "1.3.0"
_CLASS, _CATEGORY = 2004, 2
_CREATE, _UPDATE, _CLOSE = 1, 2, 3
_SEVERITIES = {"low": 2, "medium": 3, "high": 4, "critical": 5}
_RISK_LEVELS = {"low": 1, "medium": 2, "high": 3, "critical": 4}
_STATUSES: dict[Status, tuple[int, str]] = {
    "open": (1, "New"),
    "acknowledged": (2, "In Progress"),
    "closed": (4, "Resolved"),
}


def detection_finding(alert: Alert) -> dict[str, Any]:
    """Return an alert as a Detection Finding; times are in epoch milliseconds."""
    activity, activity_name = _activity(alert)
    status, status_name = _STATUSES[alert.status]
    if alert.suppressed_by:
        status, status_name = 3, "Suppressed"
    return {
        "class_uid": _CLASS,
        "class_name": "Detection Finding",
        "category_uid": _CATEGORY,
        "category_name": "Findings",
        "activity_id": activity,
        "activity_name": activity_name,
        "type_uid": _CLASS * 100 + activity,
        "severity_id": _SEVERITIES.get(alert.severity, 0),
        "severity": alert.severity.capitalize(),
        "risk_score": alert.score,
        "risk_level_id": _RISK_LEVELS.get(alert.severity, 0),
        "status_id": status,
        "status": status_name,
        "time": alert.last_event * 1000,
        "start_time": alert.first_event * 1000,
        "end_time": alert.last_event * 1000,
        "count": alert.event_count,
        "message": f"{alert.rule.name}: {principal_name(alert.principal) or 'no ARN'}",
        "metadata": {
            "version": _VERSION,
            "product": {"name": "trailhound", "vendor_name": "trailhound", "version": __version__},
            "uid": alert.alert_id,
            "profiles": ["cloud"],
        },
        "finding_info": {
            "uid": alert.alert_id,
            "title": alert.rule.name,
            "types": [flag.flag for flag in alert.flags],
            "first_seen_time": alert.first_event * 1000,
            "last_seen_time": alert.last_event * 1000,
            "analytic": {
                "uid": alert.rule.id,
                "name": alert.rule.name,
                "type_id": 1,
                "type": "Rule",
            },
            "attacks": [
                {
                    "technique": {"uid": each.id, "name": each.name},
                    "tactic": {"uid": each.tactic_id, "name": each.tactic},
                }
                for each in alert.rule.attack
            ],
            "related_events_count": alert.event_count,
        },
        "cloud": _cloud(alert),
        "evidences": _evidences(alert),
        "is_suspected_breach": alert.handling.verdict == "escalated",
        **_assignee(alert),
        "unmapped": alert.flat_core(),
    }


def _activity(alert: Alert) -> tuple[int, str]:
    if alert.status == "closed":
        return _CLOSE, "Close"
    if alert.revision > 1:
        return _UPDATE, "Update"
    return _CREATE, "Create"


def _cloud(alert: Alert) -> dict[str, Any]:
    inventory = current_inventory()
    cloud: dict[str, Any] = {"provider": "AWS"}
    if alert.account:
        cloud["account"] = {"uid": alert.account, "name": inventory.account(alert.account)}
    if len(alert.facets.regions) == 1:
        cloud["region"] = alert.facets.regions[0]
    return cloud


def _evidences(alert: Alert) -> list[dict[str, Any]]:
    """Return one evidence object for each principal, source address and access key."""
    facets = alert.facets
    users = [{"user": {"uid": arn, "name": principal_name(arn)}} for arn in facets.arns]
    return [
        *({"actor": user} for user in users),
        *({"src_endpoint": {"ip": address}} for address in facets.source_addresses),
        *({"actor": {"user": {"credential_uid": key}}} for key in facets.access_keys),
    ]


def _assignee(alert: Alert) -> dict[str, Any]:
    if not alert.assignee:
        return {}
    return {"assignee": {"name": alert.assignee}}
