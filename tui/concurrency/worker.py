"""Textual's workers, made to end quietly with the widget that they work for.

Textual removes a screen's widgets before it ends its workers. A worker that resumes in between
finds no widget to show its result in, which would crash the app.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, Concatenate, ParamSpec, TypeVar

import textual
from textual.css.query import NoMatches
from textual.dom import DOMNode
from textual.worker import Worker

N = TypeVar("N", bound=DOMNode)
P = ParamSpec("P")


def work(
    **options: Any,
) -> Callable[[Callable[Concatenate[N, P], Any]], Callable[Concatenate[N, P], Worker[None]]]:
    """Run a method of a screen or widget as a worker.

    ``options`` are those of ``textual.work``.
    """

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

        as_worker: Callable[[Any], Callable[Concatenate[N, P], Worker[None]]] = textual.work(
            **options
        )
        return as_worker(run_until_removed if iscoroutinefunction(method) else method)

    return decorate
