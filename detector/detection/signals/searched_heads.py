"""What a search asks of heads, and what their events have in common."""

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
from detector.formats.native.callers import KnownCallers
from detector.formats.native.cut import HeadGroups
from detector.formats.native.groups import RawView
from detector.formats.native.hit_runs import HitRuns, Questions

_CALLERS, _CALLER_BYTES = 1 << 15, 24 << 20
"""Of the callers and views that are known, and of the callers' bytes: of files of all regions, one
after another, before those of the next minutes."""
_NOWHERE = Position("", 0, 0)


class SignatureAnswer(Protocol):
    """What is told of the records of a signature."""

    @property
    def needs_records(self) -> bool:
        """Whether each is decoded for it."""


Asked = Callable[[EventSignature], SignatureAnswer | None]
"""What is asked of a signature, of which the records are searched unless it answers None."""


class SearchedHead(msgspec.Struct, eq=False):
    """What a head answers, and its number, 0 where it has none.

    ``may_open_session``: it is of a call to STS, whose records stand each by itself."""

    signature: EventSignature
    answer: Any
    may_open_session: bool
    number: int = 0


class SearchedGroup(NamedTuple):
    """Records of a head in a chunk, by their indexes in order.

    All of their times are in ``span``, from the first to the last, where it is known."""

    head: SearchedHead
    indexes: list[int]
    span: tuple[int, int] | None


class _Table(NamedTuple):
    """What is known of a table of heads: these by their numbers, and callers with their views.

    Of a view the event is known that its records have in common."""

    heads: dict[int, SearchedHead]
    callers: KnownCallers


class SearchedHeads:
    """The heads of files that were searched before, and asked the same."""

    def __init__(self, ask: Asked) -> None:
        self.ask = ask
        self._known = KnownHeads()
        self._generation = 0
        self._clients: dict[tuple[bytes, str | None, str | None, str | None], EventClient] = {}

    def parse(self, chunk: Chunk, is_verbatim: bool) -> Records:
        """Find the records of a chunk. Raises Incomplete or Unreadable."""
        records = parse_records(chunk, self._known, is_verbatim)
        if self._generation != self._known.generation:
            self._generation = self._known.generation
            self._clients.clear()
        return records

    def groups(self, records: Records, wanted: Set[int]) -> Iterator[SearchedGroup]:
        """Yield the records of the heads that answer, where one of these is wanted."""
        by_number = records.by_number
        if by_number is None:
            for group in records.groups:
                if not wanted.isdisjoint(group.indexes):
                    head = self._new_head(group.head.signature)
                    if head.answer is not None:
                        yield SearchedGroup(head, group.indexes, group.span)
            return
        heads, order, start = _table_of(by_number).heads, by_number.order.tolist(), 0
        spans = zip(by_number.firsts, by_number.lasts, strict=True)
        for number, end, span in zip(by_number.numbers, by_number.ends, spans, strict=True):
            indexes = order[start:end]
            start = end
            if not wanted.isdisjoint(indexes):
                if number not in heads:
                    heads[number] = self._new_head(by_number.table.signature(number), number)
                head = heads[number]
                if head.answer is not None:
                    yield SearchedGroup(head, indexes, span)

    def hit_runs(
        self, records: Records, groups: Sequence[SearchedGroup]
    ) -> tuple[HitRuns | None, dict[int, Any]]:
        """Cut groups of records into runs, None where none can be; and return the views that are
        known, by number."""
        indexes = [group.indexes for group in groups]
        if records.by_number is None:
            return records.hit_runs(indexes), {}
        callers = _table_of(records.by_number).callers
        questions = Questions(callers, [0] * len(groups), [each.head.number for each in groups])
        runs = records.hit_runs(indexes, questions)  # which may forget the views
        return runs, callers.views

    def event_of(self, head: SearchedHead, records: Records, index: int) -> KeptEvent | None:
        """Return what the events of a run have in common, by its first record.

        None where each must be decoded."""
        # The key that a call to STS issued stands beyond its view.
        raw = None if head.may_open_session else records.raw_hit(index)
        return None if raw is None else self._new_event(head.signature, raw[0])

    def _new_head(self, signature: EventSignature, number: int = 0) -> SearchedHead:
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


def _table_of(groups: HeadGroups) -> _Table:
    if groups.table.facts is None:
        groups.table.facts = _Table({}, KnownCallers(_CALLERS, _CALLER_BYTES))
    table: _Table = groups.table.facts
    return table
