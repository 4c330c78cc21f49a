"""Measures how well rules work, by the outcomes of their alerts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

import msgspec

from detector.detection.alert import Alert
from detector.detection.baseline import principal_of
from detector.esql.functions.median import median_of
from detector.text.abbreviations import short_arn
from detector.triage.note import UNDECIDED, Note
from detector.workbench.backtest import Precision

_MOSTLY = 0.5
_FEWEST = 5
"""The minimum number of alerts for which a principal's share is meaningful."""


class RulePerformance(msgspec.Struct, frozen=True):
    """The outcomes of a rule's alerts.

    ``verdicts`` counts the current verdicts. ``seconds_to_verdict`` is the median time from an
    alert's last event to its first decisive note. ``largest`` is the principal, or role, with most
    alerts."""

    alerts: int
    principals: int
    suppressed: int
    verdicts: dict[str, int]
    precision: Precision
    seconds_to_verdict: int | None
    largest: str
    largest_alerts: int

    @property
    def hint(self) -> str:
        """The principal that causes most alerts: ``role/audit makes 84% of them``, or ``""``."""
        share = self.largest_alerts / self.alerts
        if self.alerts < _FEWEST or share < _MOSTLY or not self.largest:
            return ""
        return f"{short_arn(self.largest)} makes {share:.0%} of them"

    def as_json(self) -> dict[str, Any]:
        """Return the fields that this adds to a rule's JSON object."""
        share = self.precision.share
        return {
            "principals": self.principals,
            "suppressed": self.suppressed,
            "verdicts": self.verdicts,
            "precision": None if share is None else round(share, 4),
            "seconds_to_verdict": self.seconds_to_verdict,
            "hint": self.hint or None,
        }


def rule_performance(alerts: Iterable[Alert], notes: Iterable[Note]) -> dict[str, RulePerformance]:
    """Return the performance of each rule that has alerts, by rule id."""
    decided: dict[str, float] = {}
    for note in sorted(notes, key=lambda each: each.created):
        if note.body.verdict != UNDECIDED:
            decided.setdefault(note.alert_id, note.created)
    by_rule: dict[str, list[Alert]] = defaultdict(list)
    for alert in alerts:
        by_rule[alert.rule.id].append(alert)
    return {rule_id: _performance(of_rule, decided) for rule_id, of_rule in by_rule.items()}


def _performance(alerts: list[Alert], decided: dict[str, float]) -> RulePerformance:
    verdicts = Counter(alert.handling.verdict for alert in alerts if alert.handling.verdict)
    waits = [
        max(0.0, decided[alert.alert_id] - alert.last_event)
        for alert in alerts
        if alert.alert_id in decided
    ]
    callers = Counter(principal_of(alert.principal) for alert in alerts)
    (largest, count), *_ = callers.most_common(1)
    return RulePerformance(
        alerts=len(alerts),
        principals=len({alert.principal for alert in alerts}),
        suppressed=sum(alert.suppressed_by is not None for alert in alerts),
        verdicts=dict(sorted(verdicts.items())),
        precision=Precision.of(verdicts.elements()),
        seconds_to_verdict=int(median_of(waits)) if waits else None,
        largest=largest,
        largest_alerts=count,
    )
