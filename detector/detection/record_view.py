"""The part of a record that is known without decoding it whole.

Nearly all hits of a busy log are told by their signatures and callers. A rule is asked once for
what they say; one that reads further says so, and gets the whole record.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Self

import msgspec

from detector.cloudtrail.caller_view import CallerView, NotInView, decode_caller
from detector.cloudtrail.record import EventSignature, Record, UserIdentity
from detector.formats.native.groups import RawView
from detector.text.capped import TEXT_CAP


class HitFields(msgspec.Struct, gc=False):
    """What an event has beside its signature; the caller is decoded once for equal ones.

    The error's fields are unset where the record does not have them; of the code the rest is in
    the signature."""

    eventID: str | None = None
    errorCode: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    errorMessage: str | msgspec.UnsetType | None = msgspec.UNSET
    userIdentity: msgspec.Raw = msgspec.Raw(b"null")

    @property
    def error_message(self) -> str | None:
        return None if self.errorMessage is msgspec.UNSET else self.errorMessage

    @property
    def decided_by(self) -> tuple[bytes, str | msgspec.UnsetType | None, bool]:
        """What a view is made of beside the signature."""
        return bytes(self.userIdentity), self.errorMessage, self.errorCode is msgspec.UNSET


_decoder = msgspec.json.Decoder(HitFields)
_message_decoder = msgspec.json.Decoder(str | None)
_SOME_CODE = msgspec.Raw(b'""')
"""Stands for the error code of a view, which says only that there is one."""


def read_hit_fields(raw: bytes | msgspec.Raw) -> HitFields | None:
    """Decode the fields of a hit; None for a record that must be decoded whole.

    Such are those without an id, those with odd types, and those whose texts may have to be cut."""
    if memoryview(raw).nbytes > TEXT_CAP:
        return None
    try:
        fields = _decoder.decode(raw)
    except (ValueError, RecursionError):
        return None
    return fields if fields.eventID else None


def fields_of_view(view: RawView) -> HitFields | None:
    """Return the fields of a hit, without an id, of which a view has the JSON.

    None for one that must be decoded whole: its error message is no text."""
    caller, message, has_code = view
    try:
        text = _message_decoder.decode(message) if message else msgspec.UNSET
    except (ValueError, RecursionError):
        return None
    return HitFields(None, _SOME_CODE if has_code else msgspec.UNSET, text, msgspec.Raw(caller))


class RecordView(CallerView):
    """What a signature, a caller and an error message tell of a record.

    It is read as a ``Record`` is. Any other field raises NotInView, whatever it is."""

    def __init__(
        self, signature: EventSignature, identity: UserIdentity | None, fields: HitFields
    ) -> None:
        super().__init__(identity, fields.userIdentity)
        self.event_source = signature.event_source
        self.event_name = signature.event_name
        self.aws_region = signature.aws_region
        self.source_ip_address = signature.source_ip_address
        self.user_agent = signature.user_agent
        self.error_code = signature.error_code
        self.error_message = fields.error_message
        self._present = {
            "errorCode": fields.errorCode is not msgspec.UNSET,
            "errorMessage": fields.errorMessage is not msgspec.UNSET,
        }
        self.read_only = signature.read_only
        self.recipient_account_id = signature.recipient_account_id
        self.event_category = signature.event_category

    @classmethod
    def of(cls, signature: EventSignature, fields: HitFields) -> Self | None:
        """Return the view of a record; None where its caller has odd types."""
        try:
            identity = decode_caller(fields.userIdentity)
        except (ValueError, RecursionError):
            return None
        return cls(signature, identity, fields)

    def has_field(self, name: str) -> bool:
        """Check whether the log has a field of the error, be it null."""
        if name not in self._present:
            raise NotInView(name)
        return self._present[name]


class NotedRecord(RecordView):
    """A whole record, decoded where more is read than its view has.

    ``read`` are the names of the attributes that were read of it then; ``reads_region`` tells
    whether its region was, which its view has."""

    decode: Callable[[], Record]

    def __init__(
        self, signature: EventSignature, identity: UserIdentity | None, fields: HitFields
    ) -> None:
        super().__init__(signature, identity, fields)
        self.read: set[str] = set()
        self.reads_region = False

    @property
    def aws_region(self) -> str | None:
        self.reads_region = True
        return self._region

    @aws_region.setter
    def aws_region(self, region: str | None) -> None:
        self._region = region

    @cached_property
    def record(self) -> Record:
        return self.decode()

    def __getattr__(self, name: str) -> Any:
        self.read.add(name)
        value = vars(self)[name] = getattr(self.record, name)
        return value

    @cached_property
    def identity_document(self) -> dict[str, Any]:
        """The part of the record's document that the caller is, or all of it."""
        try:
            return super().identity_document
        except NotInView:
            document: dict[str, Any] = self.document
            return document

    def has_field(self, name: str) -> bool:
        """Check whether the log has a top-level field, be it null."""
        try:
            return super().has_field(name)
        except NotInView:
            self.read.add("document")
            return self.record.has_field(name)
