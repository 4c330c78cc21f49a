"""ATT&CK Navigator layers: the techniques of the loaded rules, scored by their alerts.

Source of the format: layer file format 4.5 of MITRE's attack-navigator.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from detector import __version__
from detector.rules.rule import Rule
from detector.text.plural import plural

_LAYER_VERSION = "4.5"
_SILENT, _FIRED = "#cfe3f7", "#d7301f"


def navigator_layer(rules: Iterable[Rule], fired: Mapping[str, int]) -> dict[str, Any]:
    """Return the layer for ``rules``; ``fired`` maps rule ids to their numbers of alerts.

    A technique's score is the number of alerts of its rules."""
    rules_of: dict[tuple[str, str], list[Rule]] = {}
    for rule in rules:
        for technique in rule.attack:
            rules_of.setdefault((technique.id, _tactic(technique.tactic)), []).append(rule)
    techniques = [
        _technique(technique, tactic, rules_of[technique, tactic], fired)
        for technique, tactic in sorted(rules_of)
    ]
    return {
        "name": f"trailhound {__version__}: rules and alerts",
        "versions": {"layer": _LAYER_VERSION},
        "domain": "enterprise-attack",
        "description": "Techniques of the loaded rules; the score is the number of alerts.",
        "filters": {"platforms": ["IaaS", "Identity Provider"]},
        "techniques": techniques,
        "gradient": {
            "colors": [_SILENT, _FIRED],
            "minValue": 0,
            "maxValue": max([1, *(technique["score"] for technique in techniques)]),
        },
        "legendItems": [
            {"label": "a rule is loaded", "color": _SILENT},
            {"label": "most alerts", "color": _FIRED},
        ],
    }


def _technique(
    technique: str, tactic: str, rules: list[Rule], fired: Mapping[str, int]
) -> dict[str, Any]:
    distinct = {rule.rule_id: rule for rule in rules}
    return {
        "techniqueID": technique,
        "tactic": tactic,
        "score": sum(fired.get(rule_id, 0) for rule_id in distinct),
        "enabled": True,
        "metadata": [
            {"name": rule.name, "value": plural(fired.get(rule_id, 0), "alert")}
            for rule_id, rule in sorted(distinct.items())
        ],
    }


def _tactic(name: str) -> str:
    """Return the Navigator's short name of a tactic, such as ``credential-access``."""
    return "-".join(name.lower().split())
