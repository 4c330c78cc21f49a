"""The suppressions that may hide an alert, found by its scope values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from detector.detection.alert import Alert
from detector.triage.suppression import Scope, Suppression, apply_suppressions, scope_values

_EXACT: frozenset[Scope] = frozenset({"principal", "role", "access-key", "account"})
"""The scopes whose value is that of each alert, letter by letter."""


class SuppressionIndex:
    """Active suppressions, oldest first, by scope and value.

    However many there are, an alert is compared with those of its own values, and with those that
    are patterns or networks.
    """

    def __init__(self, active: Iterable[Suppression]) -> None:
        self._exact: dict[tuple[Scope, str], list[tuple[int, Suppression]]] = defaultdict(list)
        self._others: list[tuple[int, Suppression]] = []
        for number, suppression in enumerate(active):
            if suppression.scope in _EXACT:
                key = suppression.scope, suppression.value
                self._exact[key].append((number, suppression))
            else:
                self._others.append((number, suppression))

    def candidates(self, alert: Alert) -> list[Suppression]:
        """Return the suppressions that may match an alert, oldest first."""
        candidates = self._others.copy()
        if self._exact:
            # An alert with several values is in no exact scope, so that the first one will do.
            for scope_and_value in scope_values(alert).items():
                candidates += self._exact.get(scope_and_value, ())
        return [suppression for _, suppression in sorted(candidates, key=lambda pair: pair[0])]

    def judge(self, alert: Alert) -> Alert:
        """Return an alert as hidden, or with what breaks through the suppressions."""
        candidates = self.candidates(alert)
        return apply_suppressions(alert, candidates) if candidates else alert
