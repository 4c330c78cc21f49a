"""The windows that fresh segments touch. Their hits are counted before any hit is unpacked."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from operator import attrgetter

import msgspec

from detector.detection.derive import is_long_enough, max_gap
from detector.detection.event import Series
from detector.rules.rule import Rule
from detector.rules.rule_summary import WindowMode
from detector.store.packing.segment import Segment
from detector.store.packing.state_query import StateQuery
from detector.store.segments.segment_spans import SegmentSpan
from detector.store.segments.segment_table import SegmentTable

HitKey = tuple[int, bytes]
"""The time and identity of a hit."""
_MAX_TOUCHED = 1 << 17
"""The most touched series and new-terms hits counted at once; each takes half a kilobyte."""


class RuleSpan(msgspec.Struct):
    """A rule with windows, and the time span in which hits affect its touched windows."""

    rule: Rule
    width: int
    gap: int
    first: int = 1 << 62
    last: int = -1 << 62
    """``first`` and ``last`` are the first and last touched bucket."""

    @property
    def start(self) -> int:
        # A touched hit affects alerts up to one gap away, whose hits lie up to one more gap away.
        return self.first * self.width - 2 * self.gap

    @property
    def end(self) -> int:
        return (self.last + 1) * self.width + 2 * self.gap

    def touch(self, first: int, last: int) -> None:
        """Extend the span to the buckets of two times."""
        self.first = min(self.first, first // self.width)
        self.last = max(self.last, last // self.width)


class _TouchedSeries:
    """The hit counts of a touched series.

    ``counts`` has the number of hits of each touched bucket; if hits affect alerts across buckets
    (the rule has a gap), of every bucket. ``first`` and ``last`` enclose the times of all counted
    hits."""

    __slots__ = ("counts", "first", "last", "span", "touched", "width")

    def __init__(self, span: RuleSpan) -> None:
        self.span = span
        self.width = span.width
        self.counts: dict[int, int] = {}
        self.touched: Collection[int] = self.counts.keys()
        self.first, self.last = 1 << 62, -1 << 62

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def end_fresh(self) -> None:
        """Fix the set of touched buckets; hits that are counted from now on are not fresh."""
        if self.span.gap:
            self.touched = set(self.counts)

    def add(self, time: int, count: int, at: int) -> None:
        """Count hits with an event time of ``time`` whose row has the time ``at``."""
        bucket = time // self.width
        self.counts[bucket] = self.counts.get(bucket, 0) + count
        self.first, self.last = min(self.first, time, at), max(self.last, time, at)

    def counts_near(self, time: int) -> bool:
        """Tell whether a hit at this time is counted even though it is not fresh."""
        return bool(self.span.gap) or time // self.width in self.counts

    def buckets(self, has_alerts: bool) -> Collection[int]:
        """Return the buckets to derive.

        Unless the series may have alerts (``has_alerts``), buckets with too few hits for an alert,
        or with hits in too short a time, are left out."""
        if has_alerts:
            return self.touched
        least = self.span.rule.query.min_hits
        if self.total < least or not is_long_enough(self.span.rule, self.first, self.last):
            return ()
        if not self.span.gap:
            return [bucket for bucket, count in self.counts.items() if count >= least]
        # No window can hold more hits than two neighbouring buckets together.
        counts = self.counts
        if any(count + counts.get(bucket + 1, 0) >= least for bucket, count in counts.items()):
            return self.touched
        return ()


class Candidate(msgspec.Struct):
    """A series that may have alerts, with the buckets to derive.

    The hits that determine its alerts are in ``[start, end)``; there are at most ``count``, with
    times from ``first`` to ``last``."""

    series: Series
    span: RuleSpan
    buckets: Collection[int]
    start: int
    end: int
    first: int
    last: int
    count: int

    @classmethod
    def of(cls, series: Series, touched: _TouchedSeries, buckets: Collection[int]) -> Candidate:
        """Return the candidate for a series whose hits were counted."""
        span = touched.span
        start = min(buckets) * span.width - 2 * span.gap
        end = (max(buckets) + 1) * span.width + 2 * span.gap
        first, last = max(start, touched.first), min(end - 1, touched.last)
        return cls(series, span, buckets, start, end, first, last, touched.total)


class TouchedWindows:
    """The windows that some fresh segments touch, with the counts of their hits."""

    def __init__(
        self,
        query: StateQuery,
        segments: SegmentTable,
        rules: Mapping[str, Rule],
        mode: WindowMode,
    ) -> None:
        self._query = query
        self._segments = segments
        self.terms: dict[Series, list[HitKey]] = defaultdict(list)
        """The fresh hits of new-terms series."""
        self.moved: set[Series] = set()
        """The new-terms series that have a hit whose time has changed."""
        self.near: list[SegmentSpan] = []
        """The segments that may hold hits of the touched windows, in order of time."""
        self._spans = {
            rule_id: RuleSpan(rule, rule.query.window or 1, max_gap(rule, mode))
            for rule_id, rule in rules.items()
        }
        self._is_term = {rule_id: rule.query.shape == "terms" for rule_id, rule in rules.items()}
        self._touched: dict[Series, _TouchedSeries] = {}

    def add(self, fresh: Iterable[SegmentSpan]) -> list[SegmentSpan]:
        """Count the hits of fresh segments, and other segments' hits in the windows they touch.

        Returns the fresh segments that were taken; the others would touch too much to be counted at
        once."""
        taken = []
        term_hits = 0
        for span in fresh:
            taken.append(span)
            term_hits += self._touch(self._segments.load(self._query, span.segment_id))
            if len(self._touched) + term_hits >= _MAX_TOUCHED:
                break
        for series in self._touched.values():
            series.end_fresh()
        self.near = taken.copy()
        touched = [span for span in self._spans.values() if span.first <= span.last]
        if touched:
            start = min(span.start for span in touched)
            end = max(span.end for span in touched)
            ids = {span.segment_id for span in taken}
            for span in self._others(touched, start, end, ids):
                self.near.append(span)
                self._count(self._segments.load(self._query, span.segment_id), start, end)
            self.near.sort()
        return taken

    def candidates(self, with_alerts: Collection[Series]) -> list[Candidate]:
        """Return the series that may have alerts, in order of their first hit."""
        chosen = []
        for series, touched in self._touched.items():
            buckets = touched.buckets(series in with_alerts)
            if buckets:
                chosen.append(Candidate.of(series, touched, buckets))
        chosen.sort(key=attrgetter("first"))
        return chosen

    def _touch(self, segment: Segment) -> int:
        """Mark and count the hits of a fresh segment; return how many new-terms hits it has."""
        counted = [self._touched_series(series) for series in segment.series]
        for rule_span in {each.span.rule.rule_id: each.span for each in counted if each}.values():
            rule_span.touch(segment.times[0], segment.times[-1])
        _count_rows(segment, counted, 0, len(segment))
        for number in segment.stale_rows():
            row = segment.row(number)
            for time, matches in ((row.time, row.matches), *row.stale):
                for series, _ in matches:
                    touched = self._touched_series(series)
                    if touched is not None:
                        # The event may have left this window; the count is an upper bound.
                        touched.span.touch(time, time)
                        touched.add(time, 1, row.time)
                    elif self._is_term.get(series.rule_id):
                        self.moved.add(series)
        return self._add_terms(segment)

    def _touched_series(self, series: Series) -> _TouchedSeries | None:
        """Return the counts of a series; None for a new-terms series.

        Also None for a series of a rule that is no longer in use: its windows stay unchanged."""
        touched = self._touched.get(series)
        if touched is None and self._is_term.get(series.rule_id) is False:
            touched = self._touched[series] = _TouchedSeries(self._spans[series.rule_id])
        return touched

    def _add_terms(self, segment: Segment) -> int:
        """Add the hits of new-terms series; return how many there are."""
        is_term = [self._is_term.get(series.rule_id) for series in segment.series]
        if not any(is_term):
            return 0
        terms = [
            [segment.series[number] for number, _ in matches if is_term[number]]
            for matches in segment.numbered_matches
        ]
        added = 0
        for number, match in enumerate(segment.match):
            if terms[match]:
                hit = segment.times[number], segment.identity(number)
                for series in terms[match]:
                    self.terms[series].append(hit)
                    added += 1
        return added

    def _others(
        self, touched: Collection[RuleSpan], start: int, end: int, taken: Collection[int]
    ) -> Iterator[SegmentSpan]:
        """Yield the segments not in ``taken`` that may hold hits of the touched windows."""
        spans = {span.rule.rule_id: span for span in touched}
        for first, last, segment_id, hits in self._query(
            "SELECT first, last, segment_id, hits FROM segment WHERE first < ? AND last >= ? "
            "ORDER BY first",
            min(end, 1 << 62),
            max(start, -1 << 62),
        ):
            if segment_id in taken:
                continue
            for rule_id in msgspec.json.decode(hits):
                span = spans.get(rule_id)
                if span is not None and first < span.end and last >= span.start:
                    yield SegmentSpan(first, last, segment_id)
                    break

    def _count(self, segment: Segment, start: int, end: int) -> None:
        """Count the hits in ``[start, end)`` of a segment that is not fresh, in touched windows."""
        counted = [self._touched.get(series) for series in segment.series]
        first, last = bisect_left(segment.times, start), bisect_left(segment.times, end)
        _count_rows(segment, counted, first, last, is_fresh=False)
        for number in segment.stale_rows():
            for time, matches in segment.stale(number):
                for series, _ in matches:
                    touched = self._touched.get(series)
                    if touched is not None and touched.counts_near(time):
                        touched.add(time, 1, segment.times[number])


def _count_rows(
    segment: Segment,
    counted: Sequence[_TouchedSeries | None],
    first: int,
    last: int,
    is_fresh: bool = True,
) -> None:
    """Count the rows ``[first, last)`` of a segment in the series that are ``counted``.

    The loop body runs once per hit, so it is inlined here."""
    series_of = [
        [each for number, _ in matches if (each := counted[number]) is not None]
        for matches in segment.numbered_matches
    ]
    pairs = zip(segment.match, segment.times, strict=True)
    for match, time in islice(pairs, first, last):
        for series in series_of[match]:
            if not (is_fresh or series.counts_near(time)):
                continue
            counts, bucket = series.counts, time // series.width
            counts[bucket] = counts.get(bucket, 0) + 1
            if time < series.first:
                series.first = time
            if time > series.last:
                series.last = time
