"""Alerts as Detection Findings of OCSF."""

from __future__ import annotations

import json
from typing import Any

import pytest

from detector.delivery.ocsf import detection_finding
from detector.detection.alert import Handling, Risk
from detector.rules.rule_summary import AttackTechnique, RuleSummary
from tests.tui.build import ANA, START, alert

REQUIRED = {
    "activity_id",
    "category_uid",
    "class_uid",
    "cloud",
    "finding_info",
    "metadata",
    "severity_id",
    "time",
    "type_uid",
}
"""Attributes that OCSF 1.3.0 requires of a Detection Finding with the profile cloud."""
RULE = RuleSummary(
    "r",
    "Many regions",
    "low",
    21,
    False,
    [AttackTechnique("T1580", "Cloud", "TA0007", "Discovery")],
)


def test_finding_has_what_its_class_requires() -> None:
    finding = detection_finding(alert("a1", rule=RULE, risk=Risk(91, "high", [("rule", 21)])))
    assert finding.keys() >= REQUIRED
    assert (finding["class_uid"], finding["type_uid"]) == (2004, 200401)
    assert (finding["severity_id"], finding["risk_score"], finding["risk_level_id"]) == (4, 91, 3)
    assert (finding["start_time"], finding["end_time"]) == (START * 1000, (START + 11) * 1000)
    assert finding["finding_info"]["uid"] == finding["metadata"]["uid"] == "a1"
    assert finding["finding_info"]["attacks"] == [
        {
            "technique": {"uid": "T1580", "name": "Cloud"},
            "tactic": {"uid": "TA0007", "name": "Discovery"},
        }
    ]
    assert finding["evidences"][0]["actor"]["user"]["uid"] == ANA
    assert finding["unmapped"]["calls"] == 12
    assert json.loads(json.dumps(finding)) == finding


@pytest.mark.parametrize(
    ("changed", "activity", "status"),
    [
        ({}, 1, 1),
        ({"revision": 3}, 2, 1),
        ({"status": "acknowledged"}, 1, 2),
        ({"status": "closed"}, 3, 4),
        ({"suppressed_by": "s1"}, 1, 3),
    ],
)
def test_finding_says_what_became_of_it(
    changed: dict[str, Any], activity: int, status: int
) -> None:
    finding = detection_finding(alert(**changed))
    assert (finding["activity_id"], finding["status_id"]) == (activity, status)
    assert finding["type_uid"] == 200400 + activity


def test_escalated_finding_is_a_suspected_breach() -> None:
    finding = detection_finding(alert(handling=Handling("dana", 1, "escalated")))
    assert finding["is_suspected_breach"] is True
    assert finding["assignee"] == {"name": "dana"}
    assert "assignee" not in detection_finding(alert())
