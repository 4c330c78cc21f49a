"""Alerts that stand together as one row: a sweep, or the sweeps of one principal that come in a rhythm."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from detector.alert import Alert
from detector.sweeps import Rhythm, recurring, sweeps


@dataclass(frozen=True)
class Together:
    """``ids`` are the alerts in order of time, more than one; ``lead`` is the worst of the newest sweep."""

    ids: tuple[str, ...]
    lead: str
    rhythm: Rhythm

    @property
    def name(self) -> str:
        """The id of its first alert, which stays as others come."""
        return self.ids[0]

    def __str__(self) -> str:
        """``every hour, 17 regions, 31 times``; of one sweep how many alerts it has."""
        return str(self.rhythm) if self.rhythm.times > 1 else f"{len(self.ids)} alerts of one sweep"


class SweepRows:
    """Which of the alerts given to ``fold`` are one row now. Rows are known by ``key`` while alerts come and go."""

    def __init__(self) -> None:
        self._shape: list[tuple[str, int, str]] = []
        self._of: dict[str, Together] = {}
        self._unfolded = False
        self._turned: set[str] = set()
        """The rows that are not as most are."""
        self._alerts: dict[str, Alert] = {}

    def fold(self, alerts: Sequence[Alert]) -> list[Alert]:
        """The alerts, those of a folded row by its lead only."""
        self._alerts = {alert.alert_id: alert for alert in alerts}
        shape = [(alert.alert_id, alert.revision, alert.severity) for alert in alerts]
        if shape != self._shape:
            self._shape, self._of = shape, {name: row for row in _together(alerts) for name in row.ids}
        return [alert for alert in alerts if (row := self.folded(alert)) is None or row.lead == alert.alert_id]

    def folded(self, alert: Alert) -> Together | None:
        """The folded row that the alert is in."""
        row = self._of.get(alert.alert_id)
        return row if row and self._unfolded is (row.name in self._turned) else None

    def key(self, alert: Alert) -> str:
        """What the alert's row is known by."""
        row = self.folded(alert)
        return row.name if row else alert.alert_id

    def members(self, alert: Alert) -> list[Alert]:
        """The alerts that its row stands for."""
        row = self.folded(alert)
        return [self._alerts[name] for name in row.ids] if row else [alert]

    def turn_all(self) -> bool:
        """Unfold every row, or fold them all again; whether they are folded now."""
        self._unfolded = not self._unfolded
        self._turned.clear()
        return not self._unfolded

    def turn(self, alert: Alert) -> bool:
        """Fold the row that the alert is in, or unfold it; False where it stands alone."""
        row = self._of.get(alert.alert_id)
        if row:
            self._turned ^= {row.name}
        return row is not None


def _together(alerts: Iterable[Alert]) -> list[Together]:
    found = []
    for row in recurring(sweeps(alerts)):
        ids = tuple(alert.alert_id for sweep in row.sweeps for alert in sweep.alerts)
        if len(ids) > 1:
            found.append(Together(ids, row.sweeps[-1].worst.alert_id, row.rhythm))
    return found
