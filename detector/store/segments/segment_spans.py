"""The event times of segments."""

from __future__ import annotations

from typing import NamedTuple


class SegmentSpan(NamedTuple):
    """The event times of a segment."""

    first: int
    last: int
    segment_id: int
