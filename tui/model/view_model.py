"""The data that screens show: the store as last read, and the updates since.

Only the event loop accesses a ViewModel. Threads hand it immutable values: batches of alerts and a
Snapshot from the store, and Updates from the pipeline. A snapshot is older than the updates that
arrive while it is being read, so it does not overwrite them.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from detector.detection.alert import Alert
from detector.triage.hunt_record import HuntRecord
from detector.triage.note import Note
from detector.triage.suppression import Suppression
from detector.triage.suppression_index import SuppressionIndex
from detector.triage.watch import WatchRow

if TYPE_CHECKING:
    from detector.ingest.pipeline import Update
    from detector.sources.accounting import Accounting

_FREEZE_EVERY = 10_000
"""Number of alerts put into the view model between two calls of ``gc.freeze``."""


@dataclass(frozen=True)
class Snapshot:
    """The store at one time; its alerts have already been loaded in parts."""

    alert_ids: frozenset[str]
    notes: tuple[Note, ...]
    suppressions: tuple[Suppression, ...]
    accounting: Accounting
    watches: tuple[WatchRow, ...] = ()
    hunts: tuple[HuntRecord, ...] = ()
    newest: int | None = None


class ViewModel:
    """Alerts by id, notes and suppressions newest first, and the state of ingest."""

    def __init__(self) -> None:
        self.loaded = False
        self.alerts: dict[str, Alert] = {}
        self.notes: list[Note] = []
        self.suppressions: list[Suppression] = []
        self.watches: Sequence[WatchRow] = ()
        self.hunts: Sequence[HuntRecord] = ()
        self.accounting: Accounting | None = None
        self.newest: int | None = None
        self.live = False
        self.problems: list[str] = []
        self.error = ""
        self._changed_ids: set[str] | None = None
        """Ids of alerts changed since ``expect_snapshot``; None if no snapshot is being read."""
        self._changes: list[Callable[[], None]] = []
        """Changes other than to alerts since ``expect_snapshot``; ``load`` applies them again."""
        self._accounting_changed = False
        self._puts_since_freeze = 0

    def expect_snapshot(self) -> None:
        """Begin a snapshot: every change until ``load`` is newer than the snapshot."""
        self._changed_ids, self._changes, self._accounting_changed = set(), [], False

    def load_part(self, alerts: Sequence[Alert]) -> None:
        """Add alerts of the snapshot.

        An unchanged alert stays the same object, so that nothing derived from it is recomputed.
        """
        newer = self._changed_ids or ()
        for alert in alerts:
            if alert.alert_id not in newer and self.alerts.get(alert.alert_id) != alert:
                self._put(alert)

    def load(self, snapshot: Snapshot) -> None:
        """Finish a snapshot: replace everything older than the snapshot."""
        newer, changes = self._changed_ids or set(), self._changes
        self._changed_ids, self._changes = None, []
        self.loaded = True
        for alert_id in list(self.alerts):
            if alert_id not in snapshot.alert_ids and alert_id not in newer:
                del self.alerts[alert_id]
        self.newest = max(filter(None, (self.newest, snapshot.newest)), default=None)
        self.notes = list(snapshot.notes)
        self.suppressions = list(snapshot.suppressions)
        if self.watches != snapshot.watches:
            self.watches = snapshot.watches
        self.hunts = snapshot.hunts
        if not self._accounting_changed:
            self.accounting = snapshot.accounting
        for change in changes:
            change()

    def update(self, update: Update, now: float) -> None:
        """Apply an update of the pipeline, keeping the decisions on alerts."""
        suppressions = SuppressionIndex(self.active(now))
        for alert_id in update.withdrawn:
            self._record_change(alert_id)
            self.alerts.pop(alert_id, None)
        for alert in update.alerts:
            shown = self.alerts.get(alert.alert_id)
            if shown is not None:
                alert = alert.with_triage(status=shown.status, handling=shown.handling)
            self._record_change(alert.alert_id)
            self._put(_judge_anew(alert, suppressions))
        self.accounting, self._accounting_changed = update.accounting, True
        self.live = update.live
        if update.newest is not None:
            self.newest = update.newest
        self.problems.extend(update.problems)
        if update.watches:
            self._apply(lambda: self._put_watches(update.watches))

    def replace_alerts(self, alerts: Iterable[Alert]) -> None:
        """Replace alerts after a decision on them was stored."""
        for alert in alerts:
            self._record_change(alert.alert_id)
            self._put(alert)

    def reapply_suppressions(self, changed: Iterable[tuple[Alert, Alert]]) -> None:
        """Replace the first alert of each pair by the second, unless it has changed meanwhile."""
        for former, alert in changed:
            if self.alerts.get(alert.alert_id) is former:
                self._put(alert)

    def put_note(self, note: Note) -> None:
        """Add a note, or replace the one with its id."""
        self._apply(lambda: self._put_note(note))

    def put_suppression(self, suppression: Suppression) -> None:
        """Add a suppression, or replace the one with its id."""
        self._apply(lambda: self._put_suppression(suppression))

    def replace_watches(self, rows: Sequence[WatchRow]) -> None:
        """Replace all watches after a decision on some of them."""
        self._apply(lambda: setattr(self, "watches", tuple(rows)))

    def replace_hunts(self, hunts: Sequence[HuntRecord]) -> None:
        """Replace all hunts after a decision on some of them."""
        self._apply(lambda: setattr(self, "hunts", tuple(hunts)))

    def hunt(self, hunt_id: str) -> HuntRecord | None:
        """Return the hunt with this id, or None."""
        return next((hunt for hunt in self.hunts if hunt.hunt_id == hunt_id), None)

    @property
    def unread(self) -> int:
        """Number of files quarantined because they cannot be read."""
        return sum(self.accounting.files_quarantined.values()) if self.accounting else 0

    def current(self, alert_id: str) -> Alert | None:
        """Return the alert with this id, or the one that superseded it, or None."""
        alert = self.alerts.get(alert_id)
        if alert is not None:
            return alert
        return next((each for each in self.alerts.values() if alert_id in each.supersedes), None)

    def notes_of(self, alert: Alert) -> list[Note]:
        """Return the notes on an alert and on the alerts that it superseded."""
        ids = {alert.alert_id, *alert.supersedes}
        return [note for note in self.notes if note.alert_id in ids]

    def active(self, now: float) -> list[Suppression]:
        """Return the active suppressions, oldest first."""
        return [
            suppression for suppression in reversed(self.suppressions) if suppression.active(now)
        ]

    def next_expiry(self, now: float) -> float | None:
        """Return when the next active suppression expires, or None."""
        return min((each.expires for each in self.suppressions if each.active(now)), default=None)

    def _apply(self, change: Callable[[], None]) -> None:
        change()
        if self._changed_ids is not None:
            self._changes.append(change)

    def _record_change(self, alert_id: str) -> None:
        if self._changed_ids is not None:
            self._changed_ids.add(alert_id)

    def _put(self, alert: Alert) -> None:
        self.alerts[alert.alert_id] = alert
        self._puts_since_freeze += 1
        if self._puts_since_freeze >= _FREEZE_EVERY:
            # a garbage collection that visits all alerts would make the screen hang
            self._puts_since_freeze = 0
            gc.freeze()

    def _put_watches(self, rows: Iterable[WatchRow]) -> None:
        """Replace the watches that have new sightings, and move them to the front."""
        more = {row.watch.watch_id: row for row in rows}
        others = [row for row in self.watches if row.watch.watch_id not in more]
        self.watches = (*more.values(), *others)

    def _put_note(self, note: Note) -> None:
        others = [each for each in self.notes if each.note_id != note.note_id]
        self.notes = sorted(
            [note, *others], key=lambda each: (each.created, each.note_id), reverse=True
        )

    def _put_suppression(self, suppression: Suppression) -> None:
        others = [
            each for each in self.suppressions if each.suppression_id != suppression.suppression_id
        ]
        self.suppressions = sorted(
            [suppression, *others], key=lambda each: each.created, reverse=True
        )


def changed_by_suppressions(
    alerts: Iterable[Alert], active: Sequence[Suppression]
) -> list[tuple[Alert, Alert]]:
    """Return (before, after) for each alert that the active suppressions change."""
    suppressions = SuppressionIndex(active)
    changed = []
    for alert in alerts:
        result = _judge_anew(alert, suppressions)
        if (alert.suppressed_by, alert.broke_through) != (
            result.suppressed_by,
            result.broke_through,
        ):
            changed.append((alert, result))
    return changed


def _judge_anew(alert: Alert, suppressions: SuppressionIndex) -> Alert:
    if alert.suppressed_by is not None or alert.broke_through:
        alert = alert.with_triage(suppressed_by=None, broke_through=[])
    return suppressions.judge(alert)
