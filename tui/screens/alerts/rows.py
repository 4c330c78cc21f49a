"""Rows of the list of alerts: choice, folds and order.

The rows are built off the event loop. After a change, the next build examines only the alerts that
differ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from detector.detection.alert import Alert
from tui.concurrency.job import Cancelled, Job, sort_in_pieces
from tui.screens.alerts.columns import NEWEST_FIRST, AlertOrder
from tui.screens.alerts.sweep_groups import FoldState, SweepGroup, SweepIndex


def is_any(_: Alert) -> bool:
    """Accept every alert."""
    return True


def is_unhidden(alert: Alert) -> bool:
    """Tell whether the alert is neither closed nor suppressed."""
    return alert.status != "closed" and not alert.suppressed_by


@dataclass(frozen=True)
class RowQuery:
    """All inputs that determine the rows.

    ``matches`` is the filter, None for all alerts. ``held_keys`` are the keys of the only rows to
    show, in this order; None if rows may be added and moved.
    """

    alerts: Mapping[str, Alert]
    is_shown: Callable[[Alert], bool]
    matches: Callable[[Alert], bool] | None
    folds: FoldState
    order: AlertOrder
    reverse: bool
    held_keys: Sequence[str] | None = None


@dataclass(frozen=True)
class AlertRows:
    """Rows in display order, and the alerts behind them by id.

    The filter was applied to ``shown``; ``times`` are the epoch seconds of their first events.
    ``held_back`` counts the rows that are left out because the listed rows are held.
    """

    rows: Sequence[Alert]
    keys: Sequence[str]
    matching: Mapping[str, Alert]
    shown: Sequence[Alert]
    times: Sequence[int]
    groups: Mapping[str, SweepGroup]
    folds: FoldState
    total: int
    closed: int
    suppressed: int
    held_back: int
    is_held: bool
    severities: Mapping[str, int] = field(default_factory=dict)
    """The number of matching alerts by severity."""
    _members: dict[str, list[Alert]] = field(default_factory=dict, compare=False, repr=False)
    """Cache of ``members`` by the group's key, since every key press looks members up."""

    def group(self, alert: Alert) -> SweepGroup | None:
        """Return the group that the alert can be folded into."""
        return self.groups.get(alert.alert_id)

    def folded_group(self, alert: Alert) -> SweepGroup | None:
        """Return the alert's group if it is folded, else None."""
        return self.folds.if_folded(self.groups.get(alert.alert_id))

    def key(self, alert: Alert) -> str:
        """Return the key of the alert's row."""
        return _row_key(alert, self.folded_group(alert))

    def members(self, alert: Alert) -> list[Alert]:
        """Return the alerts that the alert's row represents."""
        group = self.folded_group(alert)
        if group is None:
            return [alert]
        members = self._members.get(group.key)
        if members is None:
            members = [self.matching[alert_id] for alert_id in group.alert_ids]
            self._members[group.key] = members
        return members


NO_ROWS = AlertRows((), (), {}, (), (), {}, FoldState(), 0, 0, 0, 0, is_held=False)


class AlertRowBuilder:
    """Builds the rows for successive queries, incrementally.

    While a filter is in force, the builder keeps the matches without a filter, so that clearing the
    filter takes effect at once.
    """

    def __init__(self) -> None:
        self._unfiltered = _Matches()
        self._filtered: _Matches | None = None

    def build(self, query: RowQuery, job: Job) -> AlertRows:
        """Return the rows of a query. Raises Cancelled."""
        if query.matches is None:
            self._filtered = None
            matches = self._unfiltered
        else:
            if self._filtered is None:
                self._filtered = self._unfiltered.copy()
            matches = self._filtered
        matches.update(query, job)
        return _rows(query, matches, job)


class _Matches:
    """The alerts that match, with their groups.

    Kept up to date as the alerts and the query change.
    """

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._predicates: tuple[object, object] = (None, None)
        self._alerts: Mapping[str, Alert] = {}
        self.shown: dict[str, Alert] = {}
        self.matching: dict[str, Alert] = {}
        self.sweeps = SweepIndex()

    def copy(self) -> _Matches:
        other = _Matches()
        other._predicates = self._predicates
        other._alerts = self._alerts
        other.shown = self.shown.copy()
        other.matching = self.matching.copy()
        other.sweeps = self.sweeps.copy()
        return other

    def update(self, query: RowQuery, job: Job) -> None:
        """Bring the matches up to date with a query.

        Tests only the alerts that differ, or all alerts if a predicate differs. Raises Cancelled.
        """
        predicates = query.is_shown, query.matches
        anew = predicates != self._predicates
        before: Mapping[str, Alert] = {} if anew else self._alerts
        shown: dict[str, Alert] = {} if anew else self.shown
        matching: dict[str, Alert] = {} if anew else self.matching
        differing = [alert for name, alert in query.alerts.items() if before.get(name) is not alert]
        removed = _removed(before, query.alerts, len(differing))
        for alert_id in removed:
            shown.pop(alert_id, None)
            matching.pop(alert_id, None)
        changed = []
        for alert in job.each(differing):
            is_shown = query.is_shown(alert)
            matches = is_shown and (query.matches is None or query.matches(alert))
            _set_member(shown, alert, is_shown)
            _set_member(matching, alert, matches)
            if matches:
                changed.append(alert)
            else:
                removed.append(alert.alert_id)
        if anew:
            # the sweep index still holds the previous matches: pass it only the difference
            changed = [alert for alert in changed if self.matching.get(alert.alert_id) is not alert]
            removed = [alert_id for alert_id in self.matching if alert_id not in matching]
        try:
            self.sweeps.update(changed, removed, job)
        except Cancelled:
            self._clear()
            raise
        self._predicates, self._alerts = predicates, query.alerts
        self.shown, self.matching = shown, matching


def _removed(before: Mapping[str, Alert], now: Mapping[str, Alert], differing: int) -> list[str]:
    """Return the ids in ``before`` that are not in ``now``.

    If all ``differing`` alerts are additions by count, none was removed, so the scan is skipped.
    """
    if len(before) + differing == len(now):
        return []
    return [alert_id for alert_id in before if alert_id not in now]


def _set_member(alerts: dict[str, Alert], alert: Alert, belongs: bool) -> None:
    if belongs:
        alerts[alert.alert_id] = alert
    else:
        alerts.pop(alert.alert_id, None)


def _rows(query: RowQuery, matches: _Matches, job: Job) -> AlertRows:
    groups, if_folded = matches.sweeps.groups, query.folds.if_folded
    leads = []
    for alert_id, alert in matches.matching.items():
        group = if_folded(groups.get(alert_id))
        if group is None or group.lead_id == alert_id:
            leads.append(alert)
    rows = sort_alerts(leads, query.order, query.reverse, job)
    keys = [_row_key(alert, if_folded(groups.get(alert.alert_id))) for alert in rows]
    held_back = 0
    if query.held_keys is not None:
        by_key = dict(zip(keys, rows, strict=True))
        keys = [key for key in query.held_keys if key in by_key]
        rows = [by_key[key] for key in keys]
        held_back = len(by_key) - len(keys)
    alerts, shown = query.alerts.values(), list(matches.shown.values())
    return AlertRows(
        rows,
        keys,
        dict(matches.matching),
        shown,
        [alert.first_event for alert in shown],
        dict(groups),
        query.folds,
        len(alerts),
        closed=sum(alert.status == "closed" and not alert.suppressed_by for alert in alerts),
        suppressed=sum(bool(alert.suppressed_by) for alert in alerts),
        held_back=held_back,
        is_held=query.held_keys is not None,
        severities=Counter(alert.severity for alert in matches.matching.values()),
    )


def _row_key(alert: Alert, folded_group: SweepGroup | None) -> str:
    if folded_group is None:
        return alert.alert_id
    return folded_group.key


def sort_alerts(alerts: Sequence[Alert], order: AlertOrder, reverse: bool, job: Job) -> list[Alert]:
    """Sort alerts in an order or its reverse; ties are sorted newest first.

    The order is total, since alert ids break the remaining ties.
    """
    newest_first = sort_in_pieces(
        alerts, lambda alert: (alert.first_event, alert.alert_id), job, descending=True
    )
    if order is NEWEST_FIRST and not reverse:
        return newest_first
    return sort_in_pieces(
        newest_first, order.sort_key, job, descending=order.descending is not reverse
    )
