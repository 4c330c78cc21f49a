"""A histogram of alerts over time: a row for each severity, and a brush."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from textual.content import Content
from textual.message import Message
from textual.style import Style

from detector.detection.alert import SEVERITIES
from tui.keymap import FIND, key
from tui.presentation import format, safe
from tui.presentation.theme import SEVERITY_STYLE
from tui.widgets.charts.time_rows import TimeRows
from tui.widgets.line import StyledRun, style_of

_BARS = " ▁▂▃▄▅▆▇█"
_ORDER = tuple(reversed(SEVERITIES))


class Histogram(TimeRows):
    """Severities by buckets of time, the highest severity first.

    The line above the rows shows the cursor or the brushed span.
    """

    NAMES, COUNTS = "severity", "alerts"
    HEADER = 2

    BINDINGS = [
        key(
            "brush",
            "space",
            "brush",
            "select time",
            "Start/end time selection",
            FIND,
            show=True,
        ),
        key(
            "brush.filter",
            "enter",
            "choose",
            "filter",
            "Filter the list to the selected time",
            FIND,
            show=True,
        ),
    ]

    @dataclass
    class Moved(Message):
        """The cursor or the brush is now on ``[start, end)``, in epoch seconds."""

        histogram: Histogram
        start: int
        end: int
        brushed: bool

        @property
        def control(self) -> Histogram:
            return self.histogram

    @dataclass
    class Chosen(Moved):
        """The analyst has chosen the alerts of this span."""

    def __init__(
        self, *, name: str | None = None, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._brush_start: tuple[int, int] | None = None
        self._brushed: tuple[int, int] | None = None

    def load(self, times: Mapping[str, Sequence[int]]) -> None:
        """Show the times of alerts (epoch seconds) by severity.

        The cursor starts on the newest alert.
        """
        first = min((min(group) for group in times.values() if group), default=0)
        last = max((max(group) for group in times.values() if group), default=0)
        if not self._times:
            self._cursor_time = last
        span = first, last + 1
        self.set_times(times, span, span)

    @property
    def brushed(self) -> tuple[int, int] | None:
        """The brushed span, ``[start, end)`` in epoch seconds."""
        if self._brush_start is None:
            return self._brushed
        start, end = self.span
        return min(self._brush_start[0], start), max(self._brush_start[1], end)

    def clear_brush(self) -> bool:
        """Clear the brush, and return whether there was one."""
        was_brushed = self.brushed is not None
        self._brush_start = self._brushed = None
        self.refresh()
        self.cursor_moved()
        return was_brushed

    def action_brush(self) -> None:
        if self._brush_start is None:
            self._brush_start, self._brushed = self.span, None
        else:
            self._brushed, self._brush_start = self.brushed, None
        self.refresh()
        self.cursor_moved()

    def action_choose(self) -> None:
        self._brushed, self._brush_start = self.brushed, None
        span = self._brushed or self.span
        self.post_message(self.Chosen(self, *span, self._brushed is not None))

    def clicked(self, row: int, bucket: int, twice: bool) -> None:
        super().clicked(row, bucket, twice)
        if twice:
            self.action_choose()

    def cursor_moved(self) -> None:
        brushed = self.brushed
        self.post_message(self.Moved(self, *(brushed or self.span), brushed is not None))

    def names_in_view(self, counts: Mapping[str, int]) -> Sequence[str]:  # noqa: ARG002
        """Return all severities, so that the rows stay as the view moves."""
        return sorted(self._times, key=_severity_order)

    def label(self, name: str) -> Content:
        return safe.text(format.severity_label(name), SEVERITY_STYLE.get(name, ""))

    def cell(self, name: str, bucket: int, base: Style) -> StyledRun:
        bar = _BARS[self.level(self._counts[name][bucket], len(_BARS) - 1)]
        return bar * self._axis.cells, base + style_of(SEVERITY_STYLE.get(name, ""), self.app)

    def header(self, y: int) -> list[StyledRun]:
        if y == 0:
            return super().header(y)
        base = self.get_visual_style("time-rows--header")
        start, end = self.brushed or self.span
        ticks = []
        if self._names and start < self._view.end and end > self._view.start:
            first, last = self._axis.bucket(start), self._axis.bucket(end - 1)
            mark = _bracket((last - first + 1) * self._axis.cells) if self.brushed else "┃"
            style = self.get_visual_style("time-rows--now")
            ticks.append((first * self._axis.cells, mark, style))
        name = "brushed" if self.brushed else "here"
        return self.across(name, ticks, f"{sum(self.counted(start, end).values()):,}", base)


def _severity_order(name: str) -> tuple[int, str]:
    return (_ORDER.index(name) if name in _ORDER else len(_ORDER), name)


def _bracket(cells: int) -> str:
    return f"├{'─' * (cells - 2)}┤" if cells > 1 else "┼"
