"""When the alerts came: a histogram one line high."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil

from textual.content import Content
from textual.widget import Widget

from tui.presentation import safe

_BARS = "▁▂▃▄▅▆▇█"


class TimeSparkline(Widget):
    """``▁▁▂▁▁▇▁▁▁  last 24 h``: a cell is an equal share of the span; the lowest bar is none at
    all."""

    DEFAULT_CSS = "TimeSparkline { height: 1; color: $foreground-muted; }"

    def __init__(self) -> None:
        super().__init__()
        self._times: list[float] = []
        self._start = self._end = 0.0
        self._label = ""

    def load(self, times: Iterable[float], start: float, end: float, label: str = "") -> None:
        """Count ``times`` over ``[start, end)``, all in epoch seconds; those outside are left
        out."""
        self._start, self._end = start, end
        self._times = [time for time in times if start <= time < end]
        self._label = label
        self.refresh()

    def render(self) -> Content:
        label = safe.clip(safe.visible(self._label), self.size.width // 2)
        cells = self.size.width - (len(label) + 2 if label else 0)
        if cells <= 0 or self._end <= self._start:
            return Content(label)
        counts = [0] * cells
        for time in self._times:
            counts[
                min(cells - 1, int((time - self._start) * cells / (self._end - self._start)))
            ] += 1
        return Content.assemble(*_bars(counts), f"  {label}" if label else "")


def _bars(counts: list[int]) -> Iterable[Content | tuple[str, str]]:
    most = max(counts)
    for count in counts:
        if count:
            yield (_BARS[ceil(count / most * (len(_BARS) - 1))], "$accent")
        else:
            yield (_BARS[0], "$foreground-disabled")
