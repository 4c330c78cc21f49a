"""The hits of the series that may have alerts, in batches that fit in memory."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from detector.detection.derive import is_long_enough, may_raise_alert
from detector.detection.window import Hit
from detector.rules.rule import Rule
from detector.store.derivation.series_rows import RowSlice, SeriesRows
from detector.store.derivation.touched_windows import Candidate
from detector.store.packing.segment import Segment
from detector.store.packing.state_query import StateQuery
from detector.store.segments.segment_spans import SegmentSpan
from detector.store.segments.segment_table import SegmentTable
from detector.store.window_table import WindowTable

_MAX_HITS = 1 << 18
"""The most hits in a batch; a single series may exceed it."""


def batches(candidates: Iterable[Candidate]) -> Iterator[list[Candidate]]:
    """Divide candidates, which are in order of their hits, into batches of limited total hits."""
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
    """The hits of some candidates; ``near`` are the segments that may hold them."""

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
        self._hits = {each.series: SeriesRows(each.series, each.span.width) for each in candidates}
        first = min((each.first for each in candidates), default=0)
        last = max((each.last for each in candidates), default=-1)
        for span in near:
            if span.first <= last and span.last >= first:
                self._collect(segments.load(query, span.segment_id))
        for hits in self._hits.values():
            hits.sort()

    def between(
        self, candidate: Candidate, start: int, end: int, has_alerts: bool
    ) -> Sequence[Hit]:
        """Return the hits of a candidate in ``[start, end)``, in order of time and identity.

        Returns nothing if the hits cannot raise an alert, unless ``has_alerts``: alerts are stored
        in this span."""
        # Stored alerts may widen the span beyond the hits that were collected.
        if start < candidate.start or end > candidate.end:
            width = candidate.span.width
            return self._windows.hits(self._query, candidate.series, width, start, end)
        hits = self._hits[candidate.series]
        first = bisect_left(hits.times, start)
        indexes = range(first, bisect_left(hits.times, end, first))
        if has_alerts or _may_raise_alert(candidate.span.rule, hits, indexes):
            return RowSlice(hits, indexes)
        return ()

    def drop(self, candidate: Candidate) -> None:
        """Free the hits of a candidate that has been processed; what was unpacked takes memory."""
        del self._hits[candidate.series]

    def _collect(self, segment: Segment) -> None:
        """Collect the candidates' hits in a segment."""
        stale = frozenset(segment.stale_rows())
        for number, series in enumerate(segment.series):
            hits = self._hits.get(series)
            if hits is not None:
                hits.add(segment, number, stale)


def _may_raise_alert(rule: Rule, hits: SeriesRows, indexes: range) -> bool:
    """Tell whether hits of a series may be enough for an alert; True if that is unknown."""
    if not indexes:
        return False
    if not hits.has_stale:  # a stale match may have another time than its row
        first, last = hits.times[indexes[0]], hits.times[indexes[-1]]
        if not is_long_enough(rule, first, last):
            return False
    return may_raise_alert(rule, len(indexes), lambda place: hits.values_of(place, indexes))
