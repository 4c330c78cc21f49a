"""Who counts as the same principal as an alert's: the same ARN, role or access key, and one hop of AssumeRole."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from detector.cloudtrail.record import EventSignature, Head, Record
from detector.detection.alert import Facets
from detector.detection.baseline import principal_of
from detector.detection.event import Event


class PrincipalNames(msgspec.Struct, frozen=True):
    """Each sorted. ``roles`` are the roles behind sessions (``sessionIssuer.arn``)."""

    arns: list[str] = []
    roles: list[str] = []
    keys: list[str] = []


class RelatedPrincipals(msgspec.Struct, frozen=True):
    """``own`` are the principals of the alert's events; ``hop`` those one AssumeRole away, in
    either direction."""

    own: PrincipalNames
    hop: PrincipalNames = PrincipalNames()

    @classmethod
    def of(cls, facets: Facets) -> RelatedPrincipals:
        return cls(PrincipalNames(facets.arns, facets.roles, facets.access_keys))

    def __bool__(self) -> bool:
        return bool(self.own.arns or self.own.roles or self.own.keys)

    def includes(self, event: Event, _record: Record | None = None) -> bool:
        own, hop = self.own, self.hop
        return (
            event.arn in own.arns
            or event.access_key in own.keys
            or event.role_arn in own.roles
            or event.arn in hop.arns
            or event.access_key in hop.keys
            or (bool(event.issued_key) and event.issued_key in own.keys)
        )

    def with_hops(self, events: Iterable[Event]) -> RelatedPrincipals:
        """With what these events show one hop away: keys that its own calls opened, callers that
        opened its own."""
        arns, keys = set(self.hop.arns), set(self.hop.keys)
        for event in events:
            if not event.issued_key:
                continue
            if event.issued_key in self.own.keys:
                arns.add(event.arn)
                keys.add(event.access_key)
            elif (
                event.arn in self.own.arns
                or event.access_key in self.own.keys
                or event.role_arn in self.own.roles
            ):
                keys.add(event.issued_key)
        return RelatedPrincipals(
            self.own,
            PrincipalNames(
                sorted(arns - {""} - set(self.own.arns)),
                [],
                sorted(keys - {""} - set(self.own.keys)),
            ),
        )

    def principal_keys(self) -> frozenset[str] | None:
        """Of which each of its records carries one, by ``caller_keys`` or as one of ``issued_keys``; None where
        that does not tell."""
        names = {
            *self.own.keys,
            *self.hop.keys,
            *map(principal_of, (*self.own.arns, *self.hop.arns)),
        }
        for role in self.own.roles:
            if (session := session_principal(role)) is None:
                return None
            names.add(session)
        return frozenset(names)

    def required_substrings(self) -> list[bytes] | None:
        """Bytes of which one stands in each record that it includes; None where no such bytes can
        be relied on."""
        names = [*self.own.arns, *self.own.roles, *self.own.keys, *self.hop.arns, *self.hop.keys]
        found = {required_substring(name.rpartition(":")[2]) for name in names}
        return None if None in found else sorted(part for part in found if part)


STS = "sts.amazonaws.com"
"""Whose calls open sessions: a record of its may carry a key that it issued."""


def caller_keys(head: Head | EventSignature) -> set[str]:
    """The names by which a record's caller is known: the principal and the access key."""
    who = head.caller
    names = {who.arn and principal_of(who.arn), who.access_key_id}
    return {name for name in names if name}


def issued_keys(record: bytes) -> set[str]:
    """The access keys that stand in the JSON of a record of STS: the caller's, and that of a
    session it opened."""
    return {key.decode(errors="replace") for key in _KEY.findall(record)}


_KEY = re.compile(rb'"accessKeyId"\s*:\s*"([^"]+)"')


def session_principal(role: str) -> str | None:
    """How ``principal_of`` names the sessions of a role; None where its ARN is none of a role."""
    found = _ROLE.fullmatch(role)
    return f"arn:{found[1]}:sts::{found[2]}:assumed-role/{found[3]}" if found else None


_ROLE = re.compile(r"arn:([^:]+):iam::(\d*):role/(?:.*/)?([^/]+)")


def required_substring(text: str) -> bytes | None:
    """The most telling part of ``text`` that JSON writes as it stands; None where there is none
    worth looking for."""
    parts = [part for part in _PLAIN.findall(text) if len(part) >= 4]
    telling = [part for part in parts if part not in _COMMON] or parts
    return max(telling, key=len).encode() if telling else None


_PLAIN = re.compile(r"[A-Za-z0-9_.-]+")
_COMMON = frozenset(
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
"""What stands in the ARNs of many."""
