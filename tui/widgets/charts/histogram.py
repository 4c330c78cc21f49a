"""When the alerts came: a row for each severity, and a brush over a part of the time."""

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
    """Severities × buckets of time, the highest first. The line above them shows the cursor, or
    what is brushed."""

    NAMES, COUNTS = "severity", "alerts"
    HEADER = 2

    BINDINGS = [
        key(
            "brush",
            "space",
            "brush",
            "brush",
            "Begin to brush a span of time here, or end it",
            FIND,
            show=True,
        ),
        key(
            "brush.filter",
            "enter",
            "choose",
            "filter",
            "Filter the list to what is brushed, or to this bucket",
            FIND,
            show=True,
        ),
    ]

    @dataclass
    class Moved(Message):
        """The cursor is on ``[start, end)``, or the brush over it; epoch seconds. ``brushed``: it
        is the brush."""

        histogram: Histogram
        start: int
        end: int
        brushed: bool

        @property
        def control(self) -> Histogram:
            return self.histogram

    @dataclass
    class Chosen(Moved):
        """The analyst wants the alerts of this time."""

    def __init__(
        self, *, name: str | None = None, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._begun: tuple[int, int] | None = None
        self._brushed: tuple[int, int] | None = None

    def load(self, times: Mapping[str, Sequence[int]]) -> None:
        """Show the times of the alerts (epoch seconds) of each severity. The cursor starts on the
        newest."""
        first = min((min(held) for held in times.values() if held), default=0)
        last = max((max(held) for held in times.values() if held), default=0)
        if not self._held:
            self._time = last
        span = first, last + 1
        self.hold(times, span, span)

    @property
    def brushed(self) -> tuple[int, int] | None:
        """What is brushed, ``[start, end)`` in epoch seconds."""
        if self._begun is None:
            return self._brushed
        return min(self._begun[0], self.span[0]), max(self._begun[1], self.span[1])

    def clear_brush(self) -> bool:
        """Take the brush away; whether there was one."""
        had, self._begun, self._brushed = self.brushed is not None, None, None
        self.refresh()
        self.moved()
        return had

    def action_brush(self) -> None:
        if self._begun is None:
            self._begun, self._brushed = self.span, None
        else:
            self._brushed, self._begun = self.brushed, None
        self.refresh()
        self.moved()

    def action_choose(self) -> None:
        self._brushed, self._begun = self.brushed, None
        self.post_message(
            self.Chosen(self, *(self._brushed or self.span), self._brushed is not None)
        )

    def clicked(self, row: int, bucket: int, twice: bool) -> None:
        super().clicked(row, bucket, twice)
        if twice:
            self.action_choose()

    def moved(self) -> None:
        brushed = self.brushed
        self.post_message(self.Moved(self, *(brushed or self.span), brushed is not None))

    def names_in_view(self, counted: Mapping[str, int]) -> Sequence[str]:  # noqa: ARG002
        """All severities that there are, so that the rows stay as the view moves."""
        return sorted(
            self._held,
            key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name),
        )

    def label(self, name: str) -> Content:
        return safe.text(format.severity_label(name), SEVERITY_STYLE.get(name, ""))

    def cell(self, name: str, bucket: int, base: Style) -> StyledRun:
        bar = _BARS[self.level(self._counts[name][bucket], len(_BARS) - 1)]
        return bar * self._axis.cells, base + style_of(SEVERITY_STYLE.get(name, ""), self.app)

    def header(self, y: int) -> list[StyledRun]:
        if y == 0:
            return super().header(y)
        base, now = (
            self.get_visual_style("time-rows--header"),
            self.get_visual_style("time-rows--now"),
        )
        start, end = self.brushed or self.span
        written = []
        if self._names and start < self._view.end and end > self._view.start:
            first, last = self._axis.bucket(start), self._axis.bucket(end - 1)
            mark = _bracket((last - first + 1) * self._axis.cells) if self.brushed else "▲"
            written = [(first * self._axis.cells, mark, now)]
        here = sum(self.counted(start, end).values())
        return self.across("brushed" if self.brushed else "here", written, f"{here:,}", base)


def _bracket(cells: int) -> str:
    return f"├{'─' * (cells - 2)}┤" if cells > 1 else "┼"
