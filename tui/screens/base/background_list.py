"""Building a list's rows off the event loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from tui.concurrency.job import Cancelled, Job
from tui.concurrency.worker import work
from tui.screens.base.filtered_list import ListScreen
from tui.screens.base.screen import ScreenPart

Rows = TypeVar("Rows")

_SYNCHRONOUS_ROWS = 2_000
"""Up to this many rows, a build is fast enough to run within a key press."""
_PROGRESS_AFTER = 0.2
"""Seconds after which the progress of a build is shown."""
_REST_FACTOR = 4
"""A build that the analyst did not request waits this many times the last build's duration."""


class RowSource(Protocol[Rows]):
    """Provides the build of the rows, and shows its result."""

    def row_count(self) -> int:
        """Return how many rows a build has to go through."""

    def row_build(self) -> Callable[[Job], Rows]:
        """Return the build, which runs in a thread.

        It captures everything that it needs.
        """

    def accepts(self, result: Rows) -> bool:
        """Return whether the result may be shown in the screen's current state."""

    def apply(self, result: Rows) -> None:
        """Show the result."""

    def view_state(self) -> object:
        """Return what the analyst may change about the rows: filter, order, folds."""

    def restore(self, state: Any) -> None:
        """Restore a state that ``view_state`` returned."""


class BackgroundRows(ScreenPart, Generic[Rows]):
    """Builds the rows of a list screen, one build at a time.

    A change that the analyst requests replaces the running build. The analyst can give it up while
    it runs; the list then stays as it is. Other changes wait until the running build has ended.
    """

    def __init__(self, screen: ListScreen[Any], source: RowSource[Rows]) -> None:
        super().__init__(screen)
        self._list = screen
        self._source = source
        self.requested = False
        """Whether the analyst has requested a build whose result is not shown yet."""
        self._job: Job | None = None
        self._number = 0
        """The number of the current build; results of other builds are dropped."""
        self._repeat = False
        self._begun = 0.0
        self._rest_until = 0.0
        self._shown_state: object = None

    @property
    def is_settled(self) -> bool:
        """Whether no build is running, waiting or requested."""
        return self._job is None and not self.requested and not self._repeat

    def recompute(self) -> None:
        """Rebuild the rows because the analyst has changed what to show."""
        self.requested = True
        self.discard()
        self._list.show()

    def discard(self) -> None:
        """Cancel the running build and drop its result."""
        self._number += 1
        if self._job is not None:
            self._job.cancel()

    def close(self) -> None:
        """Cancel the running build, since the screen is being removed."""
        self.discard()

    def give_up(self) -> bool:
        """Give up the requested change; return whether there was one."""
        if self._job is None or not self.requested or self._shown_state is None:
            return False
        self.requested = False
        self._source.restore(self._shown_state)
        self.discard()
        self._list.end_progress()
        return True

    def update(self) -> None:
        """Rebuild the rows, in a thread if there are many."""
        if self._job is not None:
            self._repeat = True
            return
        if self._source.row_count() <= _SYNCHRONOUS_ROWS:
            self._show(self._source.row_build()(Job()))
            return
        wait = self._rest_until - time.monotonic()
        if wait > 0 and not self.requested:
            if not self._repeat:
                self._repeat = True
                self.screen.set_timer(wait, self._update_again)
            return
        self._job, self._begun, self._repeat = Job(), time.monotonic(), False
        self._build(self._source.row_build(), self._job, self._number)
        self._show_progress_later(self._job)

    @work(thread=True, group="arrange", exit_on_error=False)
    def _build(self, build: Callable[[Job], Rows], job: Job, number: int) -> None:
        result: Rows | None = None
        failure: Exception | None = None
        try:
            result = build(job)
        except Cancelled:
            pass
        except Exception as error:  # a failed build must not crash the app
            failure = error
        self.screen.call_later(self._built, number, result, failure)

    def _built(self, number: int, result: Rows | None, failure: Exception | None) -> None:
        self._job = None
        now = time.monotonic()
        self._rest_until = now + _REST_FACTOR * (now - self._begun)
        if failure is not None:
            self.requested = False
            self.workspace.say(f"The list could not be built: {failure!r}", severity="error")
        elif (
            result is not None
            and number == self._number
            and self.screen.is_in_front
            and self._source.accepts(result)
        ):
            self._show(result)
        else:
            self._repeat = True
        if self._repeat:
            self._update_again()

    def _show(self, result: Rows) -> None:
        self.requested, self._shown_state = False, self._source.view_state()
        self._source.apply(result)
        self._list.end_progress()

    def _update_again(self) -> None:
        self._repeat = False
        if self.screen.is_in_front:
            self._list.show()

    def _show_progress_later(self, job: Job) -> None:
        """Show the progress of a requested build while it runs."""

        def show() -> None:
            if self._job is job:
                if self.requested and self.screen.is_in_front:
                    self._list.query_line.show_progress("arranging", job.share)
                self._show_progress_later(job)

        self.screen.set_timer(_PROGRESS_AFTER, show)
