"""The span of time in view: widened, narrowed and moved."""

from __future__ import annotations

from dataclasses import dataclass, replace

from detector.text.time import DAY, HOUR

ZOOM_LEVELS = (
    10, 30, 120, 600, 1_800,
    2 * HOUR, 6 * HOUR,
    DAY, 3 * DAY, 7 * DAY, 31 * DAY, 92 * DAY, 366 * DAY,
)  # fmt: skip
"""Seconds in view."""


@dataclass(frozen=True)
class TimeView:
    """The part ``[start, end)`` of ``[first, last)`` that is in view, all in epoch seconds.

    ``home`` is the initial view; its length is one of the zoom levels.
    """

    home: tuple[int, int]
    first: int
    last: int
    start: int
    end: int

    @classmethod
    def of(cls, home: tuple[int, int], limits: tuple[int, int]) -> TimeView:
        """Return a view of ``home`` within ``limits``."""
        return cls(home, min(home[0], limits[0]), max(home[1], limits[1]), *home)

    @property
    def length(self) -> int:
        return self.end - self.start

    @property
    def home_length(self) -> int:
        return self.home[1] - self.home[0]

    @property
    def is_home(self) -> bool:
        return (self.start, self.end) == self.home

    def with_home(self, home: tuple[int, int], limits: tuple[int, int]) -> TimeView:
        """Return a view with a new ``home``; a span that overlaps the new home is kept."""
        view = TimeView.of(home, limits)
        if self.is_home or self.end <= home[0] or self.start >= home[1]:
            return view
        return replace(view, start=self.start, end=self.end)._shifted_into(view.first, view.last)

    def resized(self, step: int, center: int) -> TimeView | None:
        """Return the view zoomed out (1) or in (-1) around ``center``; None if impossible."""
        length = self._next_length(step)
        if length is None:
            return None
        center_is_home = self.home[0] <= center < self.home[1]
        if length == self.home_length and center_is_home:
            return replace(self, start=self.home[0], end=self.home[1])
        start = center - length // 2
        view = replace(self, start=start, end=start + length)
        if length < self.home_length and center_is_home:
            return view._shifted_into(*self.home)
        return view._shifted_into(self.first, self.last)

    def _next_length(self, step: int) -> int | None:
        whole = self.last - self.first
        lengths = {length for length in ZOOM_LEVELS if length < whole}
        lengths |= {self.home_length, whole}
        if step > 0:
            return min((length for length in lengths if length > self.length), default=None)
        return max((length for length in lengths if length < self.length), default=None)

    def moved(self, seconds: int) -> TimeView:
        """Move later by ``seconds`` (earlier if negative), as far as possible.

        A view within ``home`` stays within it.
        """
        view = replace(self, start=self.start + seconds, end=self.end + seconds)
        if self.home[0] <= self.start and self.end <= self.home[1]:
            return view._shifted_into(*self.home)
        return view._shifted_into(self.first, self.last)

    def showing(self, time: int) -> TimeView:
        """Center the view on ``time``, unless ``time`` is already in view."""
        if self.start <= time < self.end:
            return self
        start = time - self.length // 2
        view = replace(self, start=start, end=start + self.length)
        return view._shifted_into(self.first, self.last)

    def _shifted_into(self, first: int, last: int) -> TimeView:
        start = max(first, min(self.start, last - self.length))
        return replace(self, start=start, end=start + self.length)
