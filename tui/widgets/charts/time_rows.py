"""Rows over time: a span in view, cut into buckets that fit the width, with a cursor in it."""

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
from tui.widgets.line import StyledRun, fit_cell, to_strip
from tui.widgets.line_scroll import LineScroll

_GAP = 2


class TimeRows(LineScroll, can_focus=True, inherit_bindings=False):
    """Times under names. A subclass says how a row's name and a bucket's count are drawn, and where
    the cursor is.

    ``NAMES`` and ``COUNTS`` are the titles of the names and of the sums at the end of each row.
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
        &:focus > .time-rows--cursor { background: $foreground; color: $background; text-style: bold; }
        &:ansi > .time-rows--cursor { background: ansi_default; text-style: underline; }
        &:ansi:focus > .time-rows--cursor { background: ansi_default; color: ansi_default; text-style: reverse; }
    }
    """

    BINDINGS = [
        key("time.left", "h,left", "bucket(-1)", "earlier", "A bucket of time back", MOVE),
        key("time.right", "l,right", "bucket(1)", "later", "A bucket of time on", MOVE),
        key("time.first", "g,home", "end(-1)", "start", "First bucket of time in view", MOVE),
        key("time.last", "G,end", "end(1)", "end", "Last bucket of time in view", MOVE),
        key(
            "time.before",
            "left_curly_bracket",
            "burst(-1)",
            "burst before",
            "The burst before, also out of view",
            MOVE,
        ),
        key(
            "time.next",
            "right_curly_bracket",
            "burst(1)",
            "next burst",
            "The next burst, also out of view",
            MOVE,
        ),
        key(
            "time.wider",
            "greater_than_sign",
            "resize(1)",
            "wider",
            "More time in view, up to all there is",
            FIND,
            show=True,
        ),
        key(
            "time.narrower",
            "less_than_sign",
            "resize(-1)",
            "narrower",
            "Less time in view, down to seconds",
            FIND,
            show=True,
        ),
    ]

    def __init__(
        self, *, name: str | None = None, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._held: dict[str, list[int]] = {}
        self._names: list[str] = []
        self._counts: dict[str, list[int]] = {}
        self._most = 1
        self._view = TimeView.of((0, 1), (0, 1))
        self._axis = TimeAxis(0, 1, 1, 1)
        self._time = 0
        self._label_cells = self._total_cells = 0

    # --- what a subclass says

    def names_in_view(self, counted: Mapping[str, int]) -> Sequence[str]:
        """The rows, by name, given how often each name is in view."""
        raise NotImplementedError

    def label(self, name: str) -> Content:
        raise NotImplementedError

    def cell(self, name: str, bucket: int, base: Style) -> StyledRun:
        """What is drawn for a bucket, in ``self._axis.cells`` cells."""
        raise NotImplementedError

    def looked_at(self) -> Iterable[str]:
        """The rows that the cursor is on."""
        return self._held

    def moved(self) -> None:
        """The analyst has moved the cursor, or what is in view."""

    @property
    def row(self) -> int | None:
        """The row that the cursor is on; None where it is on all of them."""
        return None

    # --- time

    def hold(
        self, times: Mapping[str, Iterable[int]], home: tuple[int, int], reach: tuple[int, int]
    ) -> None:
        """Show these epoch seconds over ``[home)``, of which ``reach`` can be looked at. The cursor
        keeps its time."""
        self._held = {name: sorted(held) for name, held in times.items()}
        self._view = self._view.over(home, reach)
        self._time = max(self._view.start, min(self._view.end - 1, self._time))
        self.lay_out()

    @property
    def span(self) -> tuple[int, int]:
        """The bucket under the cursor, ``[start, end)`` in epoch seconds."""
        return self._axis.span(self._axis.bucket(self._time))

    def counted(self, start: int, end: int) -> dict[str, int]:
        """How many times of each name lie in ``[start, end)``; names that have none are left
        out."""
        inside = {
            name: bisect_left(held, end) - bisect_left(held, start)
            for name, held in self._held.items()
        }
        return {name: count for name, count in inside.items() if count}

    def seek(self, time: int) -> None:
        """Put the cursor on ``time``, in view, and tell nobody."""
        view, self._time = self._view.showing(time), time
        if view != self._view:
            self._view = view
            self.lay_out()
        self.refresh()

    def action_bucket(self, step: int) -> None:
        bucket = self._axis.bucket(self._time) + step
        if not 0 <= bucket < self._axis.count:
            self._look(self._view.moved(step * self._axis.step))
            bucket = self._axis.bucket(self._time) + step
        self.go_to(bucket)

    def action_end(self, side: int) -> None:
        self.go_to(0 if side < 0 else self._axis.count - 1)

    def action_burst(self, step: int) -> None:
        start, end = self.span
        found = [
            held[at]
            for held in map(self._held.get, self.looked_at())
            if held
            and 0
            <= (at := bisect_left(held, end) if step > 0 else bisect_left(held, start) - 1)
            < len(held)
        ]
        if found:
            self.seek(min(found) if step > 0 else max(found))
            self.moved()

    def action_resize(self, step: int) -> None:
        if (view := self._view.resized(step, self._time)) is not None:
            self._look(view)
            self.moved()

    def go_to(self, bucket: int) -> None:
        """The analyst moves the cursor to this bucket, or to the nearest."""
        self._time, _ = self._axis.span(max(0, min(bucket, self._axis.count - 1)))
        self.refresh()
        self.moved()

    def on_click(self, event: events.Click) -> None:
        place = event.get_content_offset(self)
        if place is None or place.y < self.HEADER:
            return
        row, across = self.top + place.y - self.HEADER, place.x - self._label_cells
        if row < len(self._names) and 0 <= across < self._axis.width:
            self.clicked(row, across // self._axis.cells, event.chain == 2)

    def clicked(self, row: int, bucket: int, twice: bool) -> None:  # noqa: ARG002
        self.go_to(bucket)

    def _look(self, view: TimeView) -> None:
        self._view = view
        self._time = max(view.start, min(view.end - 1, self._time))
        self.lay_out()

    # --- the picture

    def on_resize(self) -> None:
        self.lay_out()

    def lay_out(self) -> None:
        """Cut what is in view into as many buckets as the width holds, and count."""
        start, end = self._view.start, self._view.end
        inside = self.counted(start, end)
        self._names = list(self.names_in_view(inside))
        self._label_cells = (
            1
            + _GAP
            + max(len(self.NAMES), *(self.label(name).cell_length for name in self._names), 0)
        )
        self._total_cells = max(len(self.COUNTS), len(f"{max(inside.values(), default=0):,}"))
        room = self.cells - self._label_cells - _GAP - self._total_cells
        self._axis = TimeAxis.fit(start, end, max(1, room))
        bounds = [
            max(start, min(end, self._axis.start + self._axis.step * place))
            for place in range(self._axis.count + 1)
        ]
        self._counts = {
            name: [
                later - earlier
                for earlier, later in pairwise(
                    [bisect_left(self._held.get(name, ()), bound) for bound in bounds]
                )
            ]
            for name in self._names
        }
        self._most = (
            max((count for counts in self._counts.values() for count in counts), default=0) or 1
        )
        self.set_rows(len(self._names))
        self.refresh()

    def level(self, count: int, levels: int) -> int:
        """Which of the glyphs, 0 to ``levels``, says ``count``: on a logarithmic scale, up to the
        fullest bucket."""
        return ceil(levels * log1p(count) / log1p(self._most))

    def render_line(self, y: int) -> Strip:
        row = self.top + y - self.HEADER
        if y < self.HEADER:
            return to_strip(self.header(y), self.cells, self.visual_style)
        if row >= len(self._names):
            return to_strip([], self.cells, self.visual_style)
        at_cursor = row == self.row
        base = self.get_visual_style("time-rows--row") if at_cursor else self.visual_style
        name = self._names[row]
        drawn: list[StyledRun] = [("▌" if at_cursor else " ", base + self.part("time-rows--bar"))]
        drawn += fit_cell(self.label(name), self._label_cells - 1, "left", base, self.app)
        drawn += [self.cell(name, bucket, base) for bucket in range(self._axis.count)]
        drawn.append(
            self._sum(f"{sum(self._counts[name]):,}", base + self.part("time-rows--header"))
        )
        return to_strip(drawn, self.cells, base)

    def header(self, y: int) -> list[StyledRun]:  # noqa: ARG002
        """The times above the buckets, that of the cursor among them, and where home is when it is
        not all in view."""
        base = self.get_visual_style("time-rows--header")
        written = [(at, tick, base) for at, tick in self._axis.ticks()]
        if self._view.length > self._view.home[1] - self._view.home[0]:
            written = _over(
                written, self._axis.bucket(self._view.home[0]) * self._axis.cells, "▼", base
            )
        if self._names:
            clock = self._axis.clock(self.span[0])
            at = max(
                0,
                min(
                    self._axis.bucket(self._time) * self._axis.cells, self._axis.width - len(clock)
                ),
            )
            written = _over(written, at, clock, self.get_visual_style("time-rows--now"))
        return self.across(self.NAMES, written, self.COUNTS, base)

    def across(
        self, name: str, written: Iterable[tuple[int, str, Style]], total: str, base: Style
    ) -> list[StyledRun]:
        """A line with ``written`` at these cells of the buckets, in order."""
        drawn: list[StyledRun] = [(f" {name}".ljust(self._label_cells), base)]
        end = 0
        for at, text, style in written:
            drawn += [(" " * (at - end), base), (text, style)]
            end = at + len(text)
        return [*drawn, (" " * (self._axis.width - end), base), self._sum(total, base)]

    def _sum(self, text: str, style: Style) -> StyledRun:
        return text.rjust(_GAP + self._total_cells), style


def _over(
    written: Iterable[tuple[int, str, Style]], at: int, text: str, style: Style
) -> list[tuple[int, str, Style]]:
    """``written`` with ``text`` in place of what it would touch."""
    apart = [tick for tick in written if tick[0] + len(tick[1]) < at or tick[0] > at + len(text)]
    return sorted([*apart, (at, text, style)], key=lambda tick: tick[0])
