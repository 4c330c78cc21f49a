"""The event: what is kept of a record that a rule matched.

Events are kept as rows, whose parts are shared between them; one is made whole only to be shown.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from detector.cloudtrail.record import EventSignature, Record, event_id, identity
from detector.detection.record_view import RecordView
from detector.ecs.getters import present
from detector.ecs.values import Value
from detector.esql.plan.accumulators import Inputs


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
        key, row = KeptEvent.of(record, raw, time, position)
        return row.event(key)


class EventClient(NamedTuple):
    """The part of an event that says who called, by the names of an ``Event``."""

    account: str
    identity_type: str
    arn: str
    access_key: str
    role_arn: str
    caller_account: str
    mfa: str
    source_address: str
    user_agent: str

    @classmethod
    def of(cls, record: Record | RecordView) -> EventClient:
        """Return who called in a record."""
        caller = record.caller
        context = caller.session_context
        attributes = context.attributes if context else None
        return cls(
            record.account,
            caller.type or "",
            caller.arn or "",
            caller.access_key_id or "",
            record.role_arn or "",
            caller.account_id or record.recipient_account_id or "",
            (attributes and attributes.mfa_authenticated) or "",
            record.source_ip_address or "",
            record.user_agent or "",
        )


class EventCall(NamedTuple):
    """The part of an event that says what was called, by the names of an ``Event``."""

    provider: str
    action: str
    error_code: str

    @classmethod
    def of(cls, head: Record | RecordView | EventSignature, error_message: str | None) -> EventCall:
        """Return what was called by a head, and whether that failed by a message alone."""
        error = head.error_code or ("error" if error_message else "")
        return cls(head.event_source or "", head.event_name or "", error)


class Series(NamedTuple):
    """A rule with the values of its keys; those of a rule without a window are None.

    Such a rule keeps each event by itself: its key is the event's account and id."""

    rule_id: str
    key: tuple[Value, ...] | None


EVENT_TIME: Any = b""
"""Stands among the inputs of a match for the event's time, which hardly two events share.

No value of a record is bytes, and packing them asks nothing of Python."""
EVENT_REGION: Any = b"r"
"""Stands for the event's region, in which the calls of a sweep differ."""

Match = tuple[Series, Inputs]
"""The series that an event is a hit of, with the inputs of the rule's aggregates.

``inputs_at`` returns the inputs with the event's time and region, where ``EVENT_TIME`` and
``EVENT_REGION`` stand for them."""
Matches = tuple[Match, ...]
Stale = tuple[tuple[int, Matches], ...]
"""The matches of records that claimed the same identity at another time, by their time.

Their inputs say the region."""


def uuid_text(identity: bytes) -> str:
    """Return the UUID that an identity is, in lower case."""
    digits = identity.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def inputs_at(inputs: Inputs, time: int, region: str) -> Inputs:
    """Return the inputs of an event at ``time``, in epoch seconds, in ``region``."""
    if EVENT_TIME not in inputs:
        return inputs_in(inputs, region)
    moment = time * 1000
    return inputs_in(tuple([moment if value == EVENT_TIME else value for value in inputs]), region)


def inputs_in(inputs: Inputs, region: str) -> Inputs:
    """Return the inputs of an event in ``region``."""
    if EVENT_REGION not in inputs:
        return inputs
    named = present(region)
    return tuple([named if value == EVENT_REGION else value for value in inputs])


def inputs_without_time(inputs: Inputs, time: int) -> Inputs:
    """Return the inputs with ``EVENT_TIME`` for what is the event's time."""
    moment = time * 1000
    if moment not in inputs:
        return inputs
    return tuple(
        [EVENT_TIME if type(value) is int and value == moment else value for value in inputs]
    )


class KeptEvent(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An event, known by its identity, in parts that it shares with others.

    ``event_id`` is None where it is the UUID in lower case that the identity is. ``matches`` are
    the rules' hits; an event that is none is kept as a signal, or so that copies are known.
    ``stale`` is empty unless records contradict each other."""

    time: int
    client: EventClient
    call: EventCall
    region: str
    issued_key: str
    event_id: str | None
    position: Position
    matches: Matches = ()
    stale: Stale = ()

    @classmethod
    def of(
        cls,
        record: Record,
        raw: bytes | msgspec.Raw,
        time: int,
        position: Position,
        matches: Matches = (),
    ) -> tuple[bytes, KeptEvent]:
        """Return identity and event of a record, whose JSON is ``raw``."""
        name = event_id(record, raw)
        key, event = cls.of_view(record, position).at(name, time, position, matches)
        return key, msgspec.structs.replace(event, issued_key=issued_key(record))

    @classmethod
    def of_view(cls, record: Record | RecordView, position: Position) -> KeptEvent:
        """Return the event of a record, without time, id, issued key and matches."""
        client, call = EventClient.of(record), EventCall.of(record, record.error_message)
        return cls(0, client, call, record.aws_region or "", "", None, position)

    @property
    def is_hit(self) -> bool:
        """Whether some rule matches it, or has matched a record that it stands for."""
        return bool(self.matches or self.stale)

    def named(self, name: str) -> tuple[bytes, KeptEvent]:
        """Return identity and event of a record with this id that is the same but for it."""
        key = identity(self.client.account, name)
        implied = _unless_implied(key, name)
        return key, self if implied is None else msgspec.structs.replace(self, event_id=implied)

    def at(
        self, name: str, time: int, position: Position, matches: Matches
    ) -> tuple[bytes, KeptEvent]:
        """Return identity and event of a record that is the same but for this."""
        key, event = self.named(name)
        return key, msgspec.structs.replace(event, time=time, position=position, matches=matches)

    def placed(self, time: int, position: Position) -> KeptEvent:
        """Return the event of a record that is the same but for time and place."""
        return self._with(time, self.region, position)

    def made_in(self, region: str) -> KeptEvent:
        """Return the event of a call that is the same but for its region."""
        return self._with(self.time, region, self.position)

    def _with(self, time: int, region: str, position: Position) -> KeptEvent:
        # Thrice as fast as to replace them by name: this runs for each hit of a sweep.
        return KeptEvent(
            time,
            self.client,
            self.call,
            region,
            self.issued_key,
            self.event_id,
            position,
            self.matches,
            self.stale,
        )

    @classmethod
    def of_event(cls, event: Event) -> tuple[bytes, KeptEvent]:
        """Return identity and row of an event, without matches."""
        key = event.identity
        row = cls(
            time=event.time,
            client=EventClient(*[getattr(event, name) for name in EventClient._fields]),
            call=EventCall(*[getattr(event, name) for name in EventCall._fields]),
            region=event.region,
            issued_key=event.issued_key,
            event_id=_unless_implied(key, event.event_id),
            position=event.position,
        )
        return key, row

    def id_of(self, key: bytes) -> str:
        """Return the event's id as the log has it; its identity is ``key``."""
        return self.event_id or uuid_text(key)

    def event(self, key: bytes) -> Event:
        """Return the event, whose identity is ``key``, as a whole."""
        client, call = self.client, self.call
        return Event(
            account=client.account,
            event_id=self.id_of(key),
            time=self.time,
            provider=call.provider,
            action=call.action,
            region=self.region,
            source_address=client.source_address,
            user_agent=client.user_agent,
            error_code=call.error_code,
            identity_type=client.identity_type,
            arn=client.arn,
            access_key=client.access_key,
            role_arn=client.role_arn,
            caller_account=client.caller_account,
            mfa=client.mfa,
            issued_key=self.issued_key,
            position=self.position,
        )

    def content(self, key: bytes) -> bytes:
        """Return by what two records that claim the identity ``key`` are compared."""
        return msgspec.msgpack.encode(msgspec.structs.astuple(self.event(key))[:-1])

    def is_copy(self, other: KeptEvent) -> bool:
        """Tell whether another row of the same identity is the same but for its place."""
        return (
            self.time == other.time
            and self.client == other.client
            and self.call == other.call
            and self.region == other.region
            and self.issued_key == other.issued_key
            and self.event_id == other.event_id
        )


def unite_events(
    key: bytes, one: KeptEvent, other: KeptEvent, is_placed: bool = False
) -> KeptEvent:
    """Return what stands of two rows of the identity ``key``: the smaller record, all matches.

    Of two copies the one at the smaller position stands, or ``one`` where ``is_placed``."""
    if one.is_copy(other):
        if one.matches == other.matches and one.stale == other.stale:
            if is_placed or _place(one) <= _place(other):
                return one
            return other
        first = is_placed or _place(one) <= _place(other)
    else:
        first = one.content(key) < other.content(key)
    standing = one if first else other
    by_time: dict[int, dict[bytes, Match]] = {}
    for row in (one, other):
        for time, matches in ((row.time, row.matches), *row.stale):
            _add_matches(by_time.setdefault(time, {}), matches, time, row.region)
    return msgspec.structs.replace(
        standing,
        matches=_sorted(by_time.pop(standing.time)),
        stale=tuple((time, _sorted(found)) for time, found in sorted(by_time.items()) if found),
    )


def _add_matches(
    found: dict[bytes, Match], matches: Iterable[Match], time: int, region: str
) -> None:
    """Add matches at ``time`` by their series; of two with one the smaller inputs stand.

    Their inputs say the region: that of the record which stands may be another one."""
    for series, inputs in matches:
        inputs = inputs_in(inputs, region)
        name = msgspec.msgpack.encode(series)
        before = found.get(name)
        if before is None or _content(inputs, time) < _content(before[1], time):
            found[name] = (series, inputs)


def _content(inputs: Inputs, time: int) -> bytes:
    """Return by what inputs at ``time``, which say the region, are compared."""
    return msgspec.msgpack.encode(inputs_at(inputs, time, ""))


def _sorted(found: dict[bytes, Match]) -> Matches:
    return tuple(found[name] for name in sorted(found))


def _place(row: KeptEvent) -> tuple[bytes, int, int]:
    """Return the order of places. A file's name need not be text that can be encoded."""
    position = row.position
    return os.fsencode(position.source), position.offset, position.index


def _unless_implied(key: bytes, name: str) -> str | None:
    """Return an event's id; None where the identity ``key`` says it."""
    return None if len(name) == 36 and name.replace("-", "") == key.hex() else name


class _Credentials(msgspec.Struct, rename="camel"):
    access_key_id: str = ""


class _SessionOpened(msgspec.Struct):
    credentials: _Credentials | None = None


def issued_key(record: Record | RecordView) -> str:
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
