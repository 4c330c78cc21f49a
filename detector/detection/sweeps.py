"""Sweeps: one principal's alerts that belong together, and their recurrence.

A principal's burst of activity may raise several alerts, by several rules. Alerts that are close in
time and share a key of their principal (the ARN, for a session that of its role; the role; the
access key) form one sweep. Sweeps are a function of the set of alerts: order does not matter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec

from detector.detection.alert import Alert
from detector.detection.baseline import principal_of
from detector.text.time import DAY, HOUR, format_time

MAX_PAUSE = 5 * 60
"""The greatest pause, in seconds, between the events of two alerts of one sweep."""


class Sweep(msgspec.Struct, frozen=True):
    """One or more alerts that belong together, in order of time."""

    alerts: tuple[Alert, ...]

    @property
    def sweep_id(self) -> str:
        """The id of the first alert."""
        return self.alerts[0].alert_id

    @property
    def principal(self) -> str:
        """The principal behind the sweep; ``""`` if no call has an ARN."""
        return next((principal_of(alert.principal) for alert in self.alerts if alert.principal), "")

    @property
    def first_event(self) -> int:
        """The time of the first event."""
        return min(alert.first_event for alert in self.alerts)

    @property
    def last_event(self) -> int:
        """The time of the last event."""
        return max(alert.last_event for alert in self.alerts)

    @property
    def regions(self) -> list[str]:
        """The distinct regions, sorted."""
        regions: set[str] = set()
        for alert in self.alerts:
            regions.update(alert.facets.regions)
        return sorted(regions)

    @property
    def worst(self) -> Alert:
        """The alert with the highest score; ties go to most regions, most events, then the
        first."""
        return max(
            self.alerts,
            key=lambda alert: (alert.score, len(alert.facets.regions), alert.event_count),
        )


class RecurringSweep(msgspec.Struct, frozen=True):
    """A row of a list: the recurring sweeps of one principal, or a single sweep."""

    sweeps: tuple[Sweep, ...]
    recurrence: Recurrence


class Recurrence(msgspec.Struct, frozen=True):
    """How often sweeps occurred; ``period`` is in seconds, None if irregular.

    ``first`` is the time of the first; ``regions`` are the least and greatest number of regions in
    a sweep."""

    times: int
    period: int | None
    first: int
    regions: tuple[int, int]

    def __str__(self) -> str:
        fewest, most = self.regions
        regions = f"{fewest} to {most} regions"
        if fewest == most:
            regions = f"{most} region{'s' if most != 1 else ''}"
        if self.times == 1:
            return f"single occurrence, {regions}"
        pace = f"{self.pace}, " if self.period else ""
        return f"{pace}{regions}, {self.times} times"

    @property
    def pace(self) -> str:
        """The period as text: ``daily at 02:00``; ``""`` if irregular."""
        if self.period is None:
            return ""
        if self.period == DAY:
            return f"daily at {format_time(round(self.first / 60) * 60)[11:16]}"
        return f"every {_PERIODS[self.period]}"


_PERIODS = {
    300: "5 minutes",
    600: "10 minutes",
    900: "15 minutes",
    1200: "20 minutes",
    1800: "30 minutes",
    HOUR: "hour",
    **{hours * HOUR: f"{hours} hours" for hours in (2, 3, 4, 6, 8, 12)},
    DAY: "day",
    7 * DAY: "week",
}
_MIN_TIMES = 3
"""The least number of sweeps that can have a period."""
_MAX_DRIFT = 0.1
"""How far a run may be off schedule, as a share of the period."""
_MIN_KEPT = 2 / 3
"""The share of a schedule's runs that must have occurred."""


def group_sweeps(alerts: Iterable[Alert]) -> list[Sweep]:
    """Group alerts into sweeps, in order of time."""
    ordered = sorted(alerts, key=_order)
    groups = _DisjointSets(len(ordered))
    numbers_by_key: dict[str, list[int]] = defaultdict(list)
    for number, alert in enumerate(ordered):
        for key in sweep_keys(alert):
            numbers_by_key[key].append(number)
    for numbers in numbers_by_key.values():
        latest_end = ordered[numbers[0]].last_event
        for previous, number in pairwise(numbers):
            alert = ordered[number]
            if alert.first_event <= latest_end + MAX_PAUSE:
                groups.join(previous, number)
            latest_end = max(latest_end, alert.last_event)
    members: dict[int, list[Alert]] = defaultdict(list)
    for number, alert in enumerate(ordered):
        members[groups.find(number)].append(alert)
    return [Sweep(tuple(group)) for group in members.values()]


def sweep_keys(alert: Alert) -> set[str]:
    """Return the keys of an alert's principal; alerts of one principal share at least one."""
    facets = alert.facets
    return {*(principal_of(arn) for arn in facets.arns), *facets.roles, *facets.access_keys}


def recurrence_of(sweeps: Sequence[Sweep]) -> Recurrence:
    """Determine how regularly one or more sweeps occurred."""
    times = sorted(sweep.first_event for sweep in sweeps)
    region_counts = [len(sweep.regions) for sweep in sweeps]
    return Recurrence(
        len(times), _period(times), times[0], (min(region_counts), max(region_counts))
    )


def group_recurring(sweeps: Iterable[Sweep]) -> list[RecurringSweep]:
    """Group recurring sweeps of a principal into rows, in order of time.

    Sweeps of different severity are never in one row, lest the worse hide among the others."""
    groups: dict[tuple[str, str], list[Sweep]] = defaultdict(list)
    for sweep in sorted(sweeps, key=lambda sweep: _order(sweep.alerts[0])):
        groups[sweep.principal or sweep.sweep_id, sweep.worst.severity].append(sweep)
    rows = []
    for group in groups.values():
        recurrence = recurrence_of(group)
        if recurrence.period is not None:
            rows.append(RecurringSweep(tuple(group), recurrence))
        else:
            rows += [RecurringSweep((sweep,), recurrence_of([sweep])) for sweep in group]
    return sorted(rows, key=lambda row: _order(row.sweeps[0].alerts[0]))


def _period(times: Sequence[int]) -> int | None:
    """Return the period of ascending times, some of which may be missing; None if irregular."""
    if len(times) < _MIN_TIMES:
        return None
    gaps = [later - earlier for earlier, later in pairwise(times)]
    median = sorted(gaps)[len(gaps) // 2]
    period = min(_PERIODS, key=lambda period: abs(period - median))
    runs = [round(gap / period) for gap in gaps]
    on_time = all(
        run and abs(gap - run * period) <= _MAX_DRIFT * period
        for gap, run in zip(gaps, runs, strict=True)
    )
    return period if on_time and len(gaps) >= _MIN_KEPT * sum(runs) else None


def _order(alert: Alert) -> tuple[int, int, str]:
    # By events, as a long window does not mean that the principal was active for long.
    return alert.first_event, alert.last_event, alert.alert_id


class _DisjointSets:
    """Disjoint sets of the numbers 0 to ``count`` - 1 (union-find)."""

    def __init__(self, count: int) -> None:
        self._parents = list(range(count))

    def find(self, number: int) -> int:
        """Return the lowest number of a number's set."""
        while self._parents[number] != number:
            self._parents[number] = self._parents[self._parents[number]]
            number = self._parents[number]
        return number

    def join(self, one: int, other: int) -> None:
        first, second = sorted((self.find(one), self.find(other)))
        self._parents[second] = first
