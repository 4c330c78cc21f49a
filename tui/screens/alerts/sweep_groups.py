"""Alerts that stand together as one row: a sweep, or the sweeps of one principal that come in a rhythm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from detector.detection.alert import Alert
from detector.detection.sweeps import Recurrence, group_recurring, group_sweeps, sweep_keys
from tui.concurrency.job import Job


@dataclass(frozen=True)
class SweepGroup:
    """``ids`` are the alerts in order of time, more than one; ``lead`` is the worst of the newest
    sweep."""

    ids: tuple[str, ...]
    lead: str
    rhythm: Recurrence

    @property
    def name(self) -> str:
        """The id of its first alert, which stays as others come."""
        return self.ids[0]

    def __str__(self) -> str:
        """``every hour, 17 regions, 31 times``; of one sweep how many alerts it has."""
        return str(self.rhythm) if self.rhythm.times > 1 else f"{len(self.ids)} alerts of one sweep"


@dataclass(frozen=True)
class FoldState:
    """Which rows are folded: all but the ``turned`` ones, by their names; or, ``unfolded``, only
    those."""

    unfolded: bool = False
    turned: frozenset[str] = field(default_factory=frozenset)

    def turn_all(self) -> FoldState:
        """Unfold every row, or fold them all again."""
        return FoldState(not self.unfolded)

    def turn(self, row: SweepGroup) -> FoldState:
        """Unfold the row, or fold it again."""
        return FoldState(self.unfolded, self.turned ^ {row.name})

    def folded(self, row: SweepGroup | None) -> SweepGroup | None:
        """The row, if it is folded."""
        return row if row and self.unfolded is (row.name in self.turned) else None


class SweepRows:
    """Which alerts are one row, while alerts come and go.

    Two alerts can only be one row if they share a name, by themselves or through others. So what
    comes and goes bears on its kin alone, and the rest is not looked at again."""

    def __init__(self) -> None:
        self._alerts: dict[str, Alert] = {}
        self._kin = _Kin()
        self._of: dict[str, SweepGroup] = {}

    @property
    def of(self) -> Mapping[str, SweepGroup]:
        """The row of each alert that does not stand alone, by its id."""
        return self._of

    def copy(self) -> SweepRows:
        """The same, to be changed by itself."""
        other = SweepRows()
        other._alerts, other._kin, other._of = (
            self._alerts.copy(),
            self._kin.copy(),
            self._of.copy(),
        )
        return other

    def change(self, came: Sequence[Alert], went: Iterable[str], job: Job) -> None:
        """Alerts are new or differ, others are no more. Raises Cancelled, after which nothing here
        holds."""
        for name in went:
            self._forget(name)
        for alert in job.each(came):
            self._forget(alert.alert_id)
            self._alerts[alert.alert_id] = alert
            self._kin.add(alert.alert_id, sweep_keys(alert) or {alert.alert_id})
        for ids in job.each(self._kin.take_changed()):
            for name in ids:
                self._of.pop(name, None)
            for row in _together(self._alerts[name] for name in ids):
                self._of.update(dict.fromkeys(row.ids, row))

    def _forget(self, alert_id: str) -> None:
        if self._alerts.pop(alert_id, None) is not None:
            self._of.pop(alert_id, None)
            self._kin.remove(alert_id)


class _Kin:
    """Alerts that are joined by names: union-find over the names, with the alerts that each group
    has.

    A group that was joined stays so when the alert that joined it goes: it is then larger than it
    need be, no more."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}
        self._ids: dict[str, set[str]] = {}
        self._name_of: dict[str, str] = {}
        self._changed: set[str] = set()

    def copy(self) -> _Kin:
        other = _Kin()
        other._above, other._name_of, other._changed = (
            self._above.copy(),
            self._name_of.copy(),
            self._changed.copy(),
        )
        other._ids = {root: ids.copy() for root, ids in self._ids.items()}
        return other

    def add(self, alert_id: str, names: set[str]) -> None:
        first, *rest = names
        root = self._root(first)
        for name in rest:
            root = self._join(root, self._root(name))
        self._ids[root].add(alert_id)
        self._name_of[alert_id] = first
        self._changed.add(first)

    def remove(self, alert_id: str) -> None:
        name = self._name_of.pop(alert_id)
        self._ids[self._root(name)].discard(alert_id)
        self._changed.add(name)

    def take_changed(self) -> list[set[str]]:
        """The alerts of each group that has changed since it was asked last."""
        roots = {self._root(name) for name in self._changed}
        self._changed.clear()
        return [self._ids[root] for root in roots]

    def _root(self, name: str) -> str:
        if name not in self._above:
            self._above[name], self._ids[name] = name, set()
        while (above := self._above[name]) != name:
            self._above[name] = name = self._above[above]
        return name

    def _join(self, one: str, other: str) -> str:
        if one == other:
            return one
        large, small = sorted((one, other), key=lambda root: len(self._ids[root]), reverse=True)
        self._above[small] = large
        self._ids[large] |= self._ids.pop(small)
        return large


def _together(alerts: Iterable[Alert]) -> list[SweepGroup]:
    found = []
    for row in group_recurring(group_sweeps(alerts)):
        ids = tuple(alert.alert_id for sweep in row.sweeps for alert in sweep.alerts)
        if len(ids) > 1:
            found.append(SweepGroup(ids, row.sweeps[-1].worst.alert_id, row.recurrence))
    return found
