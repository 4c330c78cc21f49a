"""The core function: it turns a chunk's bytes into a mergeable partial result.

The live tail, the process pool and a cluster all call ``digest``; ``merge`` is commutative,
associative and idempotent, so neither the split nor the order of the work changes the result.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from detector.detection import principal_index
from detector.detection.activity_count import count_activity
from detector.detection.baseline import OriginSpans
from detector.detection.columns.event_columns import EventColumns
from detector.detection.event import KeptEvent
from detector.detection.grouping.by_number import group_by_number, group_documents
from detector.detection.grouping.chunk_events import ChunkEvents
from detector.detection.hits import HitCollector
from detector.detection.principal import issued_keys
from detector.detection.principal_index import PostingLists, PrincipalHashes, add_keys
from detector.detection.signature_cache import SignatureCache
from detector.formats import Chunk, Records, parse_documents, parse_records
from detector.rules.dispatch import Dispatch


class ChunkStats(msgspec.Struct):
    """The accounting of one chunk: seen = kept + skipped + rejected.

    The chunk ends before byte ``end``. ``hits`` counts the kept records that passed some rule;
    ``first`` and ``last`` span the event times of the kept records. ``bridged`` counts the records
    that came through EventBridge; in a chunk with such records, ``bridged_read_only`` counts the
    read-only calls."""

    end: int
    seen: int = 0
    hits: int = 0
    skipped: dict[str, int] = {}
    rejected: dict[str, int] = {}
    first: int | None = None
    last: int | None = None
    principal_index: bytes = b""
    """Which records have which principals, encoded by ``principal_index.encode``."""
    activity: bytes = b""
    """The activity of each principal, encoded by ``ChunkActivity.encode``."""
    bridged: int = 0
    bridged_read_only: int = 0


class Partial(msgspec.Struct, eq=True):
    """The result of evaluating some rules over some chunks; a chunk in a union counts once."""

    chunks: dict[tuple[str, int], ChunkStats] = {}
    """By file and offset."""
    hits: EventColumns = msgspec.field(default_factory=EventColumns)
    """The events that passed some rule's filter, by ``record.identity``."""
    observations: OriginSpans = msgspec.field(default_factory=OriginSpans)

    def add_hit(self, identity: bytes, event: KeptEvent) -> None:
        """Add an event that passed some rule's filter."""
        self.hits.add(identity, event)

    def merge(self, *others: Partial) -> Partial:
        """Return the union of this partial and others."""
        return merge([self, *others])


def merge(partials: Iterable[Partial]) -> Partial:
    """Return the union of partials as a new one.

    If two records have the same identity, the smaller one by value is kept, whichever came first.
    """
    union = Partial()
    for partial in partials:
        union.chunks.update(partial.chunks)
        union.hits.add_all(partial.hits)
        union.observations.unite(partial.observations)
    return union


class DigestResult(NamedTuple):
    """A chunk's partial, and the seconds that each rule took."""

    partial: Partial
    rule_seconds: dict[str, float]


class DocumentsResult(NamedTuple):
    """The result of several documents, and the seconds that each rule took.

    ``stats`` has one item per document: None for a document that must be digested separately.
    ``partial`` has the hits and observations of all other documents."""

    stats: list[ChunkStats | None]
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

    A pure function: ``cache`` only saves work. With ``counts_activity``, the activity of principals
    is counted and their regions are observed. Raises formats.Incomplete or formats.Unreadable if
    the chunk is not JSON.
    """
    records = parse_records(chunk, cache.heads)
    events = _group(records, cache, dispatch, counts_activity)
    partial = Partial(observations=events.seen)
    stats, rule_seconds = _digest_events(
        source, chunk, records, events, partial.hits, dispatch, cache, counts_activity
    )
    partial.chunks[source, chunk.offset] = stats
    cache.trim(len(records))
    return DigestResult(partial, rule_seconds)


def digest_documents(
    sources: Sequence[str],
    texts: Sequence[bytes],
    dispatch: Dispatch,
    cache: SignatureCache,
    counts_activity: bool = True,
) -> DocumentsResult:
    """Evaluate rules over several small compressed trail files at once.

    ``texts`` are the decompressed files. Equivalent to ``digest`` for each file."""
    result = DocumentsResult([], Partial(), {})
    parsed = parse_documents(texts, cache.heads)
    if parsed is None:
        result.stats.extend([None] * len(texts))
        return result
    cache.follow_heads()
    found, all_seconds = result.partial, result.rule_seconds
    every = group_documents(parsed.cut, found.observations, cache, dispatch, counts_activity)
    for source, text, records, events in zip(sources, texts, parsed.records, every, strict=True):
        if records is None:
            result.stats.append(None)
            continue
        chunk = Chunk(0, memoryview(text), lines=False, decompressed=True)
        stats, rule_seconds = _digest_events(
            source, chunk, records, events, found.hits, dispatch, cache, counts_activity
        )
        result.stats.append(stats)
        for rule_id, seconds in rule_seconds.items():
            all_seconds[rule_id] = all_seconds.get(rule_id, 0.0) + seconds
    cache.trim(sum(stats.seen for stats in result.stats if stats is not None))
    return result


def _digest_events(
    source: str,
    chunk: Chunk,
    records: Records,
    events: ChunkEvents,
    found: EventColumns,
    dispatch: Dispatch,
    cache: SignatureCache,
    counts_activity: bool,
) -> tuple[ChunkStats, dict[str, float]]:
    """Add the hits of a chunk to ``found``; return its counts, and the seconds of each rule."""
    stats = _stats_of(chunk, records, events)
    openings = principal_index.encode_lists(_post_openings(records, events))
    stats.principal_index = principal_index.encode([events.postings, openings], records.verbatim)
    if counts_activity:
        stats.activity = count_activity(records, events).encode()
    rule_seconds: dict[str, float] = {}
    if events.candidates:
        assert events.callers is not None  # candidates come from a table with callers
        hits = HitCollector(records, dispatch, source, chunk.offset, found, events.callers)
        rule_seconds = _collect_hits(hits, events, stats)
        cache.heads.keep(hits.kept_bytes)
    return stats, rule_seconds


def _collect_hits(hits: HitCollector, events: ChunkEvents, stats: ChunkStats) -> dict[str, float]:
    """Collect and count the hits of a chunk; return the seconds that each rule took."""
    hits.collect(events.candidates)
    stats.hits = hits.count
    if hits.too_deep:
        too_deep = stats.rejected.get("nested-too-deep", 0) + hits.too_deep
        stats.rejected["nested-too-deep"] = too_deep
    return dict(hits.rule_seconds)


def _group(
    records: Records, cache: SignatureCache, dispatch: Dispatch, counts_activity: bool
) -> ChunkEvents:
    """Return the events of a chunk; with ``counts_activity``, also the calls of each origin."""
    cache.follow_heads()
    events = ChunkEvents()
    group_by_number(records.groups, events, cache, dispatch, counts_activity)
    return events


def _stats_of(chunk: Chunk, records: Records, events: ChunkEvents) -> ChunkStats:
    stats = ChunkStats(
        chunk.end,
        seen=len(records) + sum(records.rejected.values()) + sum(records.skipped.values()),
        skipped=_sum_counts(records.skipped, events.skipped),
        rejected=_sum_counts(records.rejected, events.rejected),
        bridged=records.eventbridge_count,
    )
    if events.span is not None:
        stats.first, stats.last = events.span
    if stats.bridged:
        stats.bridged_read_only = sum(
            len(indexes)
            for signature, indexes in records.by_signature.items()
            if signature.read_only is True
        )
    return stats


def _sum_counts(counts: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    sums = dict(counts)
    for reason, count in more.items():
        sums[reason] = sums.get(reason, 0) + count
    return sums


def _post_openings(records: Records, events: ChunkEvents) -> PostingLists:
    """Return postings of the records that may open a session, by principal and session key."""
    postings: defaultdict[PrincipalHashes, list[int]] = defaultdict(list)
    for hashes, indexes in events.openings:
        for index in indexes:
            issued = issued_keys(records.encoded(index))
            postings[add_keys(hashes, issued)].append(index)
    return postings
