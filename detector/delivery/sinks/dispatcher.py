"""The dispatcher: chooses the notices to send, keeps their order, and retries failed sinks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from detector.delivery.sinks.notice import Notice, Sink, SinkError
from detector.delivery.sinks.outbox import Outbox, QueuedNotice
from detector.detection.alert import Alert
from detector.text.plural import plural
from detector.triage.watch import WatchRow

Revisions = Literal["first", "every"]

MAX_ATTEMPTS = 12
"""Attempts to send a notice, over about an hour, before it is given up."""
_MAX_PAUSE = 600


class Dispatcher:
    """Sends notices of alerts and watches to sinks.

    ``revisions``: ``first`` sends one notice per alert, and one per watch for what it has seen
    since it was acknowledged; ``every`` also sends each change. ``clock`` is monotonic. After a
    failure a sink is paused, for twice as long each time; its notices keep their order."""

    def __init__(
        self,
        sinks: Sequence[Sink],
        outbox: Outbox,
        warn: Callable[[str], None],
        revisions: Revisions = "first",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sinks, self._outbox, self._warn = sinks, outbox, warn
        self._revisions, self._clock = revisions, clock
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._attempts: dict[str, int] = {}
        self._due: dict[str, float] = {}
        unknown = outbox.sink_ids() - {sink.sink_id for sink in sinks}
        if unknown:
            warn("notices wait for sinks that are not named now: name them again to send these")

    def offer(self, alerts: Iterable[Alert]) -> None:
        """Queue notices of the alerts that have a risk score and are not suppressed."""
        with self._lock:
            chosen = [each for each in alerts if each.risk is not None and not each.suppressed_by]
            queued = [self._queue(sink, alert) for alert in chosen for sink in self._sinks]
            if any(queued):
                self._outbox.save()
        self._wake.set()

    def offer_watches(self, rows: Iterable[WatchRow]) -> None:
        """Queue notices of watches with new sightings."""
        notices = [Notice.of_watch(each, self._revisions == "every") for each in rows]
        sinks = [sink for sink in self._sinks if sink.takes_watches]
        with self._lock:
            queued = [
                (sink, notice)
                for notice in notices
                for sink in sinks
                if self._outbox.told(sink.sink_id, notice.subject_id) != notice.key
            ]
            for sink, notice in queued:
                self._outbox.put(sink.sink_id, notice.subject_id, notice)
            if queued:
                self._outbox.save()
        self._wake.set()

    def _queue(self, sink: Sink, alert: Alert) -> bool:
        ids = (alert.alert_id, *alert.supersedes)
        told = [self._outbox.told(sink.sink_id, each) for each in ids]
        is_first = not any(told)
        notice = Notice.of(alert, is_first)
        if notice.key in told or not (is_first or self._revisions == "every"):
            return False
        self._outbox.put(sink.sink_id, alert.alert_id, notice)
        return True

    def deliver(self) -> float | None:
        """Send what is due; return the seconds until the next attempt, None if nothing waits."""
        pauses = [self._deliver_to(sink) for sink in self._sinks]
        return min((pause for pause in pauses if pause is not None), default=None)

    def _deliver_to(self, sink: Sink) -> float | None:
        while True:
            with self._lock:
                waiting = self._outbox.waiting(sink.sink_id)[:1]
            if not waiting:
                return None
            pause = self._due.get(sink.sink_id, 0.0) - self._clock()
            if pause > 0:
                return pause
            self._attempt(sink, waiting[0])

    def _attempt(self, sink: Sink, queued: QueuedNotice) -> None:
        try:
            sink.send(queued.notice)
        except SinkError as error:
            self._failed(sink, queued, error)
            return
        self._attempts.pop(sink.sink_id, None)
        self._due.pop(sink.sink_id, None)
        with self._lock:
            self._outbox.remove(queued)

    def _failed(self, sink: Sink, queued: QueuedNotice, error: SinkError) -> None:
        attempts = self._attempts.get(sink.sink_id, 0) + 1
        self._attempts[sink.sink_id] = attempts
        if not error.retry or attempts >= MAX_ATTEMPTS:
            self._attempts.pop(sink.sink_id)
            with self._lock:
                self._outbox.bury(queued, f"{sink.title}: {error}")
            return
        if attempts == 1:
            self._warn(f"{sink.title}: {error}: sent again later")
        self._due[sink.sink_id] = self._clock() + min(2.0**attempts, _MAX_PAUSE)

    def run(self, stop: threading.Event) -> None:
        """Send until ``stop`` is set, then send once more what is due.

        Blocks: run it in a thread."""
        while True:
            # Clear before checking ``stop``; in the other order a wake-up between the two
            # would be lost.
            self._wake.clear()
            if stop.is_set():
                break
            self._wake.wait(self.deliver())
        self.deliver()
        left = len(self._outbox)
        if left:
            self._warn(f"not sent yet, kept for the next run: {plural(left, 'notice')}")

    def wake(self) -> None:
        """Make ``run`` check ``stop``."""
        self._wake.set()
