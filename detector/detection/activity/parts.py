"""What is counted of the parts of a signature: a client's traits, a call's outcome."""

from __future__ import annotations

from typing import NamedTuple

from detector.cloudtrail.record import ApiCall
from detector.detection.activity.activity import ActivityKind
from detector.detection.activity.actor import Actor
from detector.detection.baseline import agent_family, network_of

Traits = tuple[tuple[ActivityKind, str], ...]
"""What is counted of a client in any call: its network, program, account, session and key."""


def traits_of(
    actor: Actor | None,
    recipient: str | None,
    address: str | None,
    agent: str | None,
    key: str | None,
) -> Traits:
    """Return the values that are counted of a client."""
    traits: list[tuple[ActivityKind, str]] = []
    network, program = network_of(address or ""), agent_family(agent or "")
    if network:
        traits.append(("network", network))
    if program:
        traits.append(("program", program))
    if recipient:
        traits.append(("account", recipient))
    if actor and actor.session:
        traits.append(("session", actor.session))
    if key and key.startswith("AKIA"):
        traits.append(("key", key))
    return tuple(traits)


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
