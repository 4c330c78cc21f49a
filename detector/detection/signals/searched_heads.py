"""What a search asks of heads, and what their events have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from detector.cloudtrail.caller_view import decode_caller
from detector.cloudtrail.record import EventSignature
from detector.detection.event import EventCall, EventClient, KeptEvent, Position
from detector.detection.principal import STS
from detector.detection.record_view import HitFields, RecordView
from detector.formats import Chunk, KnownHead, KnownHeads, Records, parse_records
from detector.formats.native.groups import RawView

Asked = Callable[[EventSignature], object | None]
"""What is asked of a signature, of which the records are searched unless it answers None."""
_NOWHERE = Position("", 0, 0)
_VIEWS_LIMIT = 4
"""Of the views of a head that are remembered; most have one."""


class SearchedHead(msgspec.Struct, eq=False):
    """What a head answers, and the events that its records have in common, by their view.

    None stands for a view that is odd. ``may_open_session``: it is of a call to STS."""

    signature: EventSignature
    answer: Any
    may_open_session: bool
    events: dict[RawView, KeptEvent | None] = {}


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

    def searched(self, head: KnownHead) -> SearchedHead:
        """Return what is known of a head."""
        facts: SearchedHead | None = head.facts
        if facts is None:
            signature = head.signature
            facts = SearchedHead(signature, self.ask(signature), signature.event_source == STS)
            head.facts = facts
        return facts

    def event_of(self, head: SearchedHead, view: RawView) -> KeptEvent | None:
        """Return what the events of a head and a view have in common; None where it is odd."""
        if view in head.events:
            return head.events[view]
        event = self._new_event(head.signature, view)
        caller, message, _ = view
        if len(head.events) < _VIEWS_LIMIT:
            self._known.keep(len(caller) + len(message))
            head.events[view] = event
        return event

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
