"""The parts of a signature that activity counts: a client's traits and a call's outcome."""

from __future__ import annotations

from typing import NamedTuple

from detector.cloudtrail.record import ApiCall
from detector.detection.activity.activity import ActivityKind

Traits = tuple[str, str, str, str]
"""A client's network, program, account and long-term key; ``""``: none."""
TRAIT_KINDS: tuple[ActivityKind, ...] = ("network", "program", "account", "key")
"""The kinds of the four ``Traits``, in order."""


class CallOutcome(NamedTuple):
    """A call as it is counted: ``label``, its service and name, and how it ended."""

    label: str
    is_failed: bool
    is_denied: bool
    is_write: bool

    @classmethod
    def of(cls, call: ApiCall) -> CallOutcome:
        """Return the outcome of a call."""
        source, name, read_only, _, error = call
        return cls(
            f"{source or ''}:{name or ''}", bool(error), is_denial(error), read_only is False
        )


def is_denial(error: str | None) -> bool:
    """Return whether an error code means that a permission was missing."""
    return error is not None and any(word in error for word in _DENIALS)


_DENIALS = ("AccessDenied", "Unauthorized", "Forbidden", "NotAuthorized", "AuthFailure")
