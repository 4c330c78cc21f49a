"""The one function that does the work: bytes -> a mergeable partial result.

The live tail, the process pool and a cluster all call ``digest``; ``merge`` is commutative, associative and
idempotent, so how the work was split and in what order it came back cannot change the result.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from time import perf_counter
from typing import Any, NamedTuple, TypeVar

import msgspec

from detector.cloudtrail.record import Caller, EventSignature, Head, identity
from detector.detection.baseline import BaselineKey, baseline_key_of, extend_span
from detector.detection.event import Event, Position
from detector.detection.principal import STS, caller_keys, issued_keys
from detector.detection.principal_index import PostingLists, PrincipalHashes, encode, hashes_of
from detector.detection.window import Inputs, WindowKey
from detector.formats import Chunk, Records, parse_records
from detector.rules.dispatch import Dispatch
from detector.rules.rule import Rule


class ChunkStats(msgspec.Struct):
    """The accounting of one chunk, which ends before byte ``end``: seen = kept + skipped +
    rejected.

    ``hits`` of the kept were counted by some rule; ``first`` and ``last`` span the event times of
    the kept ones."""

    end: int
    seen: int = 0
    hits: int = 0
    skipped: dict[str, int] = {}
    rejected: dict[str, int] = {}
    first: int | None = None
    last: int | None = None
    principal_index: bytes = b""
    """Who is in it and where, as ``presence.packed`` has it."""
    bridged: int = 0
    """Records that came by EventBridge; of the chunks that have such, ``bridged_read_only`` are
    read-only calls."""
    bridged_read_only: int = 0


class Partial(msgspec.Struct, eq=True):
    """What some chunks hold for some rules. Keys are identities, so that a union never counts
    twice."""

    chunks: dict[tuple[str, int], ChunkStats] = {}
    """By file and offset."""
    events: dict[bytes, Event] = {}
    """By ``record.identity``."""
    hits: dict[WindowKey, dict[bytes, Inputs]] = {}
    observations: dict[BaselineKey, tuple[int, int]] = {}
    """First and last event time."""

    @classmethod
    def empty(cls) -> Partial:
        return cls({}, {}, {}, {})

    def merge(self, *others: Partial) -> Partial:
        """The union. Where two records claim one identity, the smaller one (by value) stands,
        whoever came first."""
        return merge([self, *others])


def merge(partials: Iterable[Partial]) -> Partial:
    """The union of any number of partials, a new one."""
    union = Partial.empty()
    for partial in partials:
        union.chunks.update(partial.chunks)
        _unite(union.events, partial.events)
        for key, hits in partial.hits.items():
            _unite(union.hits.setdefault(key, {}), hits)
        for seen, span in partial.observations.items():
            extend_span(union.observations, seen, span)
    return union


_T = TypeVar("_T", Event, Inputs)


def _unite(into: dict[bytes, _T], other: dict[bytes, _T]) -> None:
    for name, value in other.items():
        if (held := into.setdefault(name, value)) is not value and held != value:
            into[name] = min(held, value, key=_order)


def _order(value: Event | Inputs) -> tuple[object, ...]:
    """What tells which of two values stands; a file's name decides last, and need not be text that
    can be encoded."""
    if not isinstance(value, Event):
        return (msgspec.msgpack.encode(value),)
    *body, place = msgspec.structs.astuple(value)
    return msgspec.msgpack.encode(body), os.fsencode(place.source), place.offset, place.index


def digest(source: str, chunk: Chunk, dispatch: Dispatch) -> Partial:
    """What one chunk of the file ``source`` holds for the rules behind ``dispatch``.

    Raises formats.Incomplete or formats.Unreadable where the chunk is no JSON.
    """
    records = parse_records(chunk)
    tally = ChunkStats(
        chunk.end,
        seen=len(records) + records.rejected.total() + records.skipped.total(),
        skipped=dict(records.skipped),
        rejected=dict(records.rejected),
        bridged=records.eventbridge_count,
    )
    if records.eventbridge_count:
        tally.bridged_read_only = sum(
            len(indexes)
            for call, indexes in records.by_signature.items()
            if Head(None, *call).read_only is True
        )
    partial = Partial({(source, chunk.offset): tally}, {}, {}, {})
    places: PostingLists = defaultdict(list)
    spans: list[tuple[int, int]] = []
    for call, indexes in records.by_signature.items():
        told = _told[call]
        if told.opening:
            names = caller_keys(Head(None, *told.call))
            for index in indexes:
                places[hashes_of(names | issued_keys(records.canonical(index)))].append(index)
        else:
            places[told.principal_index] += indexes
        events, times = _timed(records, indexes, told, tally)
        if not times:
            continue
        span = min(times), max(times)
        spans.append(span)
        extend_span(partial.observations, told.baseline_key, span)
        if rules := dispatch.wanting(told.call):
            for index, time in zip(events, times, strict=True):
                tally.hits += _collect(
                    partial,
                    rules,
                    dispatch.spent,
                    records,
                    time,
                    Position(source, chunk.offset, index),
                )
    if spans:
        tally.first, tally.last = min(first for first, _ in spans), max(last for _, last in spans)
    tally.principal_index = encode(places, records.verbatim)
    return partial


class SignatureInfo(NamedTuple):
    """What a call tells of each of its records. ``skipped``: why they are no events; ``opening``:
    they may open a session."""

    call: EventSignature
    baseline_key: BaselineKey
    principal_index: PrincipalHashes
    skipped: str | None
    opening: bool


class SignatureCache(dict[EventSignature, SignatureInfo]):
    """What each call tells, kept by a copy: a string of the chunk's own would hold the memory
    around it, so that what is decoded next lies scattered. Calls share what they have in common:
    most of it.

    ``_before`` are those from before it was full the last time, so that calls which come round are
    not all made anew."""

    _before: Mapping[EventSignature, SignatureInfo] = {}

    def __init__(self) -> None:
        super().__init__()
        self._values: dict[Any, Any] = {}

    def __missing__(self, call: EventSignature) -> SignatureInfo:
        told = self._before.get(call) or self._made(call)
        if len(self) >= _REMEMBERED:
            self._before = dict(self)
            self.clear()
            self._values.clear()
        self[told.call] = told
        return told

    def _made(self, call: EventSignature) -> SignatureInfo:
        who, *rest = _copier.decode(msgspec.msgpack.encode(call))
        if who is not None:
            who = Caller(*map(self._shared, msgspec.structs.astuple(who)))
        call = (who, *map(self._shared, rest))
        head = Head(None, *call)
        return SignatureInfo(
            call,
            self._shared(BaselineKey(*map(self._shared, baseline_key_of(head)))),
            self._shared(hashes_of(caller_keys(head))),
            skip_reason(head),
            head.event_source == STS,
        )

    def _shared(self, value: Any) -> Any:
        return self._values.setdefault(value, value)


_copier = msgspec.msgpack.Decoder(EventSignature)
_REMEMBERED = 12_000
_told = SignatureCache()


def _timed(
    records: Records, indexes: Sequence[int], told: SignatureInfo, tally: ChunkStats
) -> tuple[Sequence[int], list[int]]:
    """The records that count as events, and the event time of each; the others are counted by
    reason."""
    if told.skipped:
        tally.skipped[told.skipped] = tally.skipped.get(told.skipped, 0) + len(indexes)
        return (), []
    known = records.times
    times = [known[index] for index in indexes]
    if None in times:
        reason = "no-event-time" if _is_cloudtrail(Head(None, *told.call)) else "not-cloudtrail"
        tally.rejected[reason] = tally.rejected.get(reason, 0) + times.count(None)
        indexes = [index for index in indexes if known[index] is not None]
    return indexes, [time for time in times if time is not None]


_SKIPPED = {"Insight": "insight", "NetworkActivity": "network-activity", "Aggregated": "aggregated"}


def skip_reason(head: Head) -> str | None:
    """Why a record that is read is not an event of the kind that rules are about; None where it is
    one."""
    if head.event_source == "aws:s3":
        return "s3-notification"
    return _SKIPPED.get(head.event_category or "")


def _is_cloudtrail(head: Head) -> bool:
    return bool(head.event_source and head.event_name)


def _collect(
    partial: Partial,
    rules: Sequence[Rule],
    spent: dict[str, float],
    records: Records,
    time: int,
    position: Position,
) -> bool:
    """Put the record into the windows of the rules that it passes; whether there was one."""
    found: list[tuple[Rule, tuple[Any, ...], Inputs]] = []
    try:
        record = records.record(position.index)
        for rule in rules:
            begun = perf_counter()
            found += [(rule, *row) for row in rule.query.rows(record, time)]
            spent[rule.rule_id] += perf_counter() - begun
        if not found:
            return False
        event = Event.of(record, records.canonical(position.index), time, position)
    except RecursionError:
        (tally,) = partial.chunks.values()
        tally.rejected["nested-too-deep"] = tally.rejected.get("nested-too-deep", 0) + 1
        return False
    name = identity(event.account, event.event_id)
    _unite(partial.events, {name: event})
    for rule, key, inputs in found:
        if rule.query.window:
            window = WindowKey(rule.rule_id, time // rule.query.window, key)
        else:
            window = WindowKey(rule.rule_id, time, (event.account, event.event_id))
        _unite(partial.hits.setdefault(window, {}), {name: inputs})
    return True
