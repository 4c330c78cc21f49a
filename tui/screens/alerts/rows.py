"""The rows of the list of alerts: which of them are shown, which stand together, in what order.

Put together off the event loop, and again whenever something has changed: then only what differs is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from detector.detection.alert import Alert
from tui.concurrency.job import Cancelled, Job, sort_in_pieces
from tui.screens.alerts.columns import ORDERS, Order
from tui.screens.alerts.sweep_groups import FoldState, SweepGroup, SweepRows


@dataclass(frozen=True)
class Wanted:
    """All that the rows follow from. ``shows`` is asked of each alert; ``keep`` is the filter,
    None: all.

    ``held`` are the keys of rows that stay as they are, with no others: None where rows may come
    and move."""

    alerts: Mapping[str, Alert]
    shows: Callable[[Alert], bool]
    keep: Callable[[Alert], bool] | None
    folds: FoldState
    order: Order
    reverse: bool
    held: Sequence[str] | None = None


@dataclass(frozen=True)
class AlertRows:
    """``rows`` in display order with their ``keys``; ``matching`` are the alerts that they stand
    for, by id.

    The filter was asked of ``shown``, whose first events are at ``times``. ``unseen`` counts the
    rows that are held back because the others were ``held``."""

    rows: Sequence[Alert]
    keys: Sequence[str]
    matching: Mapping[str, Alert]
    shown: Sequence[Alert]
    times: Sequence[int]
    of: Mapping[str, SweepGroup]
    folds: FoldState
    total: int
    closed: int
    suppressed: int
    unseen: int
    held: bool

    def together(self, alert: Alert) -> SweepGroup | None:
        """The row that the alert could be folded to."""
        return self.of.get(alert.alert_id)

    def folded(self, alert: Alert) -> SweepGroup | None:
        """The folded row that the alert is in."""
        return self.folds.folded(self.of.get(alert.alert_id))

    def key(self, alert: Alert) -> str:
        """What the alert's row is known by."""
        row = self.folded(alert)
        return row.name if row else alert.alert_id

    def members(self, alert: Alert) -> list[Alert]:
        """The alerts that its row stands for."""
        row = self.folded(alert)
        return [self.matching[name] for name in row.ids] if row else [alert]


NO_ROWS = AlertRows((), (), {}, (), (), {}, FoldState(), 0, 0, 0, 0, held=False)


class _LetThrough:
    """The alerts that are shown and match, and which of them are one row, while alerts and the
    question change."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._asked: tuple[object, object] = (None, None)
        self._known: Mapping[str, Alert] = {}
        self.shown: dict[str, Alert] = {}
        self.matching: dict[str, Alert] = {}
        self.sweeps = SweepRows()

    def copy(self) -> _LetThrough:
        other = _LetThrough()
        other._asked, other._known = self._asked, self._known
        other.shown, other.matching, other.sweeps = (
            self.shown.copy(),
            self.matching.copy(),
            self.sweeps.copy(),
        )
        return other

    def take(self, wanted: Wanted, job: Job) -> None:
        """Ask of the alerts that differ whether they are shown and match; of all, where the
        question is another.

        Raises Cancelled.
        """
        asked = wanted.shows, wanted.keep
        anew = asked != self._asked
        known, now = {} if anew else self._known, wanted.alerts
        shown, matching = ({}, {}) if anew else (self.shown, self.matching)
        changed = [alert for name, alert in now.items() if known.get(name) is not alert]
        went = (
            [name for name in known if name not in now]
            if len(known) + len(changed) != len(now)
            else []
        )
        for name in went:
            shown.pop(name, None)
            matching.pop(name, None)
        came = []
        for alert in job.each(changed):
            is_shown = wanted.shows(alert)
            _put(shown, alert, is_shown)
            if _put(matching, alert, is_shown and (wanted.keep is None or wanted.keep(alert))):
                came.append(alert)
            else:
                went.append(alert.alert_id)
        if anew:
            came = [alert for alert in came if self.matching.get(alert.alert_id) is not alert]
            went = [name for name in self.matching if name not in matching]
        try:
            self.sweeps.change(came, went, job)
        except Cancelled:
            self._forget()
            raise
        self._asked, self._known, self.shown, self.matching = asked, now, shown, matching


class AlertArranger:
    """Makes rows, one after the other: never two at a time.

    What is let through without a filter is kept while there is one, so that the filter can be taken
    back at once."""

    def __init__(self) -> None:
        self._all = _LetThrough()
        self._filtered: _LetThrough | None = None

    def arrange(self, wanted: Wanted, job: Job) -> AlertRows:
        """The rows for what is wanted. Raises Cancelled."""
        if wanted.keep is None:
            through, self._filtered = self._all, None
        else:
            through = self._filtered = self._filtered or self._all.copy()
        through.take(wanted, job)
        return _rows(wanted, through, job)


def _rows(wanted: Wanted, through: _LetThrough, job: Job) -> AlertRows:
    of, folded = through.sweeps.of, wanted.folds.folded
    leads = [
        alert
        for name, alert in through.matching.items()
        if (row := of.get(name)) is None or row.lead == name or not folded(row)
    ]
    rows = ordered(leads, wanted.order, wanted.reverse, job)
    keys = [
        row.name if (row := folded(of.get(alert.alert_id))) else alert.alert_id for alert in rows
    ]
    unseen = 0
    if wanted.held is not None:
        found = dict(zip(keys, rows, strict=True))
        keys = [key for key in wanted.held if key in found]
        rows, unseen = [found[key] for key in keys], len(found) - len(keys)
    alerts, shown = wanted.alerts.values(), list(through.shown.values())
    return AlertRows(
        rows,
        keys,
        dict(through.matching),
        shown,
        [alert.first_event for alert in shown],
        dict(of),
        wanted.folds,
        len(alerts),
        closed=sum(alert.status == "closed" and not alert.suppressed_by for alert in alerts),
        suppressed=sum(bool(alert.suppressed_by) for alert in alerts),
        unseen=unseen,
        held=wanted.held is not None,
    )


def ordered(alerts: Sequence[Alert], order: Order, reverse: bool, job: Job) -> list[Alert]:
    """In this order, or its reverse; alerts that it holds equal: newest first. The order is
    total."""
    newest_first = sort_in_pieces(
        alerts, lambda alert: (alert.first_event, alert.alert_id), job, descending=True
    )
    if order is ORDERS[0] and not reverse:
        return newest_first
    return sort_in_pieces(newest_first, order.by, job, descending=order.descending is not reverse)


def _put(alerts: dict[str, Alert], alert: Alert, belongs: bool) -> bool:
    if belongs:
        alerts[alert.alert_id] = alert
    else:
        alerts.pop(alert.alert_id, None)
    return belongs
