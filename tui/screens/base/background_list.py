"""A list that may be long: its rows are put together off the event loop, and only the newest wish counts."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from textual import on
from textual.message import Message

from detector.filter import Filter
from tui.concurrency.job import Cancelled, Job
from tui.concurrency.worker import work
from tui.screens.base.filtered_list import ListScreen

R = TypeVar("R")
A = TypeVar("A")

_AT_ONCE = 2_000
"""Rows up to which it takes no longer than a key press may."""
_TELL_AFTER = 0.2
"""Seconds from which it is said how far the work is."""
_SHARE = 4
"""After some work, the same without being asked by the analyst waits for so many times what it
took."""


class ArrangedScreen(ListScreen[R], Generic[R, A]):
    """``arranging`` gives the work, ``arranged`` puts its result on screen.

    What the analyst asks for (another order, another filter: ``rearrange``) takes the place of what
    is being done, and ``esc`` gives it up while it lasts: the list stays as it is. What merely
    comes in waits its turn."""

    class Arranged(Message):
        """Some work has come to its end: its number, and what ``arranged`` takes; None where it was
        given up."""

        def __init__(self, number: int, result: Any, error: Exception | None = None) -> None:
            super().__init__()
            self.number = number
            self.result = result
            self.error = error

    def __init__(self) -> None:
        super().__init__()
        self._job: Job | None = None
        self._number = 0
        """Of the work whose result is wanted; results of others are dropped."""
        self._asked = False
        self._again = False
        self._begun = 0.0
        self._rest_until = 0.0
        self._in_force: object = None

    def row_count(self) -> int:
        """How many rows there are to look at."""
        raise NotImplementedError

    def arranging(self) -> Callable[[Job], A]:
        """The work: it runs in a thread, and takes along all that it needs."""
        raise NotImplementedError

    def arranged(self, result: A) -> None:
        """Put it on screen."""
        raise NotImplementedError

    def fits(self, result: A) -> bool:  # noqa: ARG002
        """Whether it may come on screen as things are now."""
        return True

    def wish(self) -> object:
        """What the analyst may change: filter, order, folds. ``take_back`` takes it."""
        raise NotImplementedError

    def take_back(self, wish: Any) -> None:
        raise NotImplementedError

    def rearrange(self) -> None:
        """The analyst wants it otherwise."""
        self._asked = True
        self.hold_rows()
        self.show()

    def hold_rows(self) -> None:
        """What is being arranged must not come on screen any more."""
        self._number += 1
        if self._job is not None:
            self._job.cancel()

    def show(self) -> None:
        if self._job is not None:
            self._again = True
            return
        if self.row_count() <= _AT_ONCE:
            self._done(self.arranging()(Job()))
            return
        wait = self._rest_until - time.monotonic()
        if wait > 0 and not self._asked:
            if not self._again:
                self._again = True
                self.set_timer(wait, self._go_on)
            return
        self._job, self._begun, self._again = Job(), time.monotonic(), False
        self._arrange(self.arranging(), self._job, self._number)
        self._tell_later(self._job)

    # described here, because Textual would write down what it is given: 100,000 alerts
    @work(thread=True, group="arrange", exit_on_error=False, description="put the rows together")
    def _arrange(self, work: Callable[[Job], A], job: Job, number: int) -> None:
        try:
            self.post_message(self.Arranged(number, work(job)))
        except Cancelled:
            self.post_message(self.Arranged(number, None))
        except Exception as error:  # a list that cannot be arranged must not take the app down
            self.post_message(self.Arranged(number, None, error))

    @on(Arranged)
    def _arranged(self, event: Arranged) -> None:
        self._job = None
        took = time.monotonic() - self._begun
        self._rest_until = time.monotonic() + _SHARE * took
        if event.error is not None:
            self._asked = False
            self.workspace.say(
                f"The list could not be put together: {event.error!r}", severity="error"
            )
        elif (
            event.result is not None
            and event.number == self._number
            and self._in_front
            and self.fits(event.result)
        ):
            self._done(event.result)
        else:
            self._again = True
        if self._again:
            self._go_on()

    def _done(self, result: A) -> None:
        self._asked, self._in_force = False, self.wish()
        self.arranged(result)
        self.settle_progress()

    def _go_on(self) -> None:
        self._again = False
        if self._in_front:
            self.show()

    def _tell_later(self, job: Job) -> None:
        """Say how far it is, for as long as it goes on and was asked for."""

        def tell() -> None:
            if self._job is job:
                if self._asked and self._in_front:
                    self.tell_progress("arranging", job.share)
                self._tell_later(job)

        self.set_timer(_TELL_AFTER, tell)

    def action_back(self) -> None:
        if self._job is not None and self._asked and self._in_force is not None:
            self._asked = False
            self.take_back(self._in_force)
            self.hold_rows()
            self.settle_progress()
        else:
            super().action_back()

    def on_unmount(self) -> None:
        self.hold_rows()

    def _narrow(self, filter: Filter[R]) -> None:
        self.filter = filter
        self.rearrange()
