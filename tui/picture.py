"""What the screens show: the store as it was last read, and what came since.

Only the event loop touches a Picture. Threads hand it immutable things: a Snapshot of the store, an Update of the
pipeline. A snapshot that was being read while updates came in is older than they are, so they are put on top of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from detector.alert import Alert
from detector.huntlog import Note, Suppression, judged

if TYPE_CHECKING:
    from detector.accounting import Accounting
    from detector.pipeline import Update
    from detector.store import Store


@dataclass(frozen=True)
class Snapshot:
    """All that the store holds for the screens."""

    alerts: tuple[Alert, ...]
    notes: tuple[Note, ...]
    suppressions: tuple[Suppression, ...]
    accounting: Accounting

    @classmethod
    def read(cls, store: Store) -> Snapshot:
        return cls(tuple(store.alerts()), tuple(store.notes()), tuple(store.suppressions()), store.accounting())


class Picture:
    """Alerts by id, notes and suppressions newest first, and how the reading goes."""

    def __init__(self) -> None:
        self.loaded = False
        self.alerts: dict[str, Alert] = {}
        self.notes: list[Note] = []
        self.suppressions: list[Suppression] = []
        self.accounting: Accounting | None = None
        self.newest: int | None = None
        self.live = False
        self.problems: list[str] = []
        self.error = ""
        self._since: list[Callable[[], None]] | None = None

    def expect_snapshot(self) -> None:
        """The store is being read from now on: what comes until ``load`` is newer."""
        self._since = []

    def load(self, snapshot: Snapshot) -> None:
        """Show this snapshot, and what came since ``expect_snapshot``."""
        newer, self._since = self._since or [], None
        self.loaded = True
        self.alerts = {alert.alert_id: alert for alert in snapshot.alerts}
        self.notes = list(snapshot.notes)
        self.suppressions = list(snapshot.suppressions)
        self.accounting = snapshot.accounting if not newer else self.accounting
        for change in newer:
            change()

    def update(self, update: Update, now: float) -> None:
        """The pipeline found something. What the analyst decided on an alert stays; only the app changes it."""
        self._do(partial(self._take, update.alerts, update.withdrawn, now))
        self.accounting = update.accounting
        self.live = update.live
        self.newest = update.newest if update.newest is not None else self.newest
        self.problems.extend(update.problems)

    def decide(self, alerts: Sequence[Alert]) -> None:
        """The store says that these alerts have a new status."""
        self._do(lambda: self.alerts.update((alert.alert_id, alert) for alert in alerts))

    def put_note(self, note: Note) -> None:
        """A note is new, or was edited."""
        self._do(lambda: self._put_note(note))

    def put_suppression(self, suppression: Suppression) -> None:
        """A suppression is new, or was extended or lifted."""
        self._do(lambda: self._put_suppression(suppression))

    @property
    def unread(self) -> int:
        """Files that were set aside because they cannot be read."""
        return sum(self.accounting.files_quarantined.values()) if self.accounting else 0

    def current(self, alert_id: str) -> Alert | None:
        """The alert of this id, or the one that took its place."""
        return self.alerts.get(alert_id) or next(
            (alert for alert in self.alerts.values() if alert_id in alert.supersedes), None
        )

    def notes_of(self, alert: Alert) -> list[Note]:
        """The alert's notes and those of the alerts that it took the place of, newest first."""
        ids = {alert.alert_id, *alert.supersedes}
        return [note for note in self.notes if note.alert_id in ids]

    def next_expiry(self, now: float) -> float | None:
        """When the next active suppression stops hiding, and the store has to be asked again."""
        return min((s.expires for s in self.suppressions if s.active(now)), default=None)

    def _do(self, change: Callable[[], None]) -> None:
        change()
        if self._since is not None:
            self._since.append(change)

    def _take(self, alerts: Iterable[Alert], withdrawn: Iterable[str], now: float) -> None:
        for alert_id in withdrawn:
            self.alerts.pop(alert_id, None)
        for alert in alerts:
            known = self.alerts.get(alert.alert_id)
            status = known.status if known else alert.status
            unjudged = msgspec.structs.replace(alert, status=status, suppressed_by=None, broke_through=[])
            self.alerts[alert.alert_id] = judged(unjudged, (s for s in reversed(self.suppressions) if s.active(now)))

    def _put_note(self, note: Note) -> None:
        others = [known for known in self.notes if known.note_id != note.note_id]
        self.notes = sorted([note, *others], key=lambda entry: (entry.created, entry.note_id), reverse=True)

    def _put_suppression(self, suppression: Suppression) -> None:
        others = [known for known in self.suppressions if known.suppression_id != suppression.suppression_id]
        self.suppressions = sorted([suppression, *others], key=lambda entry: entry.created, reverse=True)


class Inbox:
    """Where the pipeline's thread leaves its updates, merged into one until the event loop takes it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: Update | None = None

    def put(self, update: Update) -> bool:
        """Add an update; whether the inbox was empty, so that the app must be told."""
        with self._lock:
            was_empty = self._held is None
            self._held = update if self._held is None else _merged(self._held, update)
            return was_empty

    def take(self) -> Update | None:
        with self._lock:
            held, self._held = self._held, None
            return held


def _merged(first: Update, second: Update) -> Update:
    alerts = {alert.alert_id: alert for alert in (*first.alerts, *second.alerts)}
    gone = set(second.withdrawn)
    returned = {alert.alert_id for alert in second.alerts}
    return type(second)(
        alerts=tuple(alert for alert in alerts.values() if alert.alert_id in returned or alert.alert_id not in gone),
        withdrawn=tuple(dict.fromkeys([*(i for i in first.withdrawn if i not in returned), *second.withdrawn])),
        accounting=second.accounting,
        live=second.live,
        newest=second.newest if second.newest is not None else first.newest,
        problems=(*first.problems, *second.problems),
    )
