"""The time span of a file's events."""

from __future__ import annotations

import msgspec


class FileSpan(msgspec.Struct, frozen=True):
    """A file with its first and last event time, where known.

    ``size`` is in bytes; ``delivered`` is the delivery time, for a file whose only known time is
    the label in its name.
    """

    path: str
    size: int
    first: int | None = None
    last: int | None = None
    delivered: int | None = None
    offsets: tuple[int, ...] | None = None
    """Offsets of the chunks that may hold matches; None: unknown."""

    def overlaps(self, start: int, end: int) -> bool:
        """Tell whether the file may hold events in ``[start, end)``."""
        return (self.first is None or self.first < end) and (
            self.last is None or self.last >= start
        )

    def distance(self, time: int) -> float:
        """Return the seconds between ``time`` and the file's events.

        Approximate if only the delivery time is known; infinite if no time is known.
        """
        if self.first is not None and self.last is not None:
            return max(self.first - time, time - self.last, 0)
        if self.delivered is not None:
            return abs(self.delivered - time)
        return float("inf")
