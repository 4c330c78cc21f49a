"""What has changed: the windows that fresh segments touch, counted before any is looked at."""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from operator import attrgetter, itemgetter

import msgspec

from detector.detection.derive import max_gap
from detector.detection.event import Series, inputs_at
from detector.detection.window import Hit
from detector.rules.rule import Rule
from detector.rules.rule_summary import WindowMode
from detector.store.packing.segment import Segment
from detector.store.segments.segment_table import SegmentSpan, SegmentTable, query_of
from detector.store.window_table import WindowTable

_time = attrgetter("time")
HitKey = tuple[int, bytes]
"""The time and the identity of a hit."""


class RuleSpan(msgspec.Struct):
    """A rule with windows, and the span of time in which hits affect what has changed."""

    rule: Rule
    width: int
    gap: int
    first: int = 1 << 62
    last: int = -1 << 62
    """Of the touched buckets."""

    @property
    def start(self) -> int:
        # A touched hit affects alerts as far as the gap, and these have hits as far again.
        return self.first * self.width - 2 * self.gap

    @property
    def end(self) -> int:
        return (self.last + 1) * self.width + 2 * self.gap

    def touch(self, bucket: int) -> None:
        """Extend the span over a bucket."""
        self.first = min(self.first, bucket)
        self.last = max(self.last, bucket)


class TouchedWindows:
    """The windows that some fresh segments touch, and the hits that decide about them."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        segments: SegmentTable,
        windows: WindowTable,
        rules: Mapping[str, Rule],
        mode: WindowMode,
    ) -> None:
        self._query = query_of(connection)
        self._segments = segments
        self._windows = windows
        self.terms: dict[Series, list[HitKey]] = defaultdict(list)
        """The hits of series of new terms."""
        self.moved: set[Series] = set()
        """Series of new terms of which a hit has another time now."""
        self._spans = {
            rule_id: RuleSpan(rule, rule.query.window or 1, max_gap(rule, mode))
            for rule_id, rule in rules.items()
        }
        self._counts: dict[Series, dict[int, int]] = {}
        self._near_counts: dict[Series, Counter[int]] = defaultdict(Counter)
        """Of series whose hits affect others: the hits of each bucket, touched or not."""
        self._totals: Counter[Series] = Counter()
        self._near: list[int] = []
        self._hits: dict[Series, list[Hit]] = {}

    def add(self, fresh: Iterable[SegmentSpan]) -> None:
        """Count the hits of fresh segments, and those of others in the windows they touch."""
        counted = []
        for span in fresh:
            counted.append(span.segment_id)
            self._touch(self._segments.load(self._query, span.segment_id))
        self._near = counted.copy()
        touched = [span for span in self._spans.values() if span.first <= span.last]
        for segment_id in self._others(touched, set(counted)):
            self._near.append(segment_id)
            self._count(self._segments.load(self._query, segment_id))

    def candidates(
        self, with_alerts: Collection[Series]
    ) -> Iterator[tuple[Series, RuleSpan, list[int]]]:
        """Yield the series that may have alerts, with the buckets to derive.

        Those are left out in which too few hits lie for an alert, unless there is one."""
        chosen = []
        for series, counts in self._counts.items():
            span = self._spans[series.rule_id]
            least = span.rule.query.min_hits
            buckets = list(counts)
            if series not in with_alerts:
                if self._totals[series] < least:
                    continue
                if not span.gap:
                    buckets = [bucket for bucket, count in counts.items() if count >= least]
                elif not self._reaches(series, least):
                    continue
            if buckets:
                chosen.append((series, span, buckets))
        self._collect({series: span.width for series, span, _ in chosen})
        yield from chosen

    def _reaches(self, series: Series, least: int) -> bool:
        """Tell whether any two neighbouring buckets have enough hits: no window has more."""
        counts = self._near_counts[series]
        return any(count + counts[bucket + 1] >= least for bucket, count in counts.items())

    def hits(self, series: Series, start: int, end: int) -> list[Hit]:
        """Return the hits of a candidate in ``[start, end)``."""
        span = self._spans[series.rule_id]
        if start < span.start or end > span.end:  # alerts reach further than what is near
            return self._windows.hits(self._query, series, span.width, start, end)
        hits = self._hits.get(series, [])
        first = bisect_left(hits, start, key=_time)
        return hits[first : bisect_left(hits, end, first, key=_time)]

    def _touch(self, segment: Segment) -> None:
        """Mark and count the hits of a fresh segment."""
        by_rule = self._spans
        is_term = {rule_id: span.rule.query.shape == "terms" for rule_id, span in by_rule.items()}
        with_terms = set()
        for (match, time), count in Counter(zip(segment.match, segment.times, strict=True)).items():
            for series, _ in segment.matches[match]:
                rule_id = series.rule_id
                if rule_id not in by_rule:
                    continue  # the windows of a rule that is no longer used stay as they are
                if is_term[rule_id]:
                    with_terms.add(match)
                    continue
                span = by_rule[rule_id]
                bucket = time // span.width
                counts = self._counts.get(series)
                if counts is None:
                    counts = self._counts[series] = {}
                counts[bucket] = counts.get(bucket, 0) + count
                self._totals[series] += count
                if span.gap:
                    self._near_counts[series][bucket] += count
                span.touch(bucket)
        self._add_terms(segment, with_terms, is_term)
        for number in segment.stale_rows():
            row = segment.row(number)
            for time, matches in ((row.time, row.matches), *row.stale):
                for series, _ in matches:
                    if is_term.get(series.rule_id):
                        self.moved.add(series)
                    elif series.rule_id in by_rule:
                        self._touch_stale(series, time)

    def _touch_stale(self, series: Series, time: int) -> None:
        """Touch a window that a hit may have left; count no less than what is there."""
        span = self._spans[series.rule_id]
        bucket = time // span.width
        counts = self._counts.setdefault(series, {})
        counts[bucket] = counts.get(bucket, 0) + 1
        self._totals[series] += 1
        self._near_counts[series][bucket] += 1
        span.touch(bucket)

    def _add_terms(
        self, segment: Segment, matches: Collection[int], is_term: Mapping[str, bool]
    ) -> None:
        """Add the hits of new terms."""
        if not matches:
            return
        for number, match in enumerate(segment.match):
            if match in matches:
                hit = segment.times[number], segment.identity(number)
                for series, _ in segment.matches[match]:
                    if is_term.get(series.rule_id):
                        self.terms[series].append(hit)

    def _others(self, touched: Collection[RuleSpan], fresh: Collection[int]) -> Iterator[int]:
        """Yield the other segments in which hits of the touched windows may be."""
        if not touched:
            return
        start = min(span.start for span in touched)
        end = max(span.end for span in touched)
        spans = {span.rule.rule_id: span for span in touched}
        for segment_id, first, last, hits in self._query(
            "SELECT segment_id, first, last, hits FROM segment WHERE first < ? AND last >= ? "
            "ORDER BY first",
            min(end, 1 << 62),
            max(start, -1 << 62),
        ):
            if segment_id in fresh:
                continue
            for rule_id in msgspec.json.decode(hits):
                span = spans.get(rule_id)
                if span is not None and first < span.end and last >= span.start:
                    yield segment_id
                    break

    def _count(self, segment: Segment) -> None:
        """Count the hits of another segment in what is touched."""
        touched = self._counts.keys()
        by_match = [
            [series for series, _ in matches if series in touched] for matches in segment.matches
        ]
        for (match, time), count in Counter(zip(segment.match, segment.times, strict=True)).items():
            for series in by_match[match]:
                self._add(series, time, count)
        for number in segment.stale_rows():
            for time, matches in segment.stale(number):
                for series, _ in matches:
                    if series in touched:
                        self._add(series, time, 1)

    def _add(self, series: Series, time: int, count: int) -> None:
        """Count hits of a touched series."""
        span, counts = self._spans[series.rule_id], self._counts[series]
        self._totals[series] += count
        bucket = time // span.width
        if span.gap:
            self._near_counts[series][bucket] += count
        if bucket in counts:
            counts[bucket] += count

    def _collect(self, widths: Mapping[Series, int]) -> None:
        """Collect the hits of series."""
        self._hits = {series: [] for series in widths}
        if not widths:
            return
        for segment_id in self._near:
            segment = self._segments.load(self._query, segment_id)
            stale = set(segment.stale_rows())
            wanted = {
                match: [(series, inputs) for series, inputs in matches if series in widths]
                for match, matches in enumerate(segment.matches)
            }
            wanted = {match: found for match, found in wanted.items() if found}
            for number, match in enumerate(segment.match):
                if match in wanted and number not in stale:
                    row, identity = segment.row(number), segment.identity(number)
                    for series, inputs in wanted[match]:
                        inputs = inputs_at(inputs, row.time)
                        self._hits[series].append(Hit(row.time, identity, inputs, row))
            for number in stale:
                for series, width in widths.items():
                    hit = segment.hit(number, series, width)
                    if hit is not None:
                        self._hits[series].append(hit)
        for hits in self._hits.values():
            hits.sort(key=itemgetter(0, 1))
