"""The core function: a chunk's bytes become a mergeable partial result.

The live tail, the process pool and a cluster all call ``digest``; ``merge`` is commutative,
associative and idempotent, so the split and the order of the work cannot change the result.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from time import perf_counter
from typing import Any, NamedTuple, TypeVar

import msgspec

from detector.cloudtrail.record import EventSignature
from detector.detection import principal_index
from detector.detection.baseline import BaselineKey, extend_span
from detector.detection.event import Event, Position
from detector.detection.principal import caller_keys, issued_keys
from detector.detection.principal_index import PostingLists, hashes_of
from detector.detection.signature_cache import SignatureCache, SignatureInfo
from detector.detection.window import WindowKey
from detector.esql.plan.accumulators import Inputs
from detector.formats import Chunk, Records, parse_records
from detector.rules.dispatch import Dispatch
from detector.rules.rule import Rule


class ChunkStats(msgspec.Struct):
    """The accounting of one chunk: seen = kept + skipped + rejected.

    The chunk ends before byte ``end``. ``hits`` of the kept records passed some rule; ``first`` and
    ``last`` span the event times of the kept ones. ``bridged`` records came by EventBridge, and
    ``bridged_read_only`` of a chunk that has such are read-only calls."""

    end: int
    seen: int = 0
    hits: int = 0
    skipped: dict[str, int] = {}
    rejected: dict[str, int] = {}
    first: int | None = None
    last: int | None = None
    principal_index: bytes = b""
    """Which principals are in the chunk and where, by ``principal_index.encode``."""
    bridged: int = 0
    bridged_read_only: int = 0

    def extend(self, first: int, last: int) -> None:
        """Extend the span of event times over ``[first, last]``."""
        self.first = first if self.first is None else min(self.first, first)
        self.last = last if self.last is None else max(self.last, last)


class Partial(msgspec.Struct, eq=True):
    """What some chunks hold for some rules; a union counts once."""

    chunks: dict[tuple[str, int], ChunkStats] = {}
    """By file and offset."""
    events: dict[bytes, Event] = {}
    """By ``record.identity``."""
    hits: dict[WindowKey, dict[bytes, Inputs]] = {}
    observations: dict[BaselineKey, tuple[int, int]] = {}
    """First and last event time."""

    @classmethod
    def empty(cls) -> Partial:
        """Return a partial that can be filled."""
        return cls({}, {}, {}, {})

    def merge(self, *others: Partial) -> Partial:
        """Return the union of this partial and others."""
        return merge([self, *others])


def merge(partials: Iterable[Partial]) -> Partial:
    """Return the union of partials as a new one.

    Where two records claim one identity, the smaller one by value stands, whichever came first.
    """
    union = Partial.empty()
    for partial in partials:
        union.chunks.update(partial.chunks)
        _unite(union.events, partial.events)
        for key, hits in partial.hits.items():
            _unite(union.hits.setdefault(key, {}), hits)
        for baseline_key, span in partial.observations.items():
            extend_span(union.observations, baseline_key, span)
    return union


_T = TypeVar("_T", Event, Inputs)


def _unite(target: dict[bytes, _T], other: dict[bytes, _T]) -> None:
    for event_key, value in other.items():
        present = target.setdefault(event_key, value)
        if present is not value and present != value:
            target[event_key] = min(present, value, key=_order)


def _order(value: Event | Inputs) -> tuple[object, ...]:
    """Return the key by which one of two values stands.

    The file name is compared last, as bytes: it need not be text that can be encoded."""
    if not isinstance(value, Event):
        return (msgspec.msgpack.encode(value),)
    *fields, position = msgspec.structs.astuple(value)
    return (
        msgspec.msgpack.encode(fields),
        os.fsencode(position.source),
        position.offset,
        position.index,
    )


class DigestResult(NamedTuple):
    """A chunk's partial, and the seconds that each rule took."""

    partial: Partial
    rule_seconds: dict[str, float]


def digest(source: str, chunk: Chunk, dispatch: Dispatch, cache: SignatureCache) -> DigestResult:
    """Evaluate the rules of ``dispatch`` over one chunk of the file ``source``.

    A pure function: ``cache`` only saves work. Raises formats.Incomplete or formats.Unreadable
    where the chunk is no JSON.
    """
    records = parse_records(chunk)
    stats = _stats_of(chunk, records)
    partial = Partial({(source, chunk.offset): stats}, {}, {}, {})
    rule_seconds: dict[str, float] = defaultdict(float)
    postings: PostingLists = defaultdict(list)
    for signature, indexes in records.by_signature.items():
        info = cache[signature]
        if info.may_open_session:
            keys = caller_keys(info.signature)
            for index in indexes:
                hashes = hashes_of(keys | issued_keys(records.canonical(index)))
                postings[hashes].append(index)
        else:
            postings[info.principal_hashes] += indexes
        events, times = _timed_events(records, indexes, info, stats)
        if not times:
            continue
        span = min(times), max(times)
        extend_span(partial.observations, info.baseline_key, span)
        stats.extend(*span)
        rules = dispatch.rules_for(info.signature)
        if not rules:
            continue
        for index, time in zip(events, times, strict=True):
            position = Position(source, chunk.offset, index)
            stats.hits += _collect(partial, rules, rule_seconds, records, time, position)
    stats.principal_index = principal_index.encode(postings, records.verbatim)
    return DigestResult(partial, dict(rule_seconds))


def _stats_of(chunk: Chunk, records: Records) -> ChunkStats:
    stats = ChunkStats(
        chunk.end,
        seen=len(records) + records.rejected.total() + records.skipped.total(),
        skipped=dict(records.skipped),
        rejected=dict(records.rejected),
        bridged=records.eventbridge_count,
    )
    if records.eventbridge_count:
        stats.bridged_read_only = sum(
            len(indexes)
            for signature, indexes in records.by_signature.items()
            if signature.read_only is True
        )
    return stats


def _timed_events(
    records: Records, indexes: Sequence[int], info: SignatureInfo, stats: ChunkStats
) -> tuple[Sequence[int], list[int]]:
    """Return the events with their times; count other records by reason."""
    if info.skip_reason:
        stats.skipped[info.skip_reason] = stats.skipped.get(info.skip_reason, 0) + len(indexes)
        return (), []
    all_times = records.times
    times = [all_times[index] for index in indexes]
    if None in times:
        reason = "no-event-time" if _is_cloudtrail(info.signature) else "not-cloudtrail"
        stats.rejected[reason] = stats.rejected.get(reason, 0) + times.count(None)
        indexes = [index for index in indexes if all_times[index] is not None]
    return indexes, [time for time in times if time is not None]


def _is_cloudtrail(signature: EventSignature) -> bool:
    return bool(signature.event_source and signature.event_name)


def _collect(
    partial: Partial,
    rules: Sequence[Rule],
    rule_seconds: dict[str, float],
    records: Records,
    time: int,
    position: Position,
) -> bool:
    """Add a record to the windows of the rules that match it."""
    hits: list[tuple[Rule, tuple[Any, ...], Inputs]] = []
    try:
        record = records.record(position.index)
        for rule in rules:
            begun = perf_counter()
            hits += [(rule, *row) for row in rule.query.rows(record, time)]
            rule_seconds[rule.rule_id] += perf_counter() - begun
        if not hits:
            return False
        event = Event.of(record, records.canonical(position.index), time, position)
    except RecursionError:
        (stats,) = partial.chunks.values()
        stats.rejected["nested-too-deep"] = stats.rejected.get("nested-too-deep", 0) + 1
        return False
    event_key = event.identity
    _unite(partial.events, {event_key: event})
    for rule, key, inputs in hits:
        if rule.query.window:
            window = WindowKey(rule.rule_id, time // rule.query.window, key)
        else:
            window = WindowKey(rule.rule_id, time, (event.account, event.event_id))
        _unite(partial.hits.setdefault(window, {}), {event_key: inputs})
    return True
