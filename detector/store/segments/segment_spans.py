"""The event times of segments: which of them a span of time is in.

A source may be read folder by folder, each of which has all hours. Then every segment would span
all of them, and whatever is asked of a minute would be looked for in every segment.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

CROWD = 16
"""Segments that share a moment, from which on they may be too many."""
_WORTHWHILE = 8
"""How often the same seconds must be spanned for cutting them anew."""


class SegmentSpan(NamedTuple):
    """The event times of a segment."""

    first: int
    last: int
    segment_id: int

    @property
    def seconds(self) -> int:
        """The seconds from its first event to its last."""
        return self.last - self.first


class SpanIndex:
    """The spans of segments, to be asked for many spans of time."""

    def __init__(self, spans: Sequence[SegmentSpan]) -> None:
        self._spans = spans
        self._firsts = [span.first for span in spans]
        self._lasts = list(accumulate((span.last for span in spans), max))
        """The latest event of each segment and those before."""

    def between(self, start: float, end: float) -> list[int]:
        """Return the ids of the segments that may have events in ``[start, end)``."""
        numbers = range(bisect_left(self._lasts, start), bisect_left(self._firsts, end))
        return [
            self._spans[number].segment_id
            for number in numbers
            if self._spans[number].last >= start
        ]


def crowd_of(spans: Iterable[SegmentSpan]) -> Sequence[SegmentSpan]:
    """Return segments to cut anew in order of time; none where few share a moment.

    ``spans`` are in order of time. The segments that are returned span at most an eighth as much
    once they are cut, so there is an end to it. Those that one busy second fills are left alone."""
    open_spans: list[tuple[int, SegmentSpan]] = []
    for span in spans:
        while open_spans and open_spans[0][0] < span.first:
            heapq.heappop(open_spans)
        heapq.heappush(open_spans, (span.last, span))
        if len(open_spans) < CROWD:
            continue
        crowd = heapq.nlargest(CROWD, (each for _, each in open_spans), key=_seconds)
        together = max(each.last for each in crowd) - min(each.first for each in crowd)
        if sum(map(_seconds, crowd)) > _WORTHWHILE * together:
            return crowd
    return ()


def _seconds(span: SegmentSpan) -> int:
    return span.seconds
