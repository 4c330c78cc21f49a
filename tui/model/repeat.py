"""Remember the last decision, so that it can be repeated."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

R = TypeVar("R")


@dataclass(frozen=True)
class Act(Generic[R]):
    """Something to do to rows. ``words`` say what, as a label does; ``do`` does it and gives the
    line that tells so, or None where a form took over. It raises what the store raises."""

    words: str
    do: Callable[[Sequence[R]], Awaitable[str | None]]


@dataclass(frozen=True)
class Last:
    """The act that was done last, and the ids of the rows that it was done to."""

    act: Act[Any]
    on: frozenset[str]
