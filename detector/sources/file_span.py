"""Record the span of event times in a file."""

from __future__ import annotations

import msgspec


class FileSpan(msgspec.Struct, frozen=True):
    """A file that may be read for a pivot: its ``size`` in bytes, its first and last event time
    where known.

    ``delivered`` is when it came, where only its name tells of its time.
    """

    path: str
    size: int
    first: int | None = None
    last: int | None = None
    delivered: int | None = None
    offsets: tuple[int, ...] | None = None
    """Of the chunks in it that may hold something; None: that is not known."""

    def overlaps(self, start: int, end: int) -> bool:
        return (self.first is None or self.first < end) and (
            self.last is None or self.last >= start
        )

    def distance(self, time: int) -> float:
        """Seconds between ``time`` and its events, about; infinite where nothing is known of
        them."""
        if self.first is None or self.last is None:
            return float("inf") if self.delivered is None else abs(self.delivered - time)
        return max(self.first - time, time - self.last, 0)
