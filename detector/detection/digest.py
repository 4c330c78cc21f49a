"""The core function: a chunk's bytes become a mergeable partial result.

The live tail, the process pool and a cluster all call ``digest``; ``merge`` is commutative,
associative and idempotent, so the split and the order of the work cannot change the result.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain
from time import perf_counter
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec

from detector.detection import principal_index
from detector.detection.activity_count import Clients, count_activity
from detector.detection.baseline import (
    ObservationSpans,
    extend_spans,
    region_observations,
    unite_spans,
)
from detector.detection.event import Event, Position
from detector.detection.principal import issued_keys
from detector.detection.principal_index import PostingLists, hashes_of
from detector.detection.signature_cache import SignatureCache
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
    activity: bytes = b""
    """What the records show of each principal, by ``ChunkActivity.encode``."""
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
    observations: ObservationSpans = {}

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
        unite_spans(union.observations, partial.observations)
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
    times = _event_times(records, cache, stats)
    clients = [
        (cache.clients[client], by_region) for client, by_region in records.by_client.items()
    ]
    opening = _indexes_of(records, cache, "may_open_session")
    postings = _post(records, clients, opening)
    stats.principal_index = principal_index.encode(postings, records.verbatim)
    stats.activity = count_activity(records, times, clients, cache, opening).encode()
    _observe(partial.observations, times, clients, _indexes_of(records, cache, "changes"))
    rule_seconds: dict[str, float] = defaultdict(float)
    for index, rules in sorted(dispatch.candidates(records).items()):
        time = times[index]
        if time is not None:
            position = Position(source, chunk.offset, index)
            stats.hits += _collect(partial, rules, rule_seconds, records, time, position)
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
            len(indexes) for call, indexes in records.by_call.items() if call[2] is True
        )
    return stats


def _event_times(records: Records, cache: SignatureCache, stats: ChunkStats) -> list[int | None]:
    """Return the event time of each record, None for one that is no event.

    Such records are counted by reason."""
    times = records.times.copy()
    has_untimed = None in times
    for call, indexes in records.by_call.items():
        facts = cache.calls[call]
        if facts.skip_reason:
            _count(stats.skipped, facts.skip_reason, len(indexes))
            for index in indexes:
                times[index] = None
        elif has_untimed:
            untimed = [times[index] for index in indexes].count(None)
            _count(stats.rejected, "no-event-time" if facts.is_named else "not-cloudtrail", untimed)
    timed = [time for time in times if time is not None]
    stats.first, stats.last = min(timed, default=None), max(timed, default=None)
    return times


def _count(reasons: dict[str, int], reason: str, count: int) -> None:
    if count:
        reasons[reason] = reasons.get(reason, 0) + count


def _indexes_of(
    records: Records, cache: SignatureCache, fact: Literal["may_open_session", "changes"]
) -> set[int]:
    """Return the indexes of the records of calls of which a fact is true."""
    groups = (
        indexes for call, indexes in records.by_call.items() if getattr(cache.calls[call], fact)
    )
    return set(chain.from_iterable(groups))


def _post(records: Records, clients: Clients, opening: set[int]) -> PostingLists:
    """Return where the records of each principal are.

    Those at ``opening`` may have the access key of a session that they opened."""
    postings: PostingLists = defaultdict(list)
    for facts, by_region in clients:
        for indexes in by_region.values():
            if opening.isdisjoint(indexes):
                postings[facts.principal_hashes] += indexes
                continue
            for index in indexes:
                issued = issued_keys(records.canonical(index)) if index in opening else set()
                is_other = not issued <= facts.principal_keys
                hashes = (
                    hashes_of(facts.principal_keys | issued) if is_other else facts.principal_hashes
                )
                postings[hashes].append(index)
    return postings


def _observe(
    spans: ObservationSpans,
    times: Sequence[int | None],
    clients: Clients,
    changing: set[int],
) -> None:
    """Extend ``spans`` over what the events show; those at ``changing`` are no reads."""
    for facts, by_region in clients:
        of_regions = []
        for region, indexes in by_region.items():
            span = _span_of(times, indexes)
            if span is None:
                continue
            of_regions.append(span)
            if not region:
                continue
            observed = region_observations(facts.account, facts.principal, region)
            extend_spans(spans, observed, span)
            if facts.account and not changing.isdisjoint(indexes):
                span = _span_of(times, changing.intersection(indexes))
                if span is not None:
                    extend_spans(spans, [("changed-region", facts.account, region)], span)
        if of_regions:
            firsts, lasts = zip(*of_regions, strict=True)
            extend_spans(spans, facts.observed, (min(firsts), max(lasts)))


def _span_of(times: Sequence[int | None], indexes: Iterable[int]) -> tuple[int, int] | None:
    """Return the first and last time at ``indexes``; None where there is none."""
    known = [time for time in [times[index] for index in indexes] if time is not None]
    return (min(known), max(known)) if known else None


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
