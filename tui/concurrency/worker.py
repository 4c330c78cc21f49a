"""Textual's workers, which here end quietly with what they work for.

A screen's widgets are taken down before Textual ends its workers. One that goes on in between, because what it waited
for has come, finds nothing to show it in, and that would be a crash.
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
    """A method of a screen or a widget that runs as a worker; ``options`` are those of
    ``textual.work``."""

    def worker(
        method: Callable[Concatenate[N, P], Any],
    ) -> Callable[Concatenate[N, P], Worker[None]]:
        @wraps(method)
        async def until_gone(self: N, *args: P.args, **kwargs: P.kwargs) -> None:
            try:
                await method(self, *args, **kwargs)
            except NoMatches:
                if self.is_running:
                    raise

        begun: Callable[[Any], Callable[Concatenate[N, P], Worker[None]]] = textual.work(**options)
        return begun(until_gone if iscoroutinefunction(method) else method)

    return worker
