"""The event: the part of a record that is kept if a rule matches it.

Events are kept as rows that share parts; a whole ``Event`` is only made to be shown.
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
    """The fields of a record that are kept; ``position`` locates the whole record.

    ``account`` is the recipient account; the caller's if the log names none. ``time`` is in seconds
    since the Unix epoch. The other strings are as in the log, ``""`` if it has none.
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
        """The key that all copies of the event share."""
        return identity(self.account, self.event_id)

    @classmethod
    def of(cls, record: Record, raw: bytes | msgspec.Raw, time: int, position: Position) -> Event:
        """Return the event of a record, whose JSON is ``raw``."""
        key, row = KeptEvent.of(record, raw, time, position)
        return row.event(key)


class EventClient(NamedTuple):
    """The part of an event that says who called; fields are named as in ``Event``."""

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
        """Return the client of a record."""
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
    """The part of an event that says what was called; fields are named as in ``Event``."""

    provider: str
    action: str
    error_code: str

    @classmethod
    def of(cls, head: Record | RecordView | EventSignature, error_message: str | None) -> EventCall:
        """Return the call of a head; a call with an error message but no code failed, too."""
        error = head.error_code or ("error" if error_message else "")
        return cls(head.event_source or "", head.event_name or "", error)


class Series(NamedTuple):
    """A rule and the values of its keys; ``key`` is None for a rule without a window.

    A rule without a window has one alert per event, keyed by the event's account and id."""

    rule_id: str
    key: tuple[Value, ...] | None


EVENT_TIME: Any = b""
"""A placeholder among the inputs of a match for the event's time, so that events can share them.

It cannot collide with a value, as no value of a record is bytes; and bytes are cheap to pack."""
EVENT_REGION: Any = b"r"
"""A placeholder for the event's region, in which the calls of a sweep differ."""

Match = tuple[Series, Inputs]
"""The series that an event is a hit of, with the inputs of the rule's aggregates.

``inputs_at`` replaces the placeholders ``EVENT_TIME`` and ``EVENT_REGION`` by the event's time and
region."""
Matches = tuple[Match, ...]
Stale = tuple[tuple[int, Matches], ...]
"""The matches of records with the same identity but another time, by that time.

Their inputs have the region, not a placeholder."""


def uuid_text(identity: bytes) -> str:
    """Return an identity as a UUID in lower case."""
    digits = identity.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def inputs_at(inputs: Inputs, time: int, region: str) -> Inputs:
    """Return inputs with ``time``, in epoch seconds, and ``region`` in place of placeholders."""
    if EVENT_TIME not in inputs:
        return inputs_in(inputs, region)
    moment = time * 1000
    return inputs_in(tuple([moment if value == EVENT_TIME else value for value in inputs]), region)


def inputs_in(inputs: Inputs, region: str) -> Inputs:
    """Return inputs with ``region`` in place of its placeholder."""
    if EVENT_REGION not in inputs:
        return inputs
    named = present(region)
    return tuple([named if value == EVENT_REGION else value for value in inputs])


def inputs_without_time(inputs: Inputs, time: int) -> Inputs:
    """Return inputs with ``EVENT_TIME`` in place of the event's time, in epoch seconds."""
    moment = time * 1000
    if moment not in inputs:
        return inputs
    return tuple(
        [EVENT_TIME if type(value) is int and value == moment else value for value in inputs]
    )


class KeptEvent(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An event without its identity, in parts that it shares with other events.

    ``event_id`` is None if it is the identity as a lower-case UUID. ``matches`` are empty for an
    event that no rule matches; it is kept as a signal, or to recognize copies. ``stale`` is empty
    unless records with the same identity contradict each other."""

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
        """Return the identity and the event of a record, whose JSON is ``raw``."""
        name = event_id(record, raw)
        key, event = cls.of_view(record, position).at(name, time, position, matches)
        return key, msgspec.structs.replace(event, issued_key=issued_key(record))

    @classmethod
    def of_view(cls, record: Record | RecordView, position: Position) -> KeptEvent:
        """Return the event of a record without time, id, issued key and matches."""
        client, call = EventClient.of(record), EventCall.of(record, record.error_message)
        return cls(0, client, call, record.aws_region or "", "", None, position)

    @property
    def is_hit(self) -> bool:
        """Whether some rule matches it, or matched another record with the same identity."""
        return bool(self.matches or self.stale)

    def named(self, name: str) -> tuple[bytes, KeptEvent]:
        """Return the identity and the event of a record that differs only in its id, ``name``."""
        key = identity(self.client.account, name)
        implied = _unless_implied(key, name)
        return key, self if implied is None else msgspec.structs.replace(self, event_id=implied)

    def at(
        self, name: str, time: int, position: Position, matches: Matches
    ) -> tuple[bytes, KeptEvent]:
        """Return the identity and the event of a record that differs only in these values."""
        key, event = self.named(name)
        return key, msgspec.structs.replace(event, time=time, position=position, matches=matches)

    def placed(self, time: int, position: Position) -> KeptEvent:
        """Return the event of a record that differs only in its time and position."""
        return self._with(time, self.region, position)

    def made_in(self, region: str) -> KeptEvent:
        """Return the event of a call that differs only in its region."""
        return self._with(self.time, region, self.position)

    def _with(self, time: int, region: str, position: Position) -> KeptEvent:
        # Three times as fast as msgspec.structs.replace; this runs for each hit of a sweep.
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
        """Return the identity and the row of an event, without matches."""
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
        """Return the event's id as in the log; ``key`` is its identity."""
        return self.event_id or uuid_text(key)

    def event(self, key: bytes) -> Event:
        """Return the whole event; ``key`` is its identity."""
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
        """Return the value by which two records with the identity ``key`` are compared."""
        return msgspec.msgpack.encode(msgspec.structs.astuple(self.event(key))[:-1])

    def is_copy(self, other: KeptEvent) -> bool:
        """Return whether another row of the same identity differs at most in position and
        matches."""
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
    """Merge two rows of the identity ``key``: the smaller record, with the matches of both.

    Of two copies, the one at the smaller position is kept; ``one`` if ``is_placed``."""
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
    """Add matches at ``time`` by their series; if a series has two, the smaller inputs are kept.

    The region is filled in, as the record that is kept may have another one."""
    for series, inputs in matches:
        inputs = inputs_in(inputs, region)
        name = msgspec.msgpack.encode(series)
        before = found.get(name)
        if before is None or _content(inputs, time) < _content(before[1], time):
            found[name] = (series, inputs)


def _content(inputs: Inputs, time: int) -> bytes:
    """Return the value by which inputs at ``time`` are compared; they have the region."""
    return msgspec.msgpack.encode(inputs_at(inputs, time, ""))


def _sorted(found: dict[bytes, Match]) -> Matches:
    return tuple(found[name] for name in sorted(found))


def _place(row: KeptEvent) -> tuple[bytes, int, int]:
    """Return a sort key for positions; file names need not be valid UTF-8."""
    position = row.position
    return os.fsencode(position.source), position.offset, position.index


def _unless_implied(key: bytes, name: str) -> str | None:
    """Return an event's id; None if it follows from the identity ``key``."""
    return None if len(name) == 36 and name.replace("-", "") == key.hex() else name


class _Credentials(msgspec.Struct, rename="camel"):
    access_key_id: str = ""


class _SessionOpened(msgspec.Struct):
    credentials: _Credentials | None = None


def issued_key(record: Record | RecordView) -> str:
    """Return the ``responseElements.credentials.accessKeyId`` of a call to STS; ``""`` if none."""
    if record.event_source != "sts.amazonaws.com":
        return ""
    try:
        opened = msgspec.json.decode(record.response_elements, type=_SessionOpened | None)
    except ValueError:
        return ""
    if not (opened and opened.credentials):
        return ""
    return opened.credentials.access_key_id
