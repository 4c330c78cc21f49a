"""Load the store into the view model, in parts, in a thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual.app import App

from detector.store import StateError, Store
from tui.model.view_model import Snapshot, ViewModel, changed_by_suppressions

if TYPE_CHECKING:
    from detector.detection.alert import Alert

_REST_FACTOR = 5
"""Pause before reading what another process wrote, as a multiple of the last load's duration."""


class StoreLoader:
    """Loads one snapshot at a time.

    ``changed`` is called when the view model has changed, ``failed`` with one line that says why
    reading failed; both run on the event loop. ``now`` returns epoch seconds.
    """

    def __init__(
        self,
        app: App[Any],
        store: Store,
        view_model: ViewModel,
        *,
        changed: Callable[[], None],
        failed: Callable[[str], None],
        now: Callable[[], float],
    ) -> None:
        self._app = app
        self._store = store
        self._view_model = view_model
        self._changed = changed
        self._failed = failed
        self._now = now
        self._busy = False
        self._next: Callable[[], None] | None = None
        self._version = -1
        self._not_before = 0.0
        self._expiry: float | None = None

    def reload(self) -> None:
        """Read the whole store again."""
        if self._busy:
            self._next = self.reload
            return
        self._view_model.expect_snapshot()
        self._start(self._read)

    def reapply_suppressions(self) -> None:
        """Apply the current suppressions to the alerts shown, without reading the store."""
        if self._busy:
            self._next = self._next or self.reapply_suppressions
            return
        alerts = self._view_model.alerts.copy().values()
        active = self._view_model.active(self._now())
        self._start(lambda: self._call(self._reapplied, changed_by_suppressions(alerts, active)))

    def tick(self) -> None:
        """Check for suppressions that have expired, and for writes of another process."""
        if self._expiry is not None and self._expiry <= self._now():
            self._expiry = None
            self.reapply_suppressions()
        elif not self._busy and time.monotonic() >= self._not_before:
            self._reload_if_written()

    def _reload_if_written(self) -> None:
        try:
            version = self._store.version()
        except StateError as error:
            self._failed(str(error))
            return
        if version != self._version:
            self.reload()

    def _start(self, work: Callable[[], None]) -> None:
        self._busy = True
        self._app.run_worker(work, group="store", thread=True, exit_on_error=False)

    # --- in the thread

    def _read(self) -> None:
        start = time.monotonic()
        alert_ids: list[str] = []
        try:
            self._version = self._store.version()
            for alerts in self._store.alerts.batches():
                alert_ids += [alert.alert_id for alert in alerts]
                self._call(self._part_read, alerts)
            snapshot = Snapshot(
                frozenset(alert_ids),
                tuple(self._store.triage.notes()),
                tuple(self._store.suppressions.all()),
                self._store.files.accounting(),
                tuple(self._store.watches.all()),
                tuple(self._store.hunts.all()),
                self._store.files.newest_event_time(),
            )
        except StateError as error:
            self._call(self._read_failed, str(error))
        else:
            self._call(self._read_done, snapshot)
        self._not_before = time.monotonic() + _REST_FACTOR * (time.monotonic() - start)

    def _call(self, callback: Callable[..., None], *args: Any) -> None:
        self._app.call_later(callback, *args)

    # --- on the event loop

    def _part_read(self, alerts: list[Alert]) -> None:
        self._view_model.load_part(alerts)
        if not self._view_model.loaded:
            self._changed()  # the first part holds the newest alerts

    def _read_done(self, snapshot: Snapshot) -> None:
        self._view_model.load(snapshot)
        self._finish()

    def _reapplied(self, changed: list[tuple[Alert, Alert]]) -> None:
        self._view_model.reapply_suppressions(changed)
        self._finish()

    def _read_failed(self, reason: str) -> None:
        self._failed(reason)
        self._start_next()

    def _finish(self) -> None:
        self._expiry = self._view_model.next_expiry(self._now())
        self._changed()
        self._start_next()

    def _start_next(self) -> None:
        self._busy = False
        following, self._next = self._next, None
        if following is not None:
            following()
