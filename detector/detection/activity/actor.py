"""Identifies a record's caller: a principal, and the session in which it called."""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

PrincipalKind = Literal["user", "root", "role", "federated", "service", "account", "external", ""]
"""The kind of a principal. ``external``: a caller without an ARN, named by an identity provider;
``""``: the record names nobody."""


class Actor(NamedTuple):
    """Who called: a principal, and the role session in which it called (``""``: none)."""

    kind: PrincipalKind
    name: str
    session: str = ""

    @property
    def principal(self) -> tuple[PrincipalKind, str]:
        return self.kind, self.name


NOBODY = Actor("", "")
"""A caller whom a record does not name."""


def actor_of_arn(arn: str) -> Actor:
    """Return the principal and session that a caller's ARN names."""
    *_, resource = arn.split(":", 5)
    form, _, rest = resource.partition("/")
    if form == "assumed-role":
        if "/" not in rest:
            return Actor("role", arn)
        principal, _, session = arn.rpartition("/")
        return Actor("role", principal, session)
    kind = _KINDS_OF_RESOURCES.get(form, "user")
    return Actor(kind, arn)


_KINDS_OF_RESOURCES: dict[str, PrincipalKind] = {
    "root": "root",
    "role": "role",
    "federated-user": "federated",
}


def actor_without_arn(
    invoked_by: str | None, address: str | None, account: str | None
) -> Actor | None:
    """Return the service or account that called without an ARN; None if neither is known."""
    if invoked_by:
        return Actor("service", invoked_by)
    if address and address.endswith(".amazonaws.com"):
        return Actor("service", address)
    if account:
        return Actor("account", account)
    return None


class _Named(msgspec.Struct, rename="camel"):
    user_name: str | None = None
    principal_id: str | None = None


class _NamedRecord(msgspec.Struct, rename="camel"):
    user_identity: _Named | None = None


_named_decoder = msgspec.json.Decoder(_NamedRecord)


def actor_of_record(record: bytes | msgspec.Raw) -> Actor:
    """Return the externally authenticated caller of a record whose head names nobody.

    ``NOBODY`` if the record names no user."""
    try:
        identity = _named_decoder.decode(record).user_identity
    except (ValueError, RecursionError):
        identity = None
    if identity is None:
        return NOBODY
    name = identity.user_name or identity.principal_id
    if not name:
        return NOBODY
    return Actor("external", name)


class _MessageRecord(msgspec.Struct, rename="camel"):
    error_message: str | None = None


_message_decoder = msgspec.json.Decoder(_MessageRecord)


def has_error_message(record: bytes | msgspec.Raw) -> bool:
    """Return whether a record has an error message."""
    try:
        return bool(_message_decoder.decode(record).error_message)
    except (ValueError, RecursionError):
        return False


class _OpenedUser(msgspec.Struct):
    arn: str | None = None


class _StsResponse(msgspec.Struct, rename="camel"):
    assumed_role_user: _OpenedUser | None = None
    federated_user: _OpenedUser | None = None


class _StsRecord(msgspec.Struct, rename="camel"):
    response_elements: _StsResponse | None = None


_sts_decoder = msgspec.json.Decoder(_StsRecord)


def opened_by_record(record: bytes | msgspec.Raw) -> Actor | None:
    """Return the session that a call to STS opened; None if it opened none."""
    try:
        response = _sts_decoder.decode(record).response_elements
    except (ValueError, RecursionError):
        return None
    if response is None:
        return None
    opened = response.assumed_role_user or response.federated_user
    if opened is None or not opened.arn:
        return None
    return actor_of_arn(opened.arn)
