"""Groups of alerts that can share one row.

A group is a single sweep, or the recurring sweeps of one principal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from detector.detection.alert import Alert
from detector.detection.sweeps import Recurrence, group_recurring, group_sweeps, sweep_keys
from tui.concurrency.job import Job


@dataclass(frozen=True)
class SweepGroup:
    """Two or more alerts that can be folded into one row.

    ``alert_ids`` are in order of time. ``lead_id`` is the worst alert of the newest sweep.
    """

    alert_ids: tuple[str, ...]
    lead_id: str
    recurrence: Recurrence

    @property
    def key(self) -> str:
        """The id of the first alert; it stays the same when alerts are added."""
        return self.alert_ids[0]

    def __str__(self) -> str:
        """Return ``every hour, 17 regions, 31 times``.

        For a single sweep, return its number of alerts.
        """
        if self.recurrence.times > 1:
            return str(self.recurrence)
        return f"{len(self.alert_ids)} related alerts"


@dataclass(frozen=True)
class FoldState:
    """Which groups are folded: all but ``exceptions``, or only these if ``unfolded``.

    ``exceptions`` are keys of groups.
    """

    unfolded: bool = False
    exceptions: frozenset[str] = field(default_factory=frozenset)

    def toggle_all(self) -> FoldState:
        """Unfold every group, or fold them all again."""
        return FoldState(not self.unfolded)

    def toggle(self, group: SweepGroup) -> FoldState:
        """Unfold the group, or fold it again."""
        return FoldState(self.unfolded, self.exceptions ^ {group.key})

    def if_folded(self, group: SweepGroup | None) -> SweepGroup | None:
        """Return the group if it is folded, else None."""
        if group and self.unfolded is (group.key in self.exceptions):
            return group
        return None


class SweepIndex:
    """The group of each alert, updated incrementally as alerts are added and removed.

    Two alerts can share a group only if they share a principal key, directly or through other
    alerts. So a change affects only its connected alerts; no others are examined.
    """

    def __init__(self) -> None:
        self._alerts: dict[str, Alert] = {}
        self._components = _Components()
        self._groups: dict[str, SweepGroup] = {}

    @property
    def groups(self) -> Mapping[str, SweepGroup]:
        """The group of each alert that has one, by alert id."""
        return self._groups

    def copy(self) -> SweepIndex:
        """Return an independent copy."""
        other = SweepIndex()
        other._alerts = self._alerts.copy()
        other._components = self._components.copy()
        other._groups = self._groups.copy()
        return other

    def update(self, changed: Sequence[Alert], removed: Iterable[str], job: Job) -> None:
        """Add new and changed alerts, and remove alerts by id.

        Raises Cancelled, after which the index is invalid.
        """
        for alert_id in removed:
            self._remove(alert_id)
        for alert in job.each(changed):
            self._remove(alert.alert_id)
            self._alerts[alert.alert_id] = alert
            self._components.add(alert.alert_id, sweep_keys(alert) or {alert.alert_id})
        for alert_ids in job.each(self._components.take_changed()):
            for alert_id in alert_ids:
                self._groups.pop(alert_id, None)
            for group in _sweep_groups(self._alerts[alert_id] for alert_id in alert_ids):
                self._groups.update(dict.fromkeys(group.alert_ids, group))

    def _remove(self, alert_id: str) -> None:
        if self._alerts.pop(alert_id, None) is not None:
            self._groups.pop(alert_id, None)
            self._components.remove(alert_id)


class _Components:
    """Connected components of alerts that share principal keys.

    A union-find over the keys. Components never split: if the alert that joined two of them is
    removed, they stay joined. That costs some work but does not change the result, since each
    component is regrouped from scratch.
    """

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}
        self._members: dict[str, set[str]] = {}
        """The ids of the alerts of each component, by its root key."""
        self._keys: dict[str, str] = {}
        """One of its keys for each alert."""
        self._changed: set[str] = set()

    def copy(self) -> _Components:
        other = _Components()
        other._parents = self._parents.copy()
        other._members = {root: members.copy() for root, members in self._members.items()}
        other._keys = self._keys.copy()
        other._changed = self._changed.copy()
        return other

    def add(self, alert_id: str, keys: set[str]) -> None:
        first, *others = keys
        root = self._root(first)
        for key in others:
            root = self._join(root, self._root(key))
        self._members[root].add(alert_id)
        self._keys[alert_id] = first
        self._changed.add(first)

    def remove(self, alert_id: str) -> None:
        key = self._keys.pop(alert_id)
        self._members[self._root(key)].discard(alert_id)
        self._changed.add(key)

    def take_changed(self) -> list[set[str]]:
        """Return the alerts of each component changed since the last call."""
        roots = {self._root(key) for key in self._changed}
        self._changed.clear()
        return [self._members[root] for root in roots]

    def _root(self, key: str) -> str:
        if key not in self._parents:
            self._parents[key] = key
            self._members[key] = set()
        parent = self._parents[key]
        while parent != key:
            # path halving: link each key on the path to its grandparent
            grandparent = self._parents[parent]
            self._parents[key] = grandparent
            key = grandparent
            parent = self._parents[key]
        return key

    def _join(self, one: str, other: str) -> str:
        if one == other:
            return one
        large, small = one, other
        if len(self._members[small]) > len(self._members[large]):
            large, small = small, large
        self._parents[small] = large
        self._members[large] |= self._members.pop(small)
        return large


def _sweep_groups(alerts: Iterable[Alert]) -> list[SweepGroup]:
    groups = []
    for series in group_recurring(group_sweeps(alerts)):
        alert_ids = tuple([alert.alert_id for sweep in series.sweeps for alert in sweep.alerts])
        if len(alert_ids) > 1:
            groups.append(
                SweepGroup(alert_ids, series.sweeps[-1].worst.alert_id, series.recurrence)
            )
    return groups
