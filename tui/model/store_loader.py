"""The state, read into the picture: in a thread and in parts, so that no key waits for 100,000 alerts."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual.app import App

from detector.store import StateError, Store
from tui.model.view_model import Snapshot, ViewModel, rejudged

if TYPE_CHECKING:
    from detector.detection.alert import Alert

_SHARE = 5
"""What another trailhound writes is read again after so many times as long as the last reading
took."""


class StateReader:
    """One reading at a time. ``changed`` is called when the picture is another one, ``failed`` with
    a line that says why it is not; both on the event loop. ``now`` gives epoch seconds."""

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
        """Read all of the store again."""
        if self._busy:
            self._next = self.reload
            return
        self._view_model.expect_snapshot()
        self._start(self._read)

    def rejudge(self) -> None:
        """Suppressions have changed, or ended: hide what they hide now. The store need not be read
        for that."""
        if self._busy:
            self._next = self._next or self.rejudge
            return
        alerts, active = self._view_model.alerts.copy(), self._view_model.active(self._now())
        self._start(lambda: self._call(self._judged, rejudged(alerts.values(), active)))

    def tick(self) -> None:
        """Time has passed: a suppression may have ended, another trailhound may have written."""
        if self._expiry is not None and self._expiry <= self._now():
            self._expiry = None
            self.rejudge()
        elif self._store.read_only and not self._busy and time.monotonic() >= self._not_before:
            try:
                before, self._version = self._version, self._store.version()
            except StateError as error:
                self._failed(str(error))
            else:
                if before != self._version:
                    self.reload()

    def _start(self, work: Callable[[], None]) -> None:
        self._busy = True
        self._app.run_worker(work, group="store", thread=True, exit_on_error=False)

    def _read(self) -> None:
        begun = time.monotonic()
        names: list[str] = []
        try:
            for alerts in self._store.alerts.batches():
                names += [alert.alert_id for alert in alerts]
                self._call(self._part, alerts)
            snapshot = Snapshot(
                frozenset(names),
                tuple(self._store.triage.notes()),
                tuple(self._store.suppressions.all()),
                self._store.files.accounting(),
            )
        except StateError as error:
            self._call(self._unreadable, str(error))
        else:
            self._call(self._loaded, snapshot)
        self._not_before = time.monotonic() + _SHARE * (time.monotonic() - begun)

    def _call(self, then: Callable[..., None], *given: Any) -> None:
        """From the thread: do this on the event loop."""
        self._app.call_later(then, *given)

    def _part(self, alerts: list[Alert]) -> None:
        self._view_model.load_part(alerts)
        if not self._view_model.loaded:
            self._changed()  # the newest ones are there already

    def _loaded(self, snapshot: Snapshot) -> None:
        self._view_model.load(snapshot)
        self._finish()

    def _judged(self, pairs: list[tuple[Alert, Alert]]) -> None:
        self._view_model.rejudge(pairs)
        self._finish()

    def _finish(self) -> None:
        self._expiry = self._view_model.next_expiry(self._now())
        self._changed()
        self._go_on()

    def _unreadable(self, reason: str) -> None:
        self._failed(reason)
        self._go_on()

    def _go_on(self) -> None:
        self._busy = False
        following, self._next = self._next, None
        if following is not None:
            following()
