"""Routines: calls that a caller repeats."""

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
    """One call of a routine; its texts may have placeholders for resources, such as ``{instance}``.

    A step that assumes a role obtains the session of the routine's caller.
    """

    source: str
    action: str
    parameters: Json | None = None
    response: Json | None = None
    resource: str | None = None
    failure: Failure | None = None
    share: float = 1.0
    """The share of runs that include the call, from 0 to 1."""
    by: Caller | None = None
    """The caller, if it is not the routine's."""
    via: str | None = None
    """The AWS service that makes the call on behalf of the routine's caller."""


@dataclass(frozen=True)
class Routine:
    """A caller that repeats the same calls about every ``every`` seconds.

    ``pace`` is the mean time between two calls of a run, in seconds.
    """

    name: str
    region: str
    every: int
    who: Callable[[int], Caller]
    """Returns the caller of the run that begins at a time in epoch seconds."""
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
