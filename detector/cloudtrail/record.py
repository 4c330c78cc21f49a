"""A CloudTrail record: its typed fields, identity and time.

Field names and meanings: AWS CloudTrail User Guide, "CloudTrail record contents" and "CloudTrail
userIdentity element".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import cached_property
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from detector.cloudtrail.convert_fields import convert_fields
from detector.text.capped import TEXT_CAP, capped
from detector.text.late_pattern import late_pattern

_IRREGULAR = {
    "event_id": "eventID",
    "request_id": "requestID",
    "shared_event_id": "sharedEventID",
    "source_ip_address": "sourceIPAddress",
}


def cloudtrail_name(field: str) -> str:
    """Return CloudTrail's spelling of a field: ``awsRegion`` for ``aws_region``."""
    head, *rest = field.split("_")
    return _IRREGULAR.get(field) or head + "".join(part.title() for part in rest)


class Caller(msgspec.Struct, gc=False, frozen=True, rename=cloudtrail_name):
    """The part of ``userIdentity`` that is decoded for every record."""

    arn: str | None = None
    account_id: str | None = None
    access_key_id: str | None = None
    invoked_by: str | None = None


class Head(msgspec.Struct, gc=False, rename=cloudtrail_name):
    """The fields decoded for every record, for dispatch and baseline."""

    event_time: str | None = None
    # In the order in which CloudTrail writes them, which decodes fastest.
    user_identity: Caller | None = None
    event_source: str | None = None
    event_name: str | None = None
    aws_region: str | None = None
    source_ip_address: str | None = None
    user_agent: str | None = None
    error_code: str | None = None
    read_only: bool | None = None
    recipient_account_id: str | None = None
    event_category: str | None = None

    @property
    def caller(self) -> Caller:
        """``userIdentity``, or an empty caller if the record has none."""
        return self.user_identity or NO_CALLER


NO_CALLER = Caller()


class EventSignature(NamedTuple):
    """The fields of a head without its time.

    ``Head(None, *signature)`` is the head of a signature. A signature consists of an ``Origin`` and
    an ``ApiCall``: there are far fewer of these than of signatures, so facts derived from one of
    them are computed once."""

    user_identity: Caller | None
    event_source: str | None
    event_name: str | None
    aws_region: str | None
    source_ip_address: str | None
    user_agent: str | None
    error_code: str | None
    read_only: bool | None
    recipient_account_id: str | None
    event_category: str | None

    @property
    def caller(self) -> Caller:
        """``userIdentity``, or an empty caller if the record has none."""
        return self.user_identity or NO_CALLER


Client = tuple[Caller | None, str | None, str | None, str | None]
"""Who calls: caller, recipient account, source address, user agent."""
ApiCall = tuple[str | None, str | None, bool | None, str | None, str | None]
"""What is called: event source, event name, read-only, event category; and its error code."""
Origin = tuple[Caller | None, str | None, str | None, str | None, str | None]
"""A client, and the region that it called."""
NO_ORIGIN: Origin = (None, None, None, None, None)
ORIGIN_FIELDS = (
    "user_identity",
    "recipient_account_id",
    "source_ip_address",
    "user_agent",
    "aws_region",
)
CALL_FIELDS = ("event_source", "event_name", "read_only", "event_category", "error_code")
api_call_of: Callable[[Head | EventSignature], ApiCall] = attrgetter(*CALL_FIELDS)


signature_parts: Callable[[Head], tuple[Any, ...]] = attrgetter(*EventSignature._fields)
"""The fields of a signature as a plain tuple, which equals the signature."""


def join_parts(origin: Origin, call: ApiCall) -> EventSignature:
    """Return the signature with these parts."""
    caller, recipient, address, agent, region = origin
    source, name, read_only, category, error = call
    return EventSignature(
        caller, source, name, region, address, agent, error, read_only, recipient, category
    )


def signature_of(head: Head) -> EventSignature:
    """Return the signature of a head."""
    return EventSignature._make(signature_parts(head))


_SKIPPED_CATEGORIES = {
    "Insight": "insight",
    "NetworkActivity": "network-activity",
    "Aggregated": "aggregated",
}


def skip_reason(head: Head | EventSignature) -> str | None:
    """Return why no rule applies to a record; None if rules apply."""
    if head.event_source == "aws:s3":
        return "s3-notification"
    return _SKIPPED_CATEGORIES.get(head.event_category or "")


class SessionIssuer(msgspec.Struct, gc=False, rename=cloudtrail_name):
    """The issuer of a session: for an assumed role, the role."""

    type: str | None = None
    arn: str | None = None
    account_id: str | None = None
    user_name: str | None = None
    principal_id: str | None = None


class SessionAttributes(msgspec.Struct, gc=False, rename=cloudtrail_name):
    """Attributes of a session."""

    mfa_authenticated: str | None = None
    creation_date: str | None = None


class SessionContext(msgspec.Struct, gc=False, rename=cloudtrail_name):
    """The session of temporary credentials."""

    session_issuer: SessionIssuer | None = None
    attributes: SessionAttributes | None = None


class OnBehalfOf(msgspec.Struct, gc=False, rename=cloudtrail_name):
    """The Identity Center user for whom a call was made."""

    user_id: str | None = None
    identity_store_arn: str | None = None


class UserIdentity(msgspec.Struct, gc=False, rename=cloudtrail_name):
    """The caller; AWS services and callers from other accounts often have no ARN."""

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


_NO_IDENTITY = UserIdentity()


class CallerFacts:
    """Facts derived from a record's caller, however much of the record was decoded."""

    __slots__ = ()

    user_identity: UserIdentity | None
    recipient_account_id: str | None

    @property
    def caller(self) -> UserIdentity:
        """``userIdentity``, or an empty caller if the record has none."""
        return self.user_identity or _NO_IDENTITY

    @property
    def account(self) -> str:
        """The recipient account, else the caller's account, else ``""``."""
        return self.recipient_account_id or self.caller.account_id or ""

    @property
    def role_arn(self) -> str | None:
        """The ARN of the role behind an assumed-role session."""
        context = self.caller.session_context
        return context.session_issuer.arn if context and context.session_issuer else None


class Record(CallerFacts, msgspec.Struct, dict=True, rename=cloudtrail_name):
    """A whole record, decoded if a rule may match it.

    Strings are as in the log. Free-form structures (``request_parameters`` and the like) stay raw
    JSON until they are read; absent ones are ``null``. ``document`` has all fields."""

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

    @cached_property
    def document(self) -> dict[str, Any]:
        """The whole record as in the log, with CloudTrail's field names.

        For a record that was not decoded from JSON: the fields that it has."""
        raw = vars(self).get(_RAW)
        if raw is not None:
            document: dict[str, Any] = loads(raw)
            return document
        fields: dict[str, Any] = loads(msgspec.json.encode(self))
        return {name: value for name, value in fields.items() if value is not None}

    def has_field(self, name: str) -> bool:
        """Check whether the log's record has a top-level field, even if null."""
        return name in self.document

    def head(self) -> Head:
        """Return the head of the record."""
        caller = self.user_identity
        return Head(
            self.event_time,
            None if caller is None else Caller(*_caller_values(caller)),
            self.event_source,
            self.event_name,
            self.aws_region,
            self.source_ip_address,
            self.user_agent,
            self.error_code,
            self.read_only,
            self.recipient_account_id,
            self.event_category,
        )


_caller_values = attrgetter(*Caller.__struct_fields__)
_RAW = "_raw"
"""The attribute of a Record that keeps the JSON it was decoded from."""
_record = msgspec.json.Decoder(Record)


def decode(raw: bytes | msgspec.Raw) -> Record:
    """Decode a record from its JSON.

    A field of an unexpected type never makes the record unusable: scalars become text, other values
    null. Raises ValueError or RecursionError if ``raw`` is not a JSON object.
    """
    record = _decode_whole(raw)
    vars(record)[_RAW] = raw
    if memoryview(raw).nbytes > TEXT_CAP:
        _cap_texts(record)
    return record


def _decode_whole(raw: bytes | msgspec.Raw) -> Record:
    try:
        return _record.decode(raw)
    except (ValueError, RecursionError):
        value = loads(raw)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    record: Record = convert_fields(Record, value)
    return record


def _cap_texts(struct: msgspec.Struct) -> None:
    """Cut the texts of a record that are longer than any that AWS writes."""
    for name in struct.__struct_fields__:
        value = getattr(struct, name)
        if isinstance(value, str) and len(value) > TEXT_CAP:
            setattr(struct, name, capped(value))
        elif isinstance(value, msgspec.Struct):
            _cap_texts(value)


def cap_part(value: Any) -> Any:
    """Return a part of a signature with its texts cut in the same way as in records."""
    if isinstance(value, str):
        return capped(value)
    if isinstance(value, tuple):
        return tuple(map(cap_part, value))
    if isinstance(value, Caller):
        return Caller(*map(cap_part, msgspec.structs.astuple(value)))
    return value


def loads(raw: bytes | bytearray | msgspec.Raw, type: Any = Any) -> Any:
    """Decode JSON, even with lone surrogates or invalid UTF-8.

    These become visible escapes. A narrower ``type`` saves the strict decoder work if the value
    itself is not needed. Raises ValueError or RecursionError if it is not JSON."""
    try:
        return msgspec.json.decode(raw, type=type)
    except (ValueError, RecursionError):
        text = bytes(raw).decode("utf-8", "surrogateescape")
        value = json.loads(text, strict=False, parse_int=_parse_int, parse_constant=_no_value)
        return _escape_surrogates(value)


def _no_value(_: str) -> None:
    """Read NaN and Infinity as null: data frames write missing values this way."""


def _parse_int(digits: str) -> int | str:
    # Python refuses to parse more digits than that: such numbers stay text.
    return int(digits) if len(digits) < 4300 else digits


_SURROGATE = late_pattern("[\ud800-\udfff]")


def _escape_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", value)
    if isinstance(value, dict):
        return {
            _escape_surrogates(name): _escape_surrogates(inner) for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_escape_surrogates(inner) for inner in value]
    return value


_encoder = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def json_text(value: Any) -> str:
    """Format a value as compact JSON with sorted keys."""
    return _encoder.encode(value)


def event_id(record: Record, raw: bytes | msgspec.Raw) -> str:
    """Return the record's ``eventID``, or a hash of its content if it has none."""
    if record.event_id:
        return record.event_id
    return "sha256:" + hashlib.sha256(json_text(loads(raw)).encode()).hexdigest()


_UUID = late_pattern(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def identity(account: str, event_id: str) -> bytes:
    """Return the 16-byte key of an event.

    An ``eventID`` that is a UUID is itself the key: AWS gives each event its own, and some copies
    of an event lack the account. Any other id is unique only within its account.
    """
    if _UUID.fullmatch(event_id):
        return bytes.fromhex(event_id.replace("-", ""))
    return hashlib.blake2b(
        f"{account}\0{event_id}".encode(errors="surrogatepass"), digest_size=16
    ).digest()
