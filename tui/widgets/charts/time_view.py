"""The part of time that is in view, and how it is widened, narrowed and moved."""

from __future__ import annotations

from dataclasses import dataclass, replace

HOUR, DAY = 3_600, 86_400

ZOOM_LEVELS = (
    10,
    30,
    120,
    600,
    1_800,
    2 * HOUR,
    6 * HOUR,
    DAY,
    3 * DAY,
    7 * DAY,
    31 * DAY,
    92 * DAY,
    366 * DAY,
)
"""Seconds that are in view as it is widened and narrowed."""


@dataclass(frozen=True)
class TimeView:
    """``[start, end)`` of ``[first, last)``, the time that can be looked at; all in epoch seconds.

    ``home`` is what is looked at first, and one of the lengths that there are.
    """

    home: tuple[int, int]
    first: int
    last: int
    start: int
    end: int

    @classmethod
    def of(cls, home: tuple[int, int], reach: tuple[int, int]) -> TimeView:
        return cls(home, min(home[0], reach[0]), max(home[1], reach[1]), *home)

    @property
    def length(self) -> int:
        return self.end - self.start

    @property
    def at_home(self) -> bool:
        return (self.start, self.end) == self.home

    def over(self, home: tuple[int, int], reach: tuple[int, int]) -> TimeView:
        """The view of another ``home``: of the same length and place where they still meet, else
        all of home."""
        fresh = TimeView.of(home, reach)
        if self.at_home or self.end <= home[0] or self.start >= home[1]:
            return fresh
        return replace(fresh, start=self.start, end=self.end)._within()

    def resized(self, step: int, around: int) -> TimeView | None:
        """One length wider (1) or narrower (-1), with ``around`` in its middle; None where it goes
        no further."""
        home = self.home[1] - self.home[0]
        lengths = sorted(
            {
                *(span for span in ZOOM_LEVELS if span < self.last - self.first),
                home,
                self.last - self.first,
            }
        )
        further = [
            length
            for length in lengths
            if (length > self.length if step > 0 else length < self.length)
        ]
        if not further:
            return None
        length = further[0 if step > 0 else -1]
        if length == home and self.home[0] <= around < self.home[1]:
            return replace(self, start=self.home[0], end=self.home[1])
        start = around - length // 2
        view = replace(self, start=start, end=start + length)
        return (
            view._within(*self.home)
            if length < home and self.home[0] <= around < self.home[1]
            else view._within()
        )

    def moved(self, seconds: int) -> TimeView:
        """Later by ``seconds``, earlier where they are negative, as far as it goes; what lies in
        home stays there."""
        view = replace(self, start=self.start + seconds, end=self.end + seconds)
        at_home = self.home[0] <= self.start and self.end <= self.home[1]
        return view._within(*self.home) if at_home else view._within()

    def showing(self, time: int) -> TimeView:
        """The view, moved to have ``time`` in its middle where it is out of it."""
        if self.start <= time < self.end:
            return self
        start = time - self.length // 2
        return replace(self, start=start, end=start + self.length)._within()

    def _within(self, low: int | None = None, high: int | None = None) -> TimeView:
        """Moved into ``[low, high)``, or else into what can be looked at."""
        low, high = self.first if low is None else low, self.last if high is None else high
        start = max(low, min(self.start, high - self.length))
        return replace(self, start=start, end=start + self.length)
