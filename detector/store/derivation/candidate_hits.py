"""The hits of the series that may have alerts, so many at a time as fit in memory."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter, itemgetter

from detector.detection.event import Matches, Series, inputs_at
from detector.detection.window import Hit
from detector.esql.plan.accumulators import Inputs
from detector.store.derivation.touched_windows import Candidate
from detector.store.packing.segment import Segment
from detector.store.segments.segment_table import SegmentSpan, SegmentTable, StateQuery
from detector.store.window_table import WindowTable

_MAX_HITS = 1 << 16
"""Hits that are collected at once; each takes a third of a kilobyte."""
_time = attrgetter("time")


def batches(candidates: Iterable[Candidate]) -> Iterator[list[Candidate]]:
    """Divide candidates, which are in order of their hits, so that each part has few hits."""
    batch: list[Candidate] = []
    count = 0
    for candidate in candidates:
        if batch and count + candidate.count > _MAX_HITS:
            yield batch
            batch, count = [], 0
        batch.append(candidate)
        count += candidate.count
    if batch:
        yield batch


class CandidateHits:
    """The hits of some candidates; ``near`` are the segments in which these are."""

    def __init__(
        self,
        query: StateQuery,
        segments: SegmentTable,
        windows: WindowTable,
        near: Iterable[SegmentSpan],
        candidates: Sequence[Candidate],
    ) -> None:
        self._query = query
        self._windows = windows
        self._hits: dict[Series, list[Hit]] = {each.series: [] for each in candidates}
        self._widths = {each.series: each.span.width for each in candidates}
        first = min((each.first for each in candidates), default=0)
        last = max((each.last for each in candidates), default=-1)
        for span in near:
            if span.first <= last and span.last >= first:
                self._collect(segments.load(query, span.segment_id), first, last)
        for hits in self._hits.values():
            hits.sort(key=itemgetter(0, 1))

    def between(self, candidate: Candidate, start: int, end: int) -> list[Hit]:
        """Return the hits of a candidate in ``[start, end)``, by time and identity."""
        if start < candidate.start or end > candidate.end:  # alerts reach beyond what decides
            width = candidate.span.width
            return self._windows.hits(self._query, candidate.series, width, start, end)
        hits = self._hits[candidate.series]
        first = bisect_left(hits, start, key=_time)
        return hits[first : bisect_left(hits, end, first, key=_time)]

    def _collect(self, segment: Segment, first: int, last: int) -> None:
        """Collect hits from the time ``first`` to ``last``."""
        stale = set(segment.stale_rows())
        wanted = [self._wanted(matches) for matches in segment.matches]
        begin, end = bisect_left(segment.times, first), bisect_left(segment.times, last + 1)
        for number in range(begin, end):
            found = wanted[segment.match[number]]
            if not found or number in stale:
                continue
            row, identity = segment.row(number), segment.identity(number)
            for hits, inputs in found:
                hits.append(Hit(row.time, identity, inputs_at(inputs, row.time), row))
        for number in stale:
            for series, width in self._widths.items():
                hit = segment.hit(number, series, width)
                if hit is not None:
                    self._hits[series].append(hit)

    def _wanted(self, matches: Matches) -> list[tuple[list[Hit], Inputs]]:
        hits = self._hits
        return [(hits[series], inputs) for series, inputs in matches if series in hits]
