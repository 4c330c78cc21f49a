"""What the screens show: the store as it was last read, and what came since.

Only the event loop touches a Picture. Threads hand it immutable things: parts and a Snapshot of the store, an Update of
the pipeline. What was being read while updates came in is older than they are, so it does not count against them.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from detector.detection.alert import Alert
from detector.triage.note import Note
from detector.triage.suppression import Suppression, apply_suppressions

if TYPE_CHECKING:
    from detector.ingest.pipeline import Update
    from detector.sources.accounting import Accounting

_FREEZE_EVERY = 10_000
"""Alerts that are put into the picture from one time that the garbage collector is relieved of them
to the next."""
_AT_A_TIME = 2_000
"""Alerts of one batch: more would hold up the keys."""


@dataclass(frozen=True)
class Snapshot:
    """What the store holds for the screens; of the alerts only which there are: they came in parts
    before."""

    alert_ids: frozenset[str]
    notes: tuple[Note, ...]
    suppressions: tuple[Suppression, ...]
    accounting: Accounting


class ViewModel:
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
        self._newer: set[str] | None = None
        self._since: list[Callable[[], None]] = []
        self._counted = False
        self._not_frozen = 0

    def expect_snapshot(self) -> None:
        """The store is being read from now on: what comes until ``load`` is newer."""
        self._newer, self._since, self._counted = set(), [], False

    def load_part(self, alerts: Sequence[Alert]) -> None:
        """Alerts that were read. One that is as it was stays the same object, so nobody looks at it
        again."""
        newer = self._newer or ()
        for alert in alerts:
            if alert.alert_id not in newer and self.alerts.get(alert.alert_id) != alert:
                self._put(alert)

    def load(self, snapshot: Snapshot) -> None:
        """All parts of this snapshot are there: what came since ``expect_snapshot`` goes on top of
        it."""
        newer, since, self._newer, self._since = self._newer or set(), self._since, None, []
        self.loaded = True
        for name in [
            name for name in self.alerts if name not in snapshot.alert_ids and name not in newer
        ]:
            del self.alerts[name]
        self.notes = list(snapshot.notes)
        self.suppressions = list(snapshot.suppressions)
        self.accounting = self.accounting if self._counted else snapshot.accounting
        for change in since:
            change()

    def update(self, update: Update, now: float) -> None:
        """The pipeline found something. What the analyst decided on an alert stays; only the app
        changes it."""
        self._take(update.alerts, update.withdrawn, now)
        self.accounting, self._counted = update.accounting, True
        self.live = update.live
        self.newest = update.newest if update.newest is not None else self.newest
        self.problems.extend(update.problems)

    def decide(self, alerts: Sequence[Alert]) -> None:
        """The store says that these alerts have a new status."""
        for alert in alerts:
            self._note_newer(alert.alert_id)
            self._put(alert)

    def rejudge(self, judged: Iterable[tuple[Alert, Alert]]) -> None:
        """Suppressions hide other alerts than before: each alert as it was, and as it is. What
        changed since stays."""
        for before, alert in judged:
            if self.alerts.get(alert.alert_id) is before:
                self._put(alert)

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

    def active(self, now: float) -> list[Suppression]:
        """The suppressions that hide, the oldest first."""
        return [
            suppression for suppression in reversed(self.suppressions) if suppression.active(now)
        ]

    def next_expiry(self, now: float) -> float | None:
        """When the next active suppression stops hiding, and the store has to be asked again."""
        return min((s.expires for s in self.suppressions if s.active(now)), default=None)

    def _do(self, change: Callable[[], None]) -> None:
        change()
        if self._newer is not None:
            self._since.append(change)

    def _note_newer(self, alert_id: str) -> None:
        if self._newer is not None:
            self._newer.add(alert_id)

    def _put(self, alert: Alert) -> None:
        """What stays is not looked through by the garbage collector each time: that would stop the
        screen."""
        self.alerts[alert.alert_id] = alert
        self._not_frozen += 1
        if self._not_frozen >= _FREEZE_EVERY:
            self._not_frozen = 0
            gc.freeze()

    def _take(self, alerts: Iterable[Alert], withdrawn: Iterable[str], now: float) -> None:
        active = self.active(now)
        for alert_id in withdrawn:
            self._note_newer(alert_id)
            self.alerts.pop(alert_id, None)
        for alert in alerts:
            known = self.alerts.get(alert.alert_id)
            status = known.status if known else alert.status
            self._note_newer(alert.alert_id)
            self._put(_judged(msgspec.structs.replace(alert, status=status), active))

    def _put_note(self, note: Note) -> None:
        others = [known for known in self.notes if known.note_id != note.note_id]
        self.notes = sorted(
            [note, *others], key=lambda entry: (entry.created, entry.note_id), reverse=True
        )

    def _put_suppression(self, suppression: Suppression) -> None:
        others = [
            known
            for known in self.suppressions
            if known.suppression_id != suppression.suppression_id
        ]
        self.suppressions = sorted(
            [suppression, *others], key=lambda entry: entry.created, reverse=True
        )


def rejudged(alerts: Iterable[Alert], active: Sequence[Suppression]) -> list[tuple[Alert, Alert]]:
    """The alerts to which these suppressions do otherwise than it says in them: as they are, and as
    they would be."""
    pairs = ((alert, _judged(alert, active)) for alert in alerts)
    return [
        (before, after)
        for before, after in pairs
        if (before.suppressed_by, before.broke_through)
        != (after.suppressed_by, after.broke_through)
    ]


def _judged(alert: Alert, active: Sequence[Suppression]) -> Alert:
    if alert.suppressed_by is not None or alert.broke_through:
        alert = msgspec.structs.replace(alert, suppressed_by=None, broke_through=[])
    return apply_suppressions(alert, active)


class Inbox:
    """Where the pipeline's thread leaves its updates, merged into one until the event loop takes
    it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: Update | None = None

    def put(self, update: Update) -> bool:
        """Add an update; whether the inbox was empty, so that the app must be told."""
        with self._lock:
            was_empty = self._held is None
            self._held = update if self._held is None else _merged(self._held, update)
            return was_empty

    def take(self) -> tuple[Update | None, bool]:
        """What there is, of very many alerts only the first; whether there is more."""
        with self._lock:
            held, self._held = self._held, None
            if held is not None and len(held.alerts) > _AT_A_TIME:
                self._held = msgspec.structs.replace(
                    held, alerts=held.alerts[_AT_A_TIME:], withdrawn=(), problems=()
                )
                held = msgspec.structs.replace(held, alerts=held.alerts[:_AT_A_TIME])
            return held, self._held is not None


def _merged(first: Update, second: Update) -> Update:
    alerts = {alert.alert_id: alert for alert in (*first.alerts, *second.alerts)}
    gone = set(second.withdrawn)
    returned = {alert.alert_id for alert in second.alerts}
    return type(second)(
        alerts=tuple(
            alert
            for alert in alerts.values()
            if alert.alert_id in returned or alert.alert_id not in gone
        ),
        withdrawn=tuple(
            dict.fromkeys([*(i for i in first.withdrawn if i not in returned), *second.withdrawn])
        ),
        accounting=second.accounting,
        live=second.live,
        newest=second.newest if second.newest is not None else first.newest,
        problems=(*first.problems, *second.problems),
    )
