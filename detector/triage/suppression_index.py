"""An index of suppressions by scope value, to find those that may hide an alert."""

from __future__ import annotations

from collections.abc import Iterable

from detector.detection.alert import Alert
from detector.triage.suppression import SCOPE_VALUES, Scope, Suppression, apply_suppressions

_EXACT: frozenset[Scope] = frozenset({"principal", "role", "access-key", "account"})
"""The scopes in which a suppression's value must equal the alert's."""


class SuppressionIndex:
    """Active suppressions, oldest first, by scope and value.

    However many there are, an alert is compared only with suppressions of its own values, and with
    those that are patterns or networks.
    """

    def __init__(self, active: Iterable[Suppression]) -> None:
        self._exact: dict[Scope, dict[str, list[tuple[int, Suppression]]]] = {}
        self._others: list[tuple[int, Suppression]] = []
        for number, suppression in enumerate(active):
            if suppression.scope in _EXACT:
                by_value = self._exact.setdefault(suppression.scope, {})
                by_value.setdefault(suppression.value, []).append((number, suppression))
            else:
                self._others.append((number, suppression))

    def candidates(self, alert: Alert) -> list[Suppression]:
        """Return the suppressions that may match an alert, oldest first."""
        candidates = self._others.copy()
        for scope, by_value in self._exact.items():
            values = SCOPE_VALUES[scope](alert.finding.facets)
            if len(values) == 1:  # an alert with several values is in no exact scope
                candidates += by_value.get(values[0], ())
        return [suppression for _, suppression in sorted(candidates)]  # numbers are unique

    def judge(self, alert: Alert) -> Alert:
        """Return an alert as hidden, or with the novelties that override its suppressions."""
        candidates = self.candidates(alert)
        return apply_suppressions(alert, candidates) if candidates else alert
