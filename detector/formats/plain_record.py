"""The strict form of a record: only CloudTrail's own names and types.

A record may lack its caller's ARN, account and key, as those of web identities do, so its head
alone does not show whether another tool has rewritten it. A record in strict form was not
rewritten, so the search for records (``search``) need not walk it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from detector.cloudtrail.record import Record, UserIdentity
from detector.formats.time_forms import time_text
from detector.formats.values import RECORD_CAP

_BRACKETS = 200
"""The number of opening brackets up to which no reader can find a record nested too deep."""


class _Resource(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    ARN: msgspec.Raw = msgspec.Raw()
    accountId: msgspec.Raw = msgspec.Raw()
    type: msgspec.Raw = msgspec.Raw()


class _TlsDetails(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    tlsVersion: msgspec.Raw = msgspec.Raw()
    cipherSuite: msgspec.Raw = msgspec.Raw()
    clientProvidedHostHeader: msgspec.Raw = msgspec.Raw()


_STRUCTURES: dict[str, Any] = {
    "resources": list[_Resource] | None,
    "tls_details": _TlsDetails | None,
}
_FREE_STRUCTURE = dict[str, msgspec.Raw] | list[msgspec.Raw] | None


def _strict_fields() -> list[tuple[str, Any, Any]]:
    """Return the fields of a strict record; fields kept raw must be structures, not texts."""
    return [
        (
            field.name,
            _STRUCTURES.get(field.name, _FREE_STRUCTURE)
            if field.type is msgspec.Raw
            else field.type,
            None,
        )
        for field in msgspec.structs.fields(Record)
    ]


_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
    msgspec.defstruct(
        "StrictRecord",
        _strict_fields(),
        gc=False,
        forbid_unknown_fields=True,
        rename={field.name: field.encode_name for field in msgspec.structs.fields(Record)},
    )
)


def is_plain(raw: bytes) -> bool:
    """Return whether a record is in strict form and has a source, a name and a valid time."""
    if len(raw) > RECORD_CAP or raw.count(b"{") + raw.count(b"[") > _BRACKETS:
        return False
    try:
        record = _decoder.decode(raw)
    except (ValueError, RecursionError):
        return False
    if not (record.event_source and record.event_name):
        return False
    if not all(map(_is_bare, (record.event_source, record.event_name, record.aws_region))):
        return False
    return _names_somebody(record.user_identity) and time_text(record.event_time) == (
        record.event_time or ""
    )


def _is_bare(text: str | None) -> bool:
    """Return whether a text has no surrounding blanks, quotes or brackets for the search to
    drop."""
    return text is None or (text[:1].isalnum() and text[-1:].isalnum())


def _names_somebody(caller: UserIdentity | None) -> bool:
    """Return whether a caller is absent, or identified in one of CloudTrail's ways."""
    return caller is None or bool(
        caller.type or caller.principal_id or caller.invoked_by or caller.arn or caller.account_id
    )
