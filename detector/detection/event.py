"""The event: what is kept of a record that a rule matched."""

from __future__ import annotations

import msgspec

from detector.cloudtrail.record import Record, event_id, identity
from detector.detection.record_view import RecordView


class Position(msgspec.Struct, frozen=True, order=True, gc=False, array_like=True):
    """Where a record is: file, chunk offset (decompressed), index in the chunk."""

    source: str
    offset: int
    index: int


class Event(msgspec.Struct, frozen=True, order=True, gc=False, array_like=True):
    """What is kept of a record; ``position`` leads to all of it.

    ``account`` is the recipient account; that of the caller where the log names none. ``time`` is
    in seconds since the Unix epoch. The other strings are the log's own, ``""`` where it had none.
    """

    account: str
    event_id: str
    time: int
    provider: str
    action: str
    region: str
    source_address: str
    user_agent: str
    error_code: str
    identity_type: str
    arn: str
    access_key: str
    role_arn: str
    caller_account: str
    mfa: str
    issued_key: str
    """The access key of the session that this call to STS opened."""
    position: Position

    @property
    def identity(self) -> bytes:
        """The key by which copies of the event are one."""
        return identity(self.account, self.event_id)

    @classmethod
    def of(cls, record: Record, raw: bytes | msgspec.Raw, time: int, position: Position) -> Event:
        """Return the event of a record, whose JSON is ``raw``."""
        return msgspec.structs.replace(
            cls.of_view(record, position),
            event_id=event_id(record, raw),
            time=time,
            issued_key=_issued_key(record),
        )

    @classmethod
    def of_view(cls, record: Record | RecordView, position: Position) -> Event:
        """Return the event of a record, without time, id and the key that a call to STS issued."""
        caller = record.caller
        context = caller.session_context
        return cls(
            account=record.account,
            event_id="",
            time=0,
            provider=record.event_source or "",
            action=record.event_name or "",
            region=record.aws_region or "",
            source_address=record.source_ip_address or "",
            user_agent=record.user_agent or "",
            error_code=record.error_code or ("error" if record.error_message else ""),
            identity_type=caller.type or "",
            arn=caller.arn or "",
            access_key=caller.access_key_id or "",
            role_arn=record.role_arn or "",
            caller_account=caller.account_id or record.recipient_account_id or "",
            mfa=(context and context.attributes and context.attributes.mfa_authenticated) or "",
            issued_key="",
            position=position,
        )


class _Credentials(msgspec.Struct, rename="camel"):
    access_key_id: str = ""


class _SessionOpened(msgspec.Struct):
    credentials: _Credentials | None = None


def _issued_key(record: Record) -> str:
    """Return ``responseElements.credentials.accessKeyId`` of AssumeRole and the like."""
    if record.event_source != "sts.amazonaws.com":
        return ""
    try:
        opened = msgspec.json.decode(record.response_elements, type=_SessionOpened | None)
    except ValueError:
        return ""
    if not (opened and opened.credentials):
        return ""
    return opened.credentials.access_key_id
