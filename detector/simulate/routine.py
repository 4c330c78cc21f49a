"""Routines: the same calls repeated by a caller."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from detector.simulate.shapes import (
    Caller,
    Failure,
    Json,
)

KEY_ARN = "arn:aws:kms:{region}:{account}:key/{key}"


@dataclass(frozen=True)
class Step:
    """One call of a routine; its texts may name resources.

    ``{instance}`` and the like are filled in. A step that assumes a role gets the session of the
    routine's caller.
    """

    source: str
    action: str
    parameters: Json | None = None
    response: Json | None = None
    resource: str | None = None
    failure: Failure | None = None
    share: float = 1.0
    """In which share of the runs it is made."""
    by: Caller | None = None
    """Who makes it, if not the routine's own caller."""
    via: str | None = None
    """The AWS service that makes it for the routine's caller."""


@dataclass(frozen=True)
class Routine:
    """A caller who repeats the same calls about every ``every`` seconds.

    ``pace`` is the time between two calls, in seconds.
    """

    name: str
    region: str
    every: int
    who: Callable[[int], Caller]
    """The caller of the run that begins at that second."""
    steps: tuple[Step, ...]
    pace: float = 0.5


def always(who: Caller) -> Callable[[int], Caller]:
    return lambda _run: who


def decrypt_step(context: Json, via: str) -> Step:
    return Step(
        "kms",
        "Decrypt",
        {"encryptionContext": context, "encryptionAlgorithm": "SYMMETRIC_DEFAULT"},
        resource=KEY_ARN,
        via=via,
    )
