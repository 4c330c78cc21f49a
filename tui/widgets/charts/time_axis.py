"""A span of time in buckets that fit a width, with ticks."""

from __future__ import annotations

from dataclasses import dataclass

from tui.presentation import time_display

_STEPS = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800,
    3_600, 7_200, 10_800, 21_600, 43_200, 86_400,
)  # fmt: skip
"""Bucket sizes in seconds; larger buckets are whole days."""

_MAX_CELLS = 3
"""Maximum width of one bucket in cells."""

_MIN_TICK_CELLS = 8
"""Minimum number of cells from one tick to the next."""


@dataclass(frozen=True)
class TimeAxis:
    """``count`` buckets of ``step`` seconds from ``start`` (epoch), each ``cells`` wide."""

    start: int
    step: int
    count: int
    cells: int

    @classmethod
    def fit(cls, start: int, end: int, width: int) -> TimeAxis:
        """Choose the finest axis over ``[start, end)`` that fits ``width`` cells.

        Buckets begin at whole multiples of their size.
        """
        step = next((step for step in _STEPS if _count(start, end, step) <= width), 0)
        if not step:
            step = 86_400
            while _count(start, end, step) > max(1, width):
                step *= 2
        count = _count(start, end, step)
        return cls(start // step * step, step, count, max(1, min(_MAX_CELLS, width // count)))

    @property
    def width(self) -> int:
        """The width of all buckets in cells."""
        return self.count * self.cells

    def bucket(self, time: float) -> int:
        """Return the index of the bucket that contains ``time``, or of the nearest one."""
        return max(0, min(self.count - 1, int(time - self.start) // self.step))

    def span(self, bucket: int) -> tuple[int, int]:
        """Return the half-open span of a bucket, in epoch seconds."""
        start = self.start + bucket * self.step
        return start, start + self.step

    def clock(self, time: int) -> str:
        """Format ``time`` with the precision that the buckets need."""
        moment = time_display.datetime_at(time)
        if self.step >= 86_400:
            return f"{moment:%Y-%m-%d}"
        offset = time_display.repeated_offset(moment)
        if self.step < 60:
            return f"{moment:%H:%M:%S}{offset}"
        if self._in_one_day:
            return f"{moment:%H:%M}{offset}"
        return f"{moment:%m-%d %H:%M}{offset}"

    def ticks(self) -> list[tuple[int, str]]:
        """List the texts above the buckets, each with its cell.

        The first tick is the complete time; the others, at even distances, show only what changes.
        """
        ticks = [(0, self.clock(self.start))]
        step = self._tick_step()
        if step is None:
            return ticks
        first = (self.start // step + 1) * step
        for time in range(first, self.start + self.count * self.step, step):
            text = self._tick(time)
            cell = self._cells_of(time - self.start)
            last_cell, last_text = ticks[-1]
            if cell >= last_cell + len(last_text) + 2 and cell + len(text) <= self.width:
                ticks.append((cell, text))
        return ticks

    def _tick_step(self) -> int | None:
        for step in _STEPS:
            if step >= self.step and self._cells_of(step) >= _MIN_TICK_CELLS:
                return step
        return None

    def _tick(self, time: int) -> str:
        if self.step < 60 and time % 60:
            return f":{time % 60:02}"
        return self.clock(time)

    def _cells_of(self, seconds: int) -> int:
        return seconds // self.step * self.cells

    @property
    def _in_one_day(self) -> bool:
        first = time_display.datetime_at(self.start)
        last = time_display.datetime_at(self.start + self.count * self.step - 1)
        return first.date() == last.date()


def _count(start: int, end: int, step: int) -> int:
    """Return the number of buckets of ``step`` seconds in a span, at least one."""
    return max(1, -(-end // step) - start // step)
