"""The part of a record that is known without decoding the whole record.

The signature and the caller decide nearly all hits of a busy log, so a rule is evaluated once for
all records that share them. If a rule reads further fields, this is noted, and it gets the whole
record.
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
    """The fields of an event in addition to its signature; equal callers are decoded once.

    The error's fields are unset if the record lacks them; the error code's value is in the
    signature."""

    eventID: str | None = None
    errorCode: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    errorMessage: str | msgspec.UnsetType | None = msgspec.UNSET
    userIdentity: msgspec.Raw = msgspec.Raw(b"null")

    @property
    def error_message(self) -> str | None:
        return None if self.errorMessage is msgspec.UNSET else self.errorMessage

    @property
    def decided_by(self) -> tuple[bytes, str | msgspec.UnsetType | None, bool]:
        """The fields that, in addition to the signature, make up a view."""
        return bytes(self.userIdentity), self.errorMessage, self.errorCode is msgspec.UNSET


_decoder = msgspec.json.Decoder(HitFields)
_message_decoder = msgspec.json.Decoder(str | None)
_SOME_CODE = msgspec.Raw(b'""')
"""A placeholder for a view's error code; a view only says whether there is one."""


def read_hit_fields(raw: bytes | msgspec.Raw) -> HitFields | None:
    """Decode the fields of a hit; None for a record that must be decoded whole.

    That is a record without an id, with odd types, or with texts that may have to be truncated."""
    if memoryview(raw).nbytes > TEXT_CAP:
        return None
    try:
        fields = _decoder.decode(raw)
    except (ValueError, RecursionError):
        return None
    return fields if fields.eventID else None


def fields_of_view(view: RawView) -> HitFields | None:
    """Return the fields of a hit, except its id, from the JSON in a view.

    None for a record that must be decoded whole, as its error message is not a text."""
    caller, message, has_code = view
    try:
        text = _message_decoder.decode(message) if message else msgspec.UNSET
    except (ValueError, RecursionError):
        return None
    return HitFields(None, _SOME_CODE if has_code else msgspec.UNSET, text, msgspec.Raw(caller))


class RecordView(CallerView):
    """A record as far as its signature, caller and error message show it.

    It has the attributes of a ``Record``; reading a field that it does not know raises
    NotInView."""

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
        """Return the view of a record; None if its caller has odd types."""
        try:
            identity = decode_caller(fields.userIdentity)
        except (ValueError, RecursionError):
            return None
        return cls(signature, identity, fields)

    def has_field(self, name: str) -> bool:
        """Return whether the record has an error field, even if null. Raises NotInView for
        others."""
        if name not in self._present:
            raise NotInView(name)
        return self._present[name]


class NotedRecord(RecordView):
    """A whole record that is only decoded if an attribute beyond its view is read.

    ``read`` are the names of these attributes; ``reads_region`` says whether the region, which is
    part of the view, was read."""

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
        """The caller's part of the record's document if that is enough; else the whole document."""
        try:
            return super().identity_document
        except NotInView:
            document: dict[str, Any] = self.document
            return document

    def has_field(self, name: str) -> bool:
        """Return whether the record has a top-level field, even if null."""
        try:
            return super().has_field(name)
        except NotInView:
            self.read.add("document")
            return self.record.has_field(name)
