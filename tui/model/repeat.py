"""Remember the last decision, so that it can be repeated."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

R = TypeVar("R")


@dataclass(frozen=True)
class Action(Generic[R]):
    """An action on rows, described by ``label``.

    ``run`` returns a line that says what was done, or None if a form took over. It raises the
    store's errors.
    """

    label: str
    run: Callable[[Sequence[R]], Awaitable[str | None]]


@dataclass(frozen=True)
class LastAction:
    """The latest action, and the ids of its rows."""

    action: Action[Any]
    row_ids: frozenset[str]
