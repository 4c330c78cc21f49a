"""One CloudTrail record: its typed fields, its identity, its time.

Field names and meanings: AWS CloudTrail User Guide, "CloudTrail record contents" and "CloudTrail
userIdentity element".
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

_IRREGULAR = {
    "event_id": "eventID",
    "request_id": "requestID",
    "source_ip_address": "sourceIPAddress",
}


def _cloudtrail_name(field: str) -> str:
    """CloudTrail's own spelling of a field: ``aws_region`` -> ``awsRegion``."""
    head, *rest = field.split("_")
    return _IRREGULAR.get(field) or head + "".join(part.title() for part in rest)


class Caller(msgspec.Struct, gc=False, frozen=True, rename=_cloudtrail_name):
    """Who called, as far as every record is asked."""

    arn: str | None = None
    account_id: str | None = None
    access_key_id: str | None = None


class Head(msgspec.Struct, gc=False, rename=_cloudtrail_name):
    """What is read of every record before a rule asks for it: what chooses the rules and what the
    baseline learns."""

    event_time: str | None = None
    # In the order in which CloudTrail writes them, which the decoder finds fastest.
    user_identity: Caller | None = None
    event_source: str | None = None
    event_name: str | None = None
    aws_region: str | None = None
    source_ip_address: str | None = None
    user_agent: str | None = None
    read_only: bool | None = None
    recipient_account_id: str | None = None
    event_category: str | None = None

    @property
    def caller(self) -> Caller:
        """``userIdentity``; an empty one where the record has none."""
        return self.user_identity or _NO_CALLER


_NO_CALLER = Caller()


class EventSignature(NamedTuple):
    """The fields of a head without its time; ``Head(None, *signature)`` restores the head.

    A chunk has thousands of records but some hundred signatures, so what depends on these fields
    alone is computed once per signature."""

    user_identity: Caller | None
    event_source: str | None
    event_name: str | None
    aws_region: str | None
    source_ip_address: str | None
    user_agent: str | None
    read_only: bool | None
    recipient_account_id: str | None
    event_category: str | None

    @property
    def caller(self) -> Caller:
        """``userIdentity``; an empty one where the record has none."""
        return self.user_identity or _NO_CALLER


signature_values: Callable[[Head], Any] = attrgetter(*EventSignature._fields)
"""The values of a head's signature as a plain tuple, which equals and hashes as the signature.

Made for every record that is read: a plain tuple takes half the time of a NamedTuple."""


def signature_of(head: Head) -> EventSignature:
    """Return the signature of a head."""
    return EventSignature._make(signature_values(head))


_SKIPPED_CATEGORIES = {
    "Insight": "insight",
    "NetworkActivity": "network-activity",
    "Aggregated": "aggregated",
}


def skip_reason(head: Head | EventSignature) -> str | None:
    """Return why a record is no event that rules apply to; None where it is one."""
    if head.event_source == "aws:s3":
        return "s3-notification"
    return _SKIPPED_CATEGORIES.get(head.event_category or "")


class SessionIssuer(msgspec.Struct, gc=False, rename=_cloudtrail_name):
    """Who issued a session: for an assumed role, the role."""

    type: str | None = None
    arn: str | None = None
    account_id: str | None = None
    user_name: str | None = None
    principal_id: str | None = None


class SessionAttributes(msgspec.Struct, gc=False, rename=_cloudtrail_name):
    mfa_authenticated: str | None = None
    creation_date: str | None = None


class SessionContext(msgspec.Struct, gc=False, rename=_cloudtrail_name):
    session_issuer: SessionIssuer | None = None
    attributes: SessionAttributes | None = None


class OnBehalfOf(msgspec.Struct, gc=False, rename=_cloudtrail_name):
    """The Identity Center user for whom a call was made."""

    user_id: str | None = None
    identity_store_arn: str | None = None


class UserIdentity(msgspec.Struct, gc=False, rename=_cloudtrail_name):
    """Who called. Services and callers of other accounts often have no ARN."""

    type: str | None = None
    principal_id: str | None = None
    arn: str | None = None
    account_id: str | None = None
    access_key_id: str | None = None
    user_name: str | None = None
    invoked_by: str | None = None
    session_context: SessionContext | None = None
    credential_id: str | None = None
    on_behalf_of: OnBehalfOf | None = None


class Record(msgspec.Struct, gc=False, rename=_cloudtrail_name):
    """One record, decoded once some rule has asked for its (eventSource, eventName).

    Strings are as the log has them. The free structures (``request_parameters`` and the like) stay
    raw JSON until something reads them; one that is absent is ``null``."""

    event_time: str | None = None
    event_source: str | None = None
    event_name: str | None = None
    event_id: str | None = None
    event_type: str | None = None
    event_category: str | None = None
    event_version: str | None = None
    aws_region: str | None = None
    source_ip_address: str | None = None
    user_agent: str | None = None
    recipient_account_id: str | None = None
    shared_event_id: str | None = None
    request_id: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    api_version: str | None = None
    vpc_endpoint_id: str | None = None
    read_only: bool | None = None
    management_event: bool | None = None
    session_credential_from_console: str | None = None
    user_identity: UserIdentity | None = None
    request_parameters: msgspec.Raw = msgspec.Raw(b"null")
    response_elements: msgspec.Raw = msgspec.Raw(b"null")
    additional_event_data: msgspec.Raw = msgspec.Raw(b"null")
    resources: msgspec.Raw = msgspec.Raw(b"null")
    tls_details: msgspec.Raw = msgspec.Raw(b"null")
    service_event_details: msgspec.Raw = msgspec.Raw(b"null")

    @property
    def caller(self) -> UserIdentity:
        """``userIdentity``; an empty one where the record has none."""
        return self.user_identity or _NOBODY

    def head(self) -> Head:
        """What ``Head`` would have read of it."""
        who = self.user_identity
        return Head(
            self.event_time,
            Caller(who.arn, who.account_id, who.access_key_id) if who else None,
            self.event_source,
            self.event_name,
            self.aws_region,
            self.source_ip_address,
            self.user_agent,
            self.read_only,
            self.recipient_account_id,
            self.event_category,
        )

    @property
    def role_arn(self) -> str | None:
        """The role behind an assumed-role session (``sessionIssuer.arn``)."""
        context = self.caller.session_context
        return context.session_issuer.arn if context and context.session_issuer else None


_NOBODY = UserIdentity()
_record = msgspec.json.Decoder(Record)


def decode(raw: bytes | msgspec.Raw) -> Record:
    """A record from its JSON. A field of an unexpected type never costs the record: scalars become
    text, the rest null.

    Raises ValueError or RecursionError when ``raw`` is no JSON object.
    """
    try:
        return _record.decode(raw)
    except (ValueError, RecursionError):
        found = loads(raw)
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    record: Record = _fitted(Record, found)
    return record


def loads(raw: bytes | bytearray | msgspec.Raw, type: Any = Any) -> Any:
    """JSON as it comes: what strict decoders refuse (lone surrogates, bytes that are no UTF-8)
    becomes visible escapes.

    ``type`` saves the strict decoder work where the value itself is not wanted. Raises ValueError
    or RecursionError when it is no JSON."""
    try:
        return msgspec.json.decode(raw, type=type)
    except (ValueError, RecursionError):
        return _shown(
            json.loads(
                bytes(raw).decode("utf-8", "surrogateescape"), strict=False, parse_int=_whole
            )
        )


def _whole(digits: str) -> int | str:
    """A whole number; as text where Python refuses to read so many digits."""
    return int(digits) if len(digits) < 4300 else digits


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", value)
    if isinstance(value, dict):
        return {_shown(name): _shown(inner) for name, inner in value.items()}
    return [_shown(inner) for inner in value] if isinstance(value, list) else value


_SURROGATE = re.compile("[\ud800-\udfff]")


def _fitted(kind: type[Any], found: dict[str, Any]) -> Any:
    """``found`` as a ``kind``, field by field, keeping what fits."""
    kept = {}
    for field in msgspec.structs.fields(kind):
        if (value := found.get(field.encode_name)) is not None and (
            fit := _fit(field.type, value)
        ) is not None:
            kept[field.name] = fit
    return kind(**kept)


def _fit(wanted: Any, value: Any) -> Any:
    if wanted is msgspec.Raw:
        return msgspec.Raw(msgspec.json.encode(value))
    inner = next(kind for kind in wanted.__args__ if kind is not type(None))
    if inner is str:
        return (
            value
            if isinstance(value, str)
            else json_text(value)
            if isinstance(value, bool | int | float)
            else None
        )
    if inner is bool:
        return (
            value
            if isinstance(value, bool)
            else {"true": True, "false": False}.get(value)
            if isinstance(value, str)
            else None
        )
    return _fitted(inner, value) if isinstance(value, dict) else None


def json_text(value: Any) -> str:
    """``value`` as compact JSON with sorted keys: the same value gives the same text, whatever its
    layout was."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def event_id(record: Record, raw: bytes | msgspec.Raw) -> str:
    """The record's ``eventID``; without one, a hash of the record that its layout in the file does
    not change."""
    if record.event_id:
        return record.event_id
    return "sha256:" + hashlib.sha256(json_text(loads(raw)).encode()).hexdigest()


def identity(account: str, event_id: str) -> bytes:
    """The 16-byte key under which an event is known: ``(recipientAccountId, eventID)``."""
    return hashlib.blake2b(
        f"{account}\0{event_id}".encode(errors="surrogatepass"), digest_size=16
    ).digest()
