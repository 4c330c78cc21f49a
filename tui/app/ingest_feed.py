"""Run the pipeline in a thread, and show its updates in batches.

Only one process ingests into a state. Others wait in this thread until that process ends.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from textual.app import App

from tui.model.inbox import UpdateInbox

if TYPE_CHECKING:
    from detector.ingest.pipeline import Pipeline, Update
    from detector.store import Store

_BATCH_SECONDS = 0.25
"""Minimum time between two batches on screen."""


class IngestFeed:
    """Updates of a pipeline, merged into batches.

    Callbacks, all on the event loop: ``waiting`` receives the name of the process that is ingesting
    instead, ``started`` the pipeline, ``show`` each batch, and ``stopped`` one line that says why
    the pipeline failed.
    """

    def __init__(
        self,
        app: App[Any],
        *,
        waiting: Callable[[str], None],
        started: Callable[[Pipeline], None],
        show: Callable[[Update], None],
        stopped: Callable[[str], None],
    ) -> None:
        self._app = app
        self._waiting = waiting
        self._started = started
        self._show = show
        self._stopped = stopped
        self._inbox = UpdateInbox()
        self._last_batch = float("-inf")

    def start(self, store: Store, make: Callable[[], Pipeline], stop: threading.Event) -> None:
        """Make the pipeline and run it in a thread until ``stop`` is set.

        The pipeline is made once no other process ingests, so it continues where that one ended.
        """
        run = partial(self._run, store, make, stop)
        self._app.run_worker(run, group="ingest", thread=True, exit_on_error=False)

    def _run(self, store: Store, make: Callable[[], Pipeline], stop: threading.Event) -> None:
        from detector.ingest.takeover import await_ingest
        from detector.store import StateError

        try:
            if not await_ingest(store, stop, self._tell_waiting):
                return
            pipeline = make()
            self._app.call_later(self._started, pipeline)
            pipeline.run(stop, self._put)
        except StateError as error:
            self._app.call_later(self._stopped, str(error))
        except Exception as error:  # whatever went wrong, the analyst keeps the screen
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            self._app.call_later(self._stopped, reason)

    def _tell_waiting(self, holder: str) -> None:
        self._app.call_later(self._waiting, holder)

    def _put(self, update: Update) -> None:
        if self._inbox.put(update):
            self._app.call_later(self._schedule_batch)

    def _schedule_batch(self) -> None:
        wait = self._last_batch + _BATCH_SECONDS - time.monotonic()
        if wait > 0:
            self._app.set_timer(wait, self.take_batch)
        else:
            self.take_batch()

    def take_batch(self) -> None:
        """Show what the pipeline has found since the last batch."""
        self._last_batch = time.monotonic()
        update, more = self._inbox.take()
        if update is None:
            return
        if more:
            self._app.call_later(self._schedule_batch)
        self._show(update)
