"""The heads that a search has seen, its answers for them, and their events' common parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from typing import Any, NamedTuple, Protocol

import msgspec

from detector.cloudtrail.caller_view import decode_caller
from detector.cloudtrail.record import EventSignature
from detector.detection.event import EventCall, EventClient, KeptEvent, Position
from detector.detection.principal import STS
from detector.detection.record_view import HitFields, RecordView
from detector.formats import Chunk, KnownHeads, Records, parse_records
from detector.formats.decoded.hit_runs import RecordRuns
from detector.formats.heads.decoded_callers import HitCallers
from detector.formats.heads.head_parts import HeadParts
from detector.formats.native.groups import RawView
from detector.formats.native.hit_runs import Questions

_CALLERS, _CALLER_BYTES = 1 << 15, 24 << 20
"""The limits of remembered callers and views, and of the callers' bytes: enough for the files of
all regions, which are read before those of the next minutes."""
_NOWHERE = Position("", 0, 0)


class SignatureAnswer(Protocol):
    """The answer of a search for the records of a signature."""

    @property
    def needs_records(self) -> bool:
        """Whether each record must be decoded for it."""


Asked = Callable[[EventSignature], SignatureAnswer | None]
"""Returns the answer for a signature; None if its records are not searched."""


class SearchedHead(msgspec.Struct, eq=False):
    """A head with its answer and its number.

    ``may_open_session``: the call is to STS, so each record must be looked at separately."""

    signature: EventSignature
    answer: Any
    may_open_session: bool
    number: int


class SearchedGroup(NamedTuple):
    """Records of a head in a chunk, by their indexes in order.

    ``span`` is their first and last time; None if unknown."""

    head: SearchedHead
    indexes: list[int]
    span: tuple[int, int] | None


class _Table(NamedTuple):
    """What is remembered with a table of heads: its heads by number, and callers with their views.

    A view is remembered with the event that its records share."""

    heads: dict[int, SearchedHead]
    callers: HitCallers


class SearchedHeads:
    """The heads of all files searched so far, with their answers to the same question."""

    def __init__(self, ask: Asked) -> None:
        self.ask = ask
        self._known = KnownHeads()
        self._generation = 0
        self._clients: dict[tuple[bytes, str | None, str | None, str | None], EventClient] = {}

    def parse(self, chunk: Chunk, is_verbatim: bool) -> Records:
        """Parse the records of a chunk. Raises Incomplete or Unreadable."""
        records = parse_records(chunk, self._known, is_verbatim)
        if self._generation != self._known.generation:
            self._generation = self._known.generation
            self._clients.clear()
        return records

    def groups(self, records: Records, wanted: Set[int]) -> Iterator[SearchedGroup]:
        """Yield the groups with a wanted record whose heads have an answer."""
        groups = records.groups
        heads = _known_of(groups.table).heads
        for group, (number, indexes) in enumerate(groups.listed()):
            if not wanted.isdisjoint(indexes):
                if number not in heads:
                    heads[number] = self._new_head(groups.table.signature(number), number)
                head = heads[number]
                if head.answer is not None:
                    yield SearchedGroup(head, indexes, groups.span(group))

    def hit_runs(
        self, records: Records, groups: Sequence[SearchedGroup]
    ) -> tuple[RecordRuns, dict[int, Any]]:
        """Cut groups of records into runs; return these, and the events of known views by
        number."""
        callers = _known_of(records.groups.table).callers
        questions = Questions(callers, [0] * len(groups), [each.head.number for each in groups])
        indexes = [group.indexes for group in groups]
        runs = records.hit_runs(indexes, questions)  # may forget views
        return runs, callers.views

    def event_of(self, head: SearchedHead, records: Records, index: int) -> KeptEvent | None:
        """Return the event that the records of a run share, by its first record at ``index``.

        None if each record must be decoded."""
        # A view lacks the key that a call to STS issued.
        raw = None if head.may_open_session else records.raw_hit(index)
        return None if raw is None else self._new_event(head.signature, raw[0])

    def _new_head(self, signature: EventSignature, number: int) -> SearchedHead:
        return SearchedHead(signature, self.ask(signature), signature.event_source == STS, number)

    def _new_event(self, signature: EventSignature, view: RawView) -> KeptEvent | None:
        caller, message, _ = view
        try:
            text = msgspec.json.decode(message, type=str | None) if message else None
            client = self._client_of(signature, caller)
        except (ValueError, RecursionError):
            return None
        call = EventCall.of(signature, text)
        return KeptEvent(0, client, call, signature.aws_region or "", "", None, _NOWHERE)

    def _client_of(self, signature: EventSignature, caller: bytes) -> EventClient:
        """Return the client of a head and a caller. Raises ValueError or RecursionError."""
        recipient, address = signature.recipient_account_id, signature.source_ip_address
        key = caller, recipient, address, signature.user_agent
        client = self._clients.get(key)
        if client is None:
            fields = HitFields(userIdentity=msgspec.Raw(caller))
            client = EventClient.of(RecordView(signature, decode_caller(caller), fields))
            self._clients[key] = client
            self._known.keep(len(caller))
        return client


def _known_of(table: HeadParts) -> _Table:
    if table.facts is None:
        table.facts = _Table({}, table.new_callers(_CALLERS, _CALLER_BYTES))
    known: _Table = table.facts
    return known
