"""The core function: a chunk's bytes become a mergeable partial result.

The live tail, the process pool and a cluster all call ``digest``; ``merge`` is commutative,
associative and idempotent, so the split and the order of the work cannot change the result.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from detector.detection import principal_index
from detector.detection.activity_count import count_activity
from detector.detection.baseline import ObservationSpans, extend_spans, unite_spans
from detector.detection.event import KeptEvent, unite_events
from detector.detection.hits import HitCollector
from detector.detection.principal import issued_keys
from detector.detection.principal_index import PostingLists, hashes_of
from detector.detection.signature_cache import (
    OriginFacts,
    SignatureCache,
    SignatureGroup,
    group_records,
)
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


class Partial(msgspec.Struct, eq=True):
    """What some chunks hold for some rules; a union counts once."""

    chunks: dict[tuple[str, int], ChunkStats] = {}
    """By file and offset."""
    hits: dict[bytes, KeptEvent] = {}
    """The events that passed some rule's filter, by ``record.identity``."""
    observations: ObservationSpans = {}

    def add_hit(self, identity: bytes, event: KeptEvent) -> None:
        """Add an event that passed some rule's filter."""
        present = self.hits.setdefault(identity, event)
        if present is not event:
            self.hits[identity] = unite_events(identity, present, event)

    def merge(self, *others: Partial) -> Partial:
        """Return the union of this partial and others."""
        return merge([self, *others])


def merge(partials: Iterable[Partial]) -> Partial:
    """Return the union of partials as a new one.

    Where two records claim one identity, the smaller one by value stands, whichever came first.
    """
    union = Partial()
    for partial in partials:
        union.chunks.update(partial.chunks)
        for identity, event in partial.hits.items():
            union.add_hit(identity, event)
        unite_spans(union.observations, partial.observations)
    return union


class DigestResult(NamedTuple):
    """A chunk's partial, and the seconds that each rule took."""

    partial: Partial
    rule_seconds: dict[str, float]


def digest(
    source: str,
    chunk: Chunk,
    dispatch: Dispatch,
    cache: SignatureCache,
    counts_activity: bool = True,
) -> DigestResult:
    """Evaluate the rules of ``dispatch`` over one chunk of the file ``source``.

    A pure function: ``cache`` only saves work. What principals do is counted unless nobody will ask
    (``counts_activity``). Raises formats.Incomplete or formats.Unreadable where the chunk is no
    JSON.
    """
    records = parse_records(chunk, cache.heads)
    groups = group_records(records, cache)
    stats = _stats_of(chunk, records, groups)
    partial = Partial({(source, chunk.offset): stats})
    stats.principal_index = principal_index.encode(_post(records, groups), records.verbatim)
    if counts_activity:
        stats.activity = count_activity(records, groups).encode()
    _observe(partial.observations, groups)
    hits = HitCollector(records, source, chunk.offset, partial.add_hit)
    for group, rules in _candidates(groups, dispatch):
        hits.collect(group, rules)
    stats.hits = hits.count
    cache.heads.keep(hits.view_bytes)
    cache.heads.trim()
    if hits.too_deep:
        _count(stats.rejected, "nested-too-deep", hits.too_deep)
    return DigestResult(partial, dict(hits.rule_seconds))


def _stats_of(chunk: Chunk, records: Records, groups: Sequence[SignatureGroup]) -> ChunkStats:
    stats = ChunkStats(
        chunk.end,
        seen=len(records) + records.rejected.total() + records.skipped.total(),
        skipped=dict(records.skipped),
        rejected=dict(records.rejected),
        bridged=records.eventbridge_count,
    )
    for group in groups:
        call, indexes, timed = group.call, group.indexes, group.timed
        if stats.bridged and group.signature.read_only is True:
            stats.bridged_read_only += len(indexes)
        if call.skip_reason:
            _count(stats.skipped, call.skip_reason, len(indexes))
        elif len(timed) < len(indexes):
            reason = "no-event-time" if call.is_named else "not-cloudtrail"
            _count(stats.rejected, reason, len(indexes) - len(timed))
    stats.first = min((group.first for group in groups if group.timed), default=None)
    stats.last = max((group.last for group in groups if group.timed), default=None)
    return stats


def _count(reasons: dict[str, int], reason: str, count: int) -> None:
    reasons[reason] = reasons.get(reason, 0) + count


def _candidates(
    groups: Sequence[SignatureGroup], dispatch: Dispatch
) -> Iterator[tuple[SignatureGroup, Sequence[Rule]]]:
    """Yield the groups whose events rules may match, with these rules."""
    for group in groups:
        facts = group.facts
        if facts.dispatch is not dispatch:
            facts.select(dispatch, group.signature)
        if facts.rules and group.timed:
            yield group, facts.rules


def _post(records: Records, groups: Sequence[SignatureGroup]) -> PostingLists:
    """Return where the records of each principal are.

    Those that may open a session may have the access key of the session."""
    postings: PostingLists = defaultdict(list)
    for group in groups:
        client = group.origin.client
        if not group.call.may_open_session:
            postings[client.principal_hashes] += group.indexes
            continue
        for index in group.indexes:
            issued = issued_keys(records.canonical(index))
            hashes = client.principal_hashes
            if not issued <= client.principal_keys:
                hashes = hashes_of(client.principal_keys | issued)
            postings[hashes].append(index)
    return postings


def _observe(spans: ObservationSpans, groups: Sequence[SignatureGroup]) -> None:
    """Extend ``spans`` over what the events show."""
    by_origin: dict[OriginFacts, tuple[int, int]] = {}
    for group in groups:
        if not group.timed:
            continue
        origin, first, last = group.origin, group.first, group.last
        if group.call.changes:
            extend_spans(spans, origin.changed, (first, last))
        known = by_origin.get(origin)
        if known is not None:
            first, last = min(first, known[0]), max(last, known[1])
        by_origin[origin] = first, last
    for origin, span in by_origin.items():
        extend_spans(spans, origin.observed, span)
