"""The part of a record that is known without decoding it whole.

Nearly all hits of a busy log are told by their signatures and callers. A rule is asked once for
what they say; one that reads further says so, and gets the whole record.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import msgspec

from detector.cloudtrail.record import CallerFacts, EventSignature, UserIdentity, loads
from detector.text.capped import TEXT_CAP


class NotInView(Exception):
    """A field of a record was read that its view does not have."""


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
_caller_decoder = msgspec.json.Decoder(UserIdentity | None)


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


class RecordView(CallerFacts):
    """What a signature, a caller and an error message tell of a record.

    It is read as a ``Record`` is. Any other field raises NotInView, whatever it is."""

    def __init__(
        self, signature: EventSignature, identity: UserIdentity | None, fields: HitFields
    ) -> None:
        self.user_identity = identity
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
        self._raw_identity = fields.userIdentity

    @classmethod
    def of(cls, signature: EventSignature, fields: HitFields) -> RecordView | None:
        """Return the view of a record; None where its caller has odd types."""
        try:
            identity = _caller_decoder.decode(fields.userIdentity)
        except (ValueError, RecursionError):
            return None
        return cls(signature, identity, fields)

    def __getattr__(self, name: str) -> Any:
        raise NotInView(name)

    @cached_property
    def identity_document(self) -> dict[str, Any]:
        """The part of the record's document that the caller is, as the log has it."""
        identity = loads(self._raw_identity)
        if identity is None:  # the log may have flat names in its place
            raise NotInView("document")
        return {"userIdentity": identity}

    def has_field(self, name: str) -> bool:
        """Check whether the log has a field of the error, be it null."""
        if name not in self._present:
            raise NotInView(name)
        return self._present[name]
