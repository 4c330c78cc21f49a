"""A histogram of times, one line high."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import ceil

from textual.content import Content
from textual.widget import Widget

from tui.presentation import safe

_BARS = "▁▂▃▄▅▆▇█"
"""The bars, from no time to the highest count."""


class TimeSparkline(Widget):
    """Times as ``▁▁▂▁▁▇▁▁▁  last 24 h``; each cell covers an equal share of the span."""

    DEFAULT_CSS = "TimeSparkline { height: 1; color: $foreground-muted; }"

    def __init__(self) -> None:
        super().__init__()
        self._times: list[float] = []
        self._start = self._end = 0.0
        self._label = ""

    def load(self, times: Iterable[float], start: float, end: float, label: str = "") -> None:
        """Count the times in ``[start, end)``, all in epoch seconds."""
        self._start, self._end = start, end
        self._times = [time for time in times if start <= time < end]
        self._label = label
        self.refresh()

    def render(self) -> Content:
        label = safe.clip(safe.visible(self._label), self.size.width // 2)
        suffix = f"  {label}" if label else ""
        cells = self.size.width - len(suffix)
        if cells <= 0 or self._end <= self._start:
            return Content(label)
        return Content.assemble(*_bars(self._counts(cells)), suffix)

    def _counts(self, cells: int) -> list[int]:
        counts = [0] * cells
        for time in self._times:
            cell = int((time - self._start) * cells / (self._end - self._start))
            counts[min(cells - 1, cell)] += 1  # rounding may give one cell too many
        return counts


def _bars(counts: list[int]) -> Iterator[tuple[str, str]]:
    highest = max(counts)
    for count in counts:
        if count:
            yield _BARS[ceil(count / highest * (len(_BARS) - 1))], "$accent"
        else:
            yield _BARS[0], "$foreground-disabled"
