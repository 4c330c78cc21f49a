"""The base of charts with rows over time: the span in view, its buckets and a cursor."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import ceil, log1p
from typing import ClassVar

from textual import events
from textual.content import Content
from textual.strip import Strip
from textual.style import Style

from tui.keymap import FIND, MOVE, key
from tui.widgets.charts.time_axis import TimeAxis
from tui.widgets.charts.time_view import TimeView
from tui.widgets.line import StyledRun, cursor_bar, fit_cell, to_strip
from tui.widgets.line_scroll import LineScroll

_GAP = 2

Tick = tuple[int, str, Style]
"""A text at a cell of the buckets."""


class TimeRows(LineScroll, can_focus=True, inherit_bindings=False):
    """Times by name, a row for each name.

    A subclass draws the names and the counts, and determines the cursor's row. ``NAMES`` and
    ``COUNTS`` are the titles of the names and of the totals at the end of each row.
    """

    HEADER = 1
    NAMES: ClassVar[str]
    COUNTS: ClassVar[str]

    COMPONENT_CLASSES = {
        "time-rows--header",
        "time-rows--now",
        "time-rows--row",
        "time-rows--bar",
        "time-rows--cursor",
    }

    DEFAULT_CSS = """
    TimeRows {
        & > .time-rows--header { color: $foreground-muted; }
        & > .time-rows--now { color: $foreground; }
        & > .time-rows--row { background: $foreground 6%; }
        & > .time-rows--bar { color: $foreground-muted; }
        & > .time-rows--cursor { background: $foreground 30%; }
        &:focus > .time-rows--now { color: $text-accent; text-style: bold; }
        &:focus > .time-rows--bar { color: $accent; }
        &:focus > .time-rows--cursor {
            background: $foreground; color: $background; text-style: bold;
        }
        &:ansi > .time-rows--cursor { background: ansi_default; text-style: underline; }
        &:ansi:focus > .time-rows--cursor {
            background: ansi_default; color: ansi_default; text-style: reverse;
        }
    }
    """

    BINDINGS = [
        key("time.left", "h,left", "bucket(-1)", "earlier", "Previous time bucket", MOVE),
        key("time.right", "l,right", "bucket(1)", "later", "Next time bucket", MOVE),
        key("time.first", "g,home", "end(-1)", "start", "First time bucket in view", MOVE),
        key("time.last", "G,end", "end(1)", "end", "Last time bucket in view", MOVE),
        key(
            "time.before",
            "left_curly_bracket",
            "burst(-1)",
            "previous burst",
            "Previous burst",
            MOVE,
        ),
        key(
            "time.next",
            "right_curly_bracket",
            "burst(1)",
            "next burst",
            "Next burst",
            MOVE,
        ),
        key(
            "time.wider",
            "greater_than_sign",
            "resize(1)",
            "wider",
            "Zoom out in time",
            FIND,
            show=True,
        ),
        key(
            "time.narrower",
            "less_than_sign",
            "resize(-1)",
            "narrower",
            "Zoom in on time",
            FIND,
            show=True,
        ),
    ]

    def __init__(
        self, *, name: str | None = None, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._times: dict[str, list[int]] = {}
        self._names: list[str] = []
        self._counts: dict[str, list[int]] = {}
        self._highest = 1
        self._view = TimeView.of((0, 1), (0, 1))
        self._axis = TimeAxis(0, 1, 1, 1)
        self._cursor_time = 0
        self._label_cells = self._total_cells = 0

    # --- what a subclass decides

    def names_in_view(self, counts: Mapping[str, int]) -> Sequence[str]:
        """Return the names of the rows, given the counts in view."""
        raise NotImplementedError

    def label(self, name: str) -> Content:
        raise NotImplementedError

    def cell(self, name: str, bucket: int, base: Style) -> StyledRun:
        """Draw a bucket in ``self._axis.cells`` cells."""
        raise NotImplementedError

    def cursor_names(self) -> Iterable[str]:
        """Return the names of the rows that the cursor is on."""
        return self._times

    def cursor_moved(self) -> None:
        """React when the analyst moves the cursor or the view."""

    @property
    def row(self) -> int | None:
        """The row of the cursor; None if the cursor spans all rows."""
        return None

    # --- time

    def set_times(
        self, times: Mapping[str, Iterable[int]], home: tuple[int, int], limits: tuple[int, int]
    ) -> None:
        """Show epoch seconds by name over ``home``, within ``limits``.

        The cursor keeps its time.
        """
        self._times = {name: sorted(name_times) for name, name_times in times.items()}
        self._set_view(self._view.with_home(home, limits))

    @property
    def span(self) -> tuple[int, int]:
        """The bucket under the cursor, ``[start, end)`` in epoch seconds."""
        return self._axis.span(self._axis.bucket(self._cursor_time))

    def counted(self, start: int, end: int) -> dict[str, int]:
        """Count the times of each name in ``[start, end)``; omit names without any."""
        counts = {}
        for name, times in self._times.items():
            count = bisect_left(times, end) - bisect_left(times, start)
            if count:
                counts[name] = count
        return counts

    def seek(self, time: int) -> None:
        """Put the cursor on ``time``, bring it into view, and post no message."""
        view = self._view.showing(time)
        self._cursor_time = time
        if view != self._view:
            self._view = view
            self.lay_out()
        self.refresh()

    def action_bucket(self, step: int) -> None:
        bucket = self._axis.bucket(self._cursor_time) + step
        if not 0 <= bucket < self._axis.count:
            self._set_view(self._view.moved(step * self._axis.step))
            bucket = self._axis.bucket(self._cursor_time) + step
        self.go_to(bucket)

    def action_end(self, side: int) -> None:
        self.go_to(0 if side < 0 else self._axis.count - 1)

    def action_burst(self, step: int) -> None:
        times = [self._burst(self._times.get(name, ()), step) for name in self.cursor_names()]
        bursts = [time for time in times if time is not None]
        if bursts:
            self.seek(min(bursts) if step > 0 else max(bursts))
            self.cursor_moved()

    def _burst(self, times: Sequence[int], step: int) -> int | None:
        """Return the nearest time after (1) or before (-1) the cursor's bucket."""
        start, end = self.span
        index = bisect_left(times, end) if step > 0 else bisect_left(times, start) - 1
        if 0 <= index < len(times):
            return times[index]
        return None

    def action_resize(self, step: int) -> None:
        view = self._view.resized(step, self._cursor_time)
        if view is not None:
            self._set_view(view)
            self.cursor_moved()

    def go_to(self, bucket: int) -> None:
        """Move the cursor to the nearest bucket at the analyst's request."""
        self._cursor_time, _ = self._axis.span(max(0, min(bucket, self._axis.count - 1)))
        self.refresh()
        self.cursor_moved()

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None or offset.y < self.HEADER:
            return
        row = self.top + offset.y - self.HEADER
        cell = offset.x - self._label_cells
        if row < len(self._names) and 0 <= cell < self._axis.width:
            self.clicked(row, cell // self._axis.cells, event.chain == 2)

    def clicked(self, row: int, bucket: int, twice: bool) -> None:  # noqa: ARG002
        self.go_to(bucket)

    def _set_view(self, view: TimeView) -> None:
        self._view = view
        self._cursor_time = max(view.start, min(view.end - 1, self._cursor_time))
        self.lay_out()

    # --- drawing

    def on_resize(self) -> None:
        self.lay_out()

    def lay_out(self) -> None:
        """Divide the view into buckets that fit the width, and count the times in each."""
        start, end = self._view.start, self._view.end
        totals = self.counted(start, end)
        self._names = list(self.names_in_view(totals))
        longest_label = max((self.label(name).cell_length for name in self._names), default=0)
        self._label_cells = 1 + _GAP + max(len(self.NAMES), longest_label)
        self._total_cells = max(len(self.COUNTS), len(f"{max(totals.values(), default=0):,}"))
        axis_cells = self.cells - self._label_cells - _GAP - self._total_cells
        self._axis = TimeAxis.fit(start, end, max(1, axis_cells))
        self._counts = {name: self._bucket_counts(name) for name in self._names}
        self._highest = max((max(counts) for counts in self._counts.values()), default=0) or 1
        self.set_rows(len(self._names))
        self.refresh()

    def _bucket_counts(self, name: str) -> list[int]:
        """Count the times in each bucket, restricted to the span in view."""
        axis, view = self._axis, self._view
        times = self._times.get(name, ())
        starts = [axis.start + axis.step * bucket for bucket in range(axis.count + 1)]
        indices = [bisect_left(times, max(view.start, min(view.end, time))) for time in starts]
        return [last - first for first, last in pairwise(indices)]

    def level(self, count: int, levels: int) -> int:
        """Return the index, from 0 to ``levels``, of the glyph for a count.

        The scale is logarithmic; its maximum is the fullest bucket.
        """
        return ceil(levels * log1p(count) / log1p(self._highest))

    def render_line(self, y: int) -> Strip:
        row = self.top + y - self.HEADER
        if y < self.HEADER:
            return to_strip(self.header(y), self.cells, self.visual_style)
        if row >= len(self._names):
            return to_strip([], self.cells, self.visual_style)
        at_cursor = row == self.row
        base = self.row_style("time-rows--row", at_cursor)
        name = self._names[row]
        total = f"{sum(self._counts[name]):,}"
        runs: list[StyledRun] = [(cursor_bar(at_cursor), base + self.part("time-rows--bar"))]
        runs += fit_cell(self.label(name), self._label_cells - 1, "left", base, self.app)
        runs += [self.cell(name, bucket, base) for bucket in range(self._axis.count)]
        runs.append(self._total(total, base + self.part("time-rows--header")))
        return to_strip(runs, self.cells, base)

    def header(self, y: int) -> list[StyledRun]:  # noqa: ARG002
        """Draw the line above the buckets: times, the cursor's time and the home span."""
        base = self.get_visual_style("time-rows--header")
        axis = self._axis
        ticks = [(cell, text, base) for cell, text in axis.ticks()]
        if self._view.length > self._view.home_length:
            home_cell = axis.bucket(self._view.home[0]) * axis.cells
            ticks = _insert_tick(ticks, (home_cell, "▼", base))
        if self._names:
            clock = axis.clock(self.span[0])
            cursor_cell = axis.bucket(self._cursor_time) * axis.cells
            cell = max(0, min(cursor_cell, axis.width - len(clock)))
            ticks = _insert_tick(ticks, (cell, clock, self.get_visual_style("time-rows--now")))
        return self.across(self.NAMES, ticks, self.COUNTS, base)

    def across(self, name: str, ticks: Iterable[Tick], total: str, base: Style) -> list[StyledRun]:
        """Draw a line above the buckets with ticks, which are in order."""
        runs: list[StyledRun] = [(f" {name}".ljust(self._label_cells), base)]
        end = 0
        for cell, text, style in ticks:
            runs += [(" " * (cell - end), base), (text, style)]
            end = cell + len(text)
        return [*runs, (" " * (self._axis.width - end), base), self._total(total, base)]

    def _total(self, text: str, style: Style) -> StyledRun:
        return text.rjust(_GAP + self._total_cells), style


def _insert_tick(ticks: Iterable[Tick], new: Tick) -> list[Tick]:
    """Insert a tick, replacing those that it would touch."""
    cell, text, _ = new
    apart = [tick for tick in ticks if tick[0] + len(tick[1]) < cell or tick[0] > cell + len(text)]
    return sorted([*apart, new], key=lambda tick: tick[0])
