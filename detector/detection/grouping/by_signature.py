"""The events of a chunk from its records by signature."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from detector.detection.baseline import widen_span
from detector.detection.grouping.chunk_events import CallEvents, ChunkEvents, OriginEvents
from detector.detection.principal_index import PrincipalHashes
from detector.detection.signature_cache import (
    OriginFacts,
    SignatureCache,
    SignatureFacts,
    SignatureGroup,
)
from detector.formats import RecordGroup, Records
from detector.rules.dispatch import Dispatch


def group_by_signature(
    records: Records,
    events: ChunkEvents,
    cache: SignatureCache,
    dispatch: Dispatch,
    counts_activity: bool,
) -> None:
    """Add the events of a chunk's ``records``, which have the heads of the cache.

    They are observed in their region unless nobody will ask what principals do
    (``counts_activity``).
    The work of a usual group is here: this runs for each distinct call of each chunk."""
    by_origin: dict[OriginFacts, OriginEvents] = {}
    postings: defaultdict[PrincipalHashes, list[int]] = defaultdict(list)
    changed = events.seen.changed
    for group in records.groups:
        head = group.head
        facts = head.facts
        if facts is None:
            facts = head.facts = cache.facts_of(head.signature)
        call, origin = facts.call, facts.origin
        if call.may_open_session:
            events.openings.append((origin.client.principal_hashes, group.indexes))
        else:
            postings[origin.client.principal_hashes] += group.indexes
        if call.skip_reason:
            events.skip(call.skip_reason, len(group.indexes))
            continue
        if group.span is None:
            group = _timed(group, records, events)
            if group.span is None:
                continue
        first, last = group.span
        known = by_origin.get(origin)
        if known is None:
            known = by_origin[origin] = OriginEvents([], first, last)
        known.add(CallEvents(call, group.indexes), first, last)
        if call.changes and origin.changed:
            widen_span(changed, origin.changed, first, last)
        if facts.dispatch is not dispatch:
            facts.select(dispatch)
        if facts.asked.rules:
            events.candidates.append(SignatureGroup(facts, group.indexes))
    for origin, of_origin in by_origin.items():
        observed = origin.observed_for(counts_activity)
        widen_span(events.seen.seen, observed, of_origin.first, of_origin.last)
    events.span = _span_of(by_origin.values())
    events.postings, events.by_origin = postings, by_origin


def _span_of(origins: Collection[OriginEvents]) -> tuple[int, int] | None:
    """Return the first and last time of the events of origins; None where there are none."""
    if not origins:
        return None
    return min(each.first for each in origins), max(each.last for each in origins)


def _timed(group: RecordGroup, records: Records, events: ChunkEvents) -> RecordGroup:
    """Return the records of a group that have a time, with their span; reject the others."""
    head, indexes = group.head, group.indexes
    times: Sequence[Any] = records.times
    if not records.has_times:
        timed = [index for index in indexes if times[index] is not None]
        if len(timed) < len(indexes):
            facts: SignatureFacts = head.facts
            reason = "no-event-time" if facts.call.is_named else "not-cloudtrail"
            events.reject(reason, len(indexes) - len(timed))
        indexes = timed
    known = [times[index] for index in indexes]
    return RecordGroup(head, indexes, (min(known), max(known)) if known else None)
