"""Textual workers that end quietly when their screen is removed.

Textual removes a screen's widgets before it ends the screen's workers. A worker that resumes in
between would find no widget for its result, and the app would crash.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from inspect import iscoroutinefunction
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from textual.css.query import NoMatches
from textual.worker import Worker


class WorkerOwner(Protocol):
    """The owner of workers: a screen, a widget, a part."""

    @property
    def is_running(self) -> bool:
        """Whether the owner is mounted; its workers end when it is removed."""

    @property
    def run_worker(self) -> Callable[..., Worker[Any]]:
        """Textual's method that starts a worker."""


N = TypeVar("N", bound=WorkerOwner)
P = ParamSpec("P")


def work(
    **options: Any,
) -> Callable[[Callable[Concatenate[N, P], Any]], Callable[Concatenate[N, P], Worker[None]]]:
    """Make a method run as a worker; ``options`` are passed to ``run_worker``."""

    def decorate(
        method: Callable[Concatenate[N, P], Any],
    ) -> Callable[Concatenate[N, P], Worker[None]]:
        @wraps(method)
        async def run_until_removed(self: N, *args: P.args, **kwargs: P.kwargs) -> None:
            try:
                await method(self, *args, **kwargs)
            except NoMatches:
                if self.is_running:
                    raise

        run: Callable[..., Any] = run_until_removed if iscoroutinefunction(method) else method

        @wraps(method)
        def begin(self: N, /, *args: P.args, **kwargs: P.kwargs) -> Worker[None]:
            call = partial(run, self, *args, **kwargs)
            return self.run_worker(call, name=method.__name__, **options)

        return begin

    return decorate
