"""The windows of alerts, and which rows of a segment are events in them."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from operator import attrgetter
from typing import NamedTuple

from detector.detection.event import Series
from detector.detection.finding import alert_id as name_alert
from detector.store.packing.segment import Segment
from detector.store.segments.segment_spans import SegmentSpan


class AlertWindow(NamedTuple):
    """The time span of a series that holds the events of an alert."""

    alert_id: str
    series: Series
    width: int
    start: int
    until: int


class _Bucket(NamedTuple):
    """A time span of a series. With a filter rule, many alerts may share it."""

    start: int
    until: int
    width: int
    alert_ids: Set[str]


class AlertWindows:
    """The windows of some alerts, to look up segment by segment."""

    def __init__(self, windows: Iterable[AlertWindow]) -> None:
        names: dict[Series, dict[tuple[int, int, int], set[str]]] = {}
        for alert_id, series, width, start, until in windows:
            spans = names.setdefault(series, defaultdict(set))
            spans[start, until, width].add(alert_id)
        self._buckets = {
            series: [_Bucket(*span, alert_ids) for span, alert_ids in sorted(spans.items())]
            for series, spans in names.items()
        }
        self._longest = {
            series: max(bucket.until - bucket.start for bucket in buckets)
            for series, buckets in self._buckets.items()
        }
        self._starts: list[int] = []
        """The starts of the merged spans that contain windows; these spans do not overlap."""
        self._ends: list[int] = []
        for start, until in sorted({span[:2] for spans in names.values() for span in spans}):
            if self._ends and start <= self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], until)
            else:
                self._starts.append(start)
                self._ends.append(until)

    @property
    def start(self) -> int:
        """The start of the first window; 0 without any."""
        return self._starts[0] if self._starts else 0

    @property
    def end(self) -> int:
        """The end of the last window, exclusive; 0 without any."""
        return self._ends[-1] if self._ends else 0

    def overlap(self, span: SegmentSpan) -> bool:
        """Tell whether a segment may have events of any window."""
        number = bisect_right(self._ends, span.first)
        return number < len(self._ends) and self._starts[number] <= span.last

    def events_in(self, segment: Segment) -> Iterator[tuple[str, Sequence[int]]]:
        """Yield (alert id, numbers of the segment's rows that are events of the alert)."""
        for series in segment.series:
            for bucket in self._near(series, segment):
                numbers = segment.hits_between(series, *bucket[:3])
                if series.key is None:
                    for number in numbers:
                        alert_id = _alert_of(segment, number, series.rule_id)
                        if alert_id in bucket.alert_ids:
                            yield alert_id, (number,)
                elif numbers:
                    for alert_id in bucket.alert_ids:
                        yield alert_id, numbers

    def _near(self, series: Series, segment: Segment) -> Iterator[_Bucket]:
        """Yield the spans of a series that overlap the time span of a segment."""
        buckets = self._buckets.get(series, ())
        if not buckets:
            return
        first, last = segment.times[0], segment.times[-1]
        begin = bisect_right(buckets, first - self._longest[series], key=attrgetter("start"))
        for number in range(begin, len(buckets)):
            bucket = buckets[number]
            if bucket.start > last:
                return
            if bucket.until > first:
                yield bucket


def _alert_of(segment: Segment, number: int, rule_id: str) -> str:
    """Return the id of the alert that a rule without a window derives from a row."""
    event_id = segment.event_id(number)
    return name_alert(rule_id, event_id, (segment.client(number).account, event_id))
