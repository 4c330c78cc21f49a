"""Sweeps: the alerts of one principal that belong together, and the rhythm in which they come again.

What one principal did in one go may be several windows, of several rules. Alerts that share a name of their lineage
(the ARN, for a session that of its role; the role; the access key) and lie near each other are one sweep. All of it is
a function of the set of alerts: their order does not matter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec

from detector.detection.alert import Alert
from detector.detection.baseline import principal_of
from detector.text.time import DAY, HOUR, format_time

NEAR = 5 * 60
"""Seconds between the last event of one alert and the first of the next within which both are one
sweep."""


class Sweep(msgspec.Struct, frozen=True):
    """``alerts`` are in order of time; there is at least one."""

    alerts: tuple[Alert, ...]

    @property
    def sweep_id(self) -> str:
        """The id of its first alert."""
        return self.alerts[0].alert_id

    @property
    def principal(self) -> str:
        """Who is behind it; ``""`` where no call had an ARN."""
        return next((principal_of(alert.principal) for alert in self.alerts if alert.principal), "")

    @property
    def first_event(self) -> int:
        return min(alert.first_event for alert in self.alerts)

    @property
    def last_event(self) -> int:
        return max(alert.last_event for alert in self.alerts)

    @property
    def regions(self) -> list[str]:
        return sorted({region for alert in self.alerts for region in alert.facets.regions})

    @property
    def worst(self) -> Alert:
        """The alert with the highest risk; of equals the one over the most regions and events, then
        the first."""
        return max(
            self.alerts,
            key=lambda alert: (alert.score, len(alert.facets.regions), alert.event_count),
        )


class RecurringSweep(msgspec.Struct, frozen=True):
    """Sweeps of one principal in order of time, and their rhythm: one row of a list."""

    sweeps: tuple[Sweep, ...]
    recurrence: Recurrence


class Recurrence(msgspec.Struct, frozen=True):
    """How often something happened: ``period`` seconds apart, None where that is not regular.

    ``first`` is when it happened first (epoch seconds); ``regions`` are the fewest and the most
    that one sweep touched."""

    times: int
    period: int | None
    first: int
    regions: tuple[int, int]

    def __str__(self) -> str:
        fewest, most = self.regions
        where = (
            f"{most} region{'s' if most != 1 else ''}"
            if fewest == most
            else f"{fewest} to {most} regions"
        )
        if self.times == 1:
            return f"once, {where}"
        return f"{f'{self.pace}, ' if self.period else ''}{where}, {self.times} times"

    @property
    def pace(self) -> str:
        """``every hour``, ``daily at 02:00``; ``""`` where it is not regular."""
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
_REGULAR = 3
"""Times from which there can be a rhythm."""
_SLACK = 0.1
"""Of a period: how far a run may be from where its predecessor says."""
_KEPT = 2 / 3
"""Share of the runs that a schedule would make, at the least, for it to be one."""


def group_sweeps(alerts: Iterable[Alert]) -> list[Sweep]:
    """The alerts as sweeps, in order of time. Each alert is in exactly one."""
    ordered = sorted(alerts, key=_order)
    groups = _Groups(len(ordered))
    by_name: dict[str, list[int]] = defaultdict(list)
    for place, alert in enumerate(ordered):
        for name in sweep_keys(alert):
            by_name[name].append(place)
    for places in by_name.values():
        reaches = _extent(ordered[places[0]])[1]
        for before, place in pairwise(places):
            start, end = _extent(ordered[place])
            if start <= reaches + NEAR:
                groups.join(before, place)
            reaches = max(reaches, end)
    together: dict[int, list[Alert]] = defaultdict(list)
    for place, alert in enumerate(ordered):
        together[groups.of(place)].append(alert)
    return [Sweep(tuple(members)) for members in together.values()]


def sweep_keys(alert: Alert) -> set[str]:
    """The names by which two alerts are known to be one principal's."""
    facets = alert.facets
    return {*(principal_of(arn) for arn in facets.arns), *facets.roles, *facets.access_keys}


def recurrence_of(sweeps: Sequence[Sweep]) -> Recurrence:
    """How often, and how regularly, these sweeps of one principal came; there is at least one."""
    times = sorted(sweep.first_event for sweep in sweeps)
    counts = [len(sweep.regions) for sweep in sweeps]
    return Recurrence(len(times), _period(times), times[0], (min(counts), max(counts)))


def group_recurring(sweeps: Iterable[Sweep]) -> list[RecurringSweep]:
    """The sweeps as rows, in order of time: those of one principal are one where they come in a
    rhythm.

    A sweep with a severity other than the rest has a row of its own, since it must not hide among
    them."""
    alike: dict[tuple[str, str], list[Sweep]] = defaultdict(list)
    for sweep in sorted(sweeps, key=lambda sweep: _order(sweep.alerts[0])):
        alike[sweep.principal or sweep.sweep_id, sweep.worst.severity].append(sweep)
    rows = []
    for those in alike.values():
        found = recurrence_of(those)
        if found.period is not None:
            rows.append(RecurringSweep(tuple(those), found))
        else:
            rows += [RecurringSweep((sweep,), recurrence_of([sweep])) for sweep in those]
    return sorted(rows, key=lambda row: _order(row.sweeps[0].alerts[0]))


def _period(times: Sequence[int]) -> int | None:
    """The period that most of these times, in order, keep; some runs may be missing."""
    gaps = [later - earlier for earlier, later in pairwise(times)]
    if len(times) < _REGULAR:
        return None
    usual = sorted(gaps)[len(gaps) // 2]
    period = min(_PERIODS, key=lambda period: abs(period - usual))
    runs = [round(gap / period) for gap in gaps]
    on_time = all(
        run and abs(gap - run * period) <= _SLACK * period
        for gap, run in zip(gaps, runs, strict=True)
    )
    return period if on_time and len(gaps) >= _KEPT * sum(runs) else None


def _extent(alert: Alert) -> tuple[int, int]:
    """From its first event to its last: a window that is long says nothing of how long the
    principal was at it."""
    return alert.first_event, alert.last_event


def _order(alert: Alert) -> tuple[int, int, str]:
    return (*_extent(alert), alert.alert_id)


class _Groups:
    """Places 0 to ``count`` - 1, joined to groups (union-find)."""

    def __init__(self, count: int) -> None:
        self._of = list(range(count))

    def of(self, place: int) -> int:
        """The first place of its group."""
        while (above := self._of[place]) != place:
            self._of[place] = self._of[above]
            place = above
        return place

    def join(self, one: int, other: int) -> None:
        first, second = sorted((self.of(one), self.of(other)))
        self._of[second] = first
