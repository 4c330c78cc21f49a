"""What is counted of the parts of a signature: a client's traits, a call's outcome."""

from __future__ import annotations

from typing import NamedTuple

from detector.cloudtrail.record import ApiCall
from detector.detection.activity.activity import ActivityKind

Traits = tuple[str, str, str, str]
"""The network, program, account and long-term key of a client in any call; ``""``: none."""
TRAIT_KINDS: tuple[ActivityKind, ...] = ("network", "program", "account", "key")
"""What each of the traits is."""


class CallOutcome(NamedTuple):
    """What is counted of a call: its name with the service, and how it ended."""

    label: str
    is_failed: bool
    is_denied: bool
    is_write: bool

    @classmethod
    def of(cls, call: ApiCall) -> CallOutcome:
        """Return what is counted of a call."""
        source, name, read_only, _, error = call
        return cls(
            f"{source or ''}:{name or ''}", bool(error), is_denial(error), read_only is False
        )


def is_denial(error: str | None) -> bool:
    """Return whether an error code says that a permission was missing."""
    return error is not None and any(word in error for word in _DENIALS)


_DENIALS = ("AccessDenied", "Unauthorized", "Forbidden", "NotAuthorized", "AuthFailure")
