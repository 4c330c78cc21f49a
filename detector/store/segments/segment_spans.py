"""The event times of segments: which of them a span of time is in."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple


class SegmentSpan(NamedTuple):
    """The event times of a segment."""

    first: int
    last: int
    segment_id: int


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
