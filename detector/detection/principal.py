"""Related principals: those that share an ARN, role or access key, and those one hop away."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import msgspec

from detector.cloudtrail.record import EventSignature, Head, Record
from detector.detection.baseline import principal_of
from detector.detection.finding import Facets
from detector.text.late_pattern import late_pattern


class Caller(Protocol):
    """Who called; attributes are named as in ``Event``."""

    @property
    def arn(self) -> str: ...
    @property
    def access_key(self) -> str: ...
    @property
    def role_arn(self) -> str: ...


class SessionCaller(Caller, Protocol):
    """Who called, and the key of the session that the call opened."""

    @property
    def issued_key(self) -> str: ...


class PrincipalNames(msgspec.Struct, frozen=True):
    """Names of principals, each list sorted; ``roles`` are the ARNs of sessions' roles."""

    arns: list[str] = []
    roles: list[str] = []
    keys: list[str] = []


class RelatedPrincipals(msgspec.Struct, frozen=True):
    """The principals whose events count for an alert.

    ``own`` are those of its events, ``hop`` those one AssumeRole away, in either direction."""

    own: PrincipalNames
    hop: PrincipalNames = PrincipalNames()

    @classmethod
    def of(cls, facets: Facets) -> RelatedPrincipals:
        """Return the principals of an alert's events."""
        return cls(PrincipalNames(facets.arns, facets.roles, facets.access_keys))

    def __bool__(self) -> bool:
        return bool(self.own.arns or self.own.roles or self.own.keys)

    def includes(self, event: SessionCaller, _record: Record | None = None) -> bool:
        """Return whether an event is by one of these principals, or opened a session of theirs."""
        return self.has_session(event, event.issued_key)

    def has_session(self, caller: Caller, issued_key: str) -> bool:
        """Return whether a caller is one of these principals, or opened a session of theirs."""
        return self.has_caller(caller) or (bool(issued_key) and issued_key in self.own.keys)

    def has_caller(self, caller: Caller) -> bool:
        """Return whether a caller is one of these principals."""
        own, hop = self.own, self.hop
        return (
            caller.arn in own.arns
            or caller.access_key in own.keys
            or caller.role_arn in own.roles
            or caller.arn in hop.arns
            or caller.access_key in hop.keys
        )

    def with_hops(self, events: Iterable[SessionCaller]) -> RelatedPrincipals:
        """Return these principals with those that ``events`` show to be one hop away.

        These are the keys issued by own calls, and the callers whose calls issued an own key."""
        own = self.own
        arns, keys = set(self.hop.arns), set(self.hop.keys)
        for event in events:
            if not event.issued_key:
                continue
            if event.issued_key in own.keys:
                arns.add(event.arn)
                keys.add(event.access_key)
            elif (
                event.arn in own.arns or event.access_key in own.keys or event.role_arn in own.roles
            ):
                keys.add(event.issued_key)
        hop = PrincipalNames(
            arns=sorted(arns - {""} - set(own.arns)), keys=sorted(keys - {""} - set(own.keys))
        )
        return RelatedPrincipals(own, hop)

    def names(self) -> set[str]:
        """Return all names in the form that events have."""
        own, hop = self.own, self.hop
        return {*own.arns, *own.roles, *own.keys, *hop.arns, *hop.roles, *hop.keys}

    def principal_keys(self) -> frozenset[str] | None:
        """Return keys at least one of which every included record has; None if unknown.

        A record's keys are those of ``caller_keys`` and ``issued_keys``."""
        arns = (*self.own.arns, *self.hop.arns)
        keys = {*self.own.keys, *self.hop.keys, *map(principal_of, arns)}
        for role in self.own.roles:
            session = session_principal(role)
            if session is None:
                return None
            keys.add(session)
        return frozenset(keys)

    def required_substrings(self) -> list[bytes] | None:
        """Return substrings at least one of which every included record has; None if unknown."""
        substrings = {required_substring(name.rpartition(":")[2]) for name in self.names()}
        if None in substrings:
            return None
        return sorted(substring for substring in substrings if substring)


STS = "sts.amazonaws.com"
"""The service whose calls open sessions; its records may contain a key that the call issued."""


def caller_keys(head: Head | EventSignature) -> set[str]:
    """Return the principal keys of a record's caller: its principal and its access key."""
    caller = head.caller
    keys = {caller.arn and principal_of(caller.arn), caller.access_key_id}
    return {key for key in keys if key}


_ACCESS_KEY_ID = late_pattern(rb'"accessKeyId"\s*:\s*"([^"]+)"')


def issued_keys(record: bytes | msgspec.Raw) -> set[str]:
    """Return all access keys in a record of STS, including issued ones."""
    return {key.decode(errors="replace") for key in _ACCESS_KEY_ID.findall(record)}


_ROLE_ARN = late_pattern(r"arn:([^:]+):iam::(\d*):role/(?:.*/)?([^/]+)")


def session_principal(role_arn: str) -> str | None:
    """Return the principal of a role's sessions; None for other ARNs."""
    match = _ROLE_ARN.fullmatch(role_arn)
    if not match:
        return None
    return f"arn:{match[1]}:sts::{match[2]}:assumed-role/{match[3]}"


_UNESCAPED_RUN = late_pattern(r"[A-Za-z0-9_.-]+")
"""A run of characters that JSON never escapes."""
_COMMON_RUNS = frozenset(
    {
        "assumed-role",
        "federated-user",
        "user",
        "role",
        "aws-service-role",
        "aws-reserved",
        "sso.amazonaws.com",
        "amazonaws.com",
    }
)
"""Runs that are common to the ARNs of many principals."""


def required_substring(text: str) -> bytes | None:
    """Return the most selective run in ``text`` that JSON never escapes; None if all are short."""
    runs = [run for run in _UNESCAPED_RUN.findall(text) if len(run) >= 4]
    selective = [run for run in runs if run not in _COMMON_RUNS] or runs
    if not selective:
        return None
    longest: str = max(selective, key=len)
    return longest.encode()
