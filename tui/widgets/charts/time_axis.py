"""A span of time cut into buckets that fit a width, and the ticks above them."""

from __future__ import annotations

from dataclasses import dataclass

from tui.presentation import time_display

_STEPS = (
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1_800,
    3_600,
    7_200,
    10_800,
    21_600,
    43_200,
    86_400,
)
"""Sizes of a bucket in seconds; beyond, whole days."""

_WIDEST = 3
"""Cells that one bucket may take where there is room."""

_TICK_GAP = 8
"""Cells between ticks, at least."""


@dataclass(frozen=True)
class TimeAxis:
    """``count`` buckets of ``step`` seconds from ``start`` (epoch), each ``cells`` wide."""

    start: int
    step: int
    count: int
    cells: int

    @classmethod
    def fit(cls, start: int, end: int, width: int) -> TimeAxis:
        """The finest axis over ``[start, end)`` in ``width`` cells. Buckets begin at whole
        multiples of their size."""
        step = next((step for step in _STEPS if _count(start, end, step) <= width), 0)
        if not step:
            step = 86_400
            while _count(start, end, step) > max(1, width):
                step *= 2
        count = _count(start, end, step)
        return cls(start // step * step, step, count, max(1, min(_WIDEST, width // count)))

    @property
    def width(self) -> int:
        """Cells that the buckets take."""
        return self.count * self.cells

    def bucket(self, time: float) -> int:
        """The bucket of ``time``, or the nearest."""
        return max(0, min(self.count - 1, int(time - self.start) // self.step))

    def span(self, bucket: int) -> tuple[int, int]:
        """The half-open span of a bucket in epoch seconds."""
        start = self.start + bucket * self.step
        return start, start + self.step

    def clock(self, time: int) -> str:
        """``time`` as exactly as the buckets need it."""
        at = time_display.datetime_at(time)
        if self.step >= 86_400:
            return f"{at:%Y-%m-%d}"
        return (
            f"{at:%H:%M:%S}"
            if self.step < 60
            else f"{at:%H:%M}"
            if self._in_one_day
            else f"{at:%m-%d %H:%M}"
        )

    def ticks(self) -> list[tuple[int, str]]:
        """What to write above the buckets, each with its cell: the first time whole, then what
        changes, evenly."""
        ticks = [(0, self.clock(self.start))]
        every = next(
            (step for step in _STEPS if step >= self.step and self._cells_of(step) >= _TICK_GAP),
            None,
        )
        if every:
            first = (self.start // every + 1) * every
            for time in range(first, self.start + self.count * self.step, every):
                tick = f":{time % 60:02}" if self.step < 60 and time % 60 else self.clock(time)
                at, (before, text) = self._cells_of(time - self.start), ticks[-1]
                if at >= before + len(text) + 2 and at + len(tick) <= self.width:
                    ticks.append((at, tick))
        return ticks

    def _cells_of(self, seconds: int) -> int:
        return seconds // self.step * self.cells

    @property
    def _in_one_day(self) -> bool:
        return (
            time_display.datetime_at(self.start).date()
            == time_display.datetime_at(self.start + self.count * self.step - 1).date()
        )


def _count(start: int, end: int, step: int) -> int:
    return max(1, -(-end // step) - start // step)
