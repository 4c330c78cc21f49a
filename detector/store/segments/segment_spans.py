"""The time spans of segments."""

from __future__ import annotations

from typing import NamedTuple


class SegmentSpan(NamedTuple):
    """The times of the first and the last event of a segment, in epoch seconds."""

    first: int
    last: int
    segment_id: int
