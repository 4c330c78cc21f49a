"""What the analyst decided on rules, and what each has found so far."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from detector.store.alert_table import Alerts
from detector.store.undo_journal import Journal, Wanted


class RuleCount(msgspec.Struct, frozen=True):
    """``hits`` are events in its windows (one with several keys counts for each), ``alerts`` what
    came of them."""

    hits: int = 0
    alerts: int = 0


class ByRule(Alerts, Journal):
    """The part of the store that speaks of rules."""

    def rules_off(self) -> frozenset[str]:
        """Ids of the rules that the analyst switched off. What they had found stays."""
        return frozenset(rule_id for (rule_id,) in self._rows("SELECT rule_id FROM rule_off"))

    def switch_rules(self, rule_ids: Sequence[str], on: bool) -> None:
        """Search by these rules, or no more. A pipeline takes it up with its next ``use``."""
        state = "on" if on else "off"
        with self._writing() as db:
            self._decide(
                db,
                f"rule {state}",
                [
                    Wanted(
                        "rule",
                        rule_id,
                        state,
                        self._rules[rule_id].name if rule_id in self._rules else rule_id,
                    )
                    for rule_id in rule_ids
                ],
            )

    def rule_counts(self) -> dict[str, RuleCount]:
        """By rule id; a rule that has found nothing is not there."""
        hits = dict(
            self._rows(
                "SELECT rule_id, count(*) FROM series JOIN hit USING (series_id) GROUP BY rule_id"
            )
        )
        alerts = dict(
            self._rows(
                "SELECT rule_id, count(*) FROM series JOIN alert USING (series_id) GROUP BY rule_id"
            )
        )
        return {
            rule_id: RuleCount(hits.get(rule_id, 0), alerts.get(rule_id, 0))
            for rule_id in hits | alerts
        }

    def flag_counts(self) -> dict[str, int]:
        """How many events speak of alerts near them, by flag."""
        return dict(self._rows("SELECT flag, count(DISTINCT identity) FROM signal GROUP BY flag"))
