"""Where and when: regions down, time across, how many calls in each cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from math import ceil, log1p

from rich.cells import cell_len
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.style import Style

from tui import safe
from tui.keymap import MOVE, OPEN, key
from tui.widgets.line import Piece, strip
from tui.widgets.line_scroll import LineScroll
from tui.widgets.time_axis import TimeAxis

GLYPHS = " ·░▒▓█"
"""From none to the most. The scale is logarithmic, up to the fullest cell."""

_RARE = "rare"
_TOTAL = "calls"
_GAP = 2
_LABEL = 18
"""Cells for a region's name; the longest that AWS has takes 16."""


@dataclass
class _Said(Message):
    heat_strip: HeatStrip
    region: str
    start: int
    end: int
    """The bucket ``[start, end)`` in epoch seconds."""

    @property
    def control(self) -> HeatStrip:
        return self.heat_strip


class HeatStrip(LineScroll, can_focus=True, inherit_bindings=False):
    """Regions × buckets of time, with a cursor. Glyph and colour say the same thing."""

    HEADER = 1

    COMPONENT_CLASSES = {
        "heat-strip--header",
        "heat-strip--now",
        "heat-strip--rare",
        "heat-strip--total",
        "heat-strip--row",
        "heat-strip--cursor",
        *(f"heat-strip--{level}" for level in range(1, len(GLYPHS))),
    }

    DEFAULT_CSS = """
    HeatStrip {
        & > .heat-strip--header { color: $foreground-muted; }
        & > .heat-strip--now { color: $foreground; }
        & > .heat-strip--rare { color: $text-warning; }
        & > .heat-strip--total { color: $foreground-muted; }
        & > .heat-strip--1 { color: $accent 70%; }
        & > .heat-strip--2 { color: $accent 76%; }
        & > .heat-strip--3 { color: $accent 84%; }
        & > .heat-strip--4 { color: $accent 92%; }
        & > .heat-strip--5 { color: $accent; }
        & > .heat-strip--row { background: $foreground 6%; }
        & > .heat-strip--cursor { background: $foreground 30%; }
        &:focus > .heat-strip--cursor { background: $foreground; color: $background; text-style: bold; }
        &:ansi > .heat-strip--cursor { background: ansi_default; text-style: underline; }
        &:ansi:focus > .heat-strip--cursor { background: ansi_default; color: ansi_default; text-style: reverse; }
        &:focus > .heat-strip--now { color: $text-accent; text-style: bold; }
    }
    """

    BINDINGS = [
        key("strip.left", "h,left", "move(0, -1)", "earlier", "A bucket of time back", MOVE),
        key("strip.right", "l,right", "move(0, 1)", "later", "A bucket of time on", MOVE),
        key("strip.down", "j,down", "move(1, 0)", "down", "Next region", MOVE),
        key("strip.up", "k,up", "move(-1, 0)", "up", "Previous region", MOVE),
        key("strip.first", "g,home", "start", "start", "First bucket of time", MOVE),
        key("strip.last", "G,end", "end", "end", "Last bucket of time", MOVE),
        key("strip.open", "enter", "open", "open", "Open the calls of this region and time", OPEN, show=True),
    ]

    @dataclass
    class CellHighlighted(_Said):
        """The analyst moved the cursor to this cell."""

    @dataclass
    class CellOpened(_Said):
        """Enter or a double click on this cell."""

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._regions: list[str] = []
        self._times: list[tuple[str, int]] = []
        self._marks: frozenset[str] = frozenset()
        self._start, self._end = 0, 1
        self._row = 0
        self._time = 0
        self._axis = TimeAxis(0, 1, 1, 1)
        self._counts: Counter[tuple[str, int]] = Counter()
        self._totals: Counter[str] = Counter()
        self._most = 1
        self._label_cells = self._total_cells = 0

    def load(
        self,
        regions: Sequence[str],
        times: Iterable[tuple[str, float]],
        start: float,
        end: float,
        marks: Collection[str] = (),
    ) -> None:
        """Show ``times``, each a (region, epoch seconds), over ``[start, end)``; ``marks``: regions that are rare here.

        Rows are in the order of ``regions``; a region that only ``times`` has comes after them. Times outside the span
        are left out, of the totals too. The cursor stays on its region and time where they are still there.
        """
        region = self._regions[self._row] if self._regions else None
        self._start, self._end = int(start), max(ceil(end), int(start) + 1)
        self._times = [(place, int(time)) for place, time in times if self._start <= time < self._end]
        self._totals = Counter(place for place, _ in self._times)
        self._regions = list(dict.fromkeys([*regions, *sorted(self._totals)]))
        self._marks = frozenset(marks)
        self._row = self._regions.index(region) if region in self._regions else 0
        self._time = max(self._start, min(self._end - 1, self._time))
        self.set_rows(len(self._regions))
        self._fit()
        self.reveal(self._row)

    def select(self, region: str, time: float) -> None:
        """Put the cursor on the cell of ``region`` and ``time`` and post no message. An unknown region: no move."""
        if region in self._regions:
            self._row, self._time = self._regions.index(region), int(time)
            self.reveal(self._row)
            self.refresh()

    @property
    def cell(self) -> tuple[str, int, int] | None:
        """Region, start and end (epoch seconds, half-open) of the cell under the cursor; None where there is none."""
        if not self._regions:
            return None
        return self._regions[self._row], *self._axis.span(self._axis.bucket(self._time))

    def action_move(self, rows: int, buckets: int) -> None:
        self._move(self._row + rows, self._axis.bucket(self._time) + buckets)

    def action_start(self) -> None:
        self._move(self._row, 0)

    def action_end(self) -> None:
        self._move(self._row, self._axis.count - 1)

    def action_open(self) -> None:
        if cell := self.cell:
            self.post_message(self.CellOpened(self, *cell))

    def on_click(self, event: events.Click) -> None:
        place = event.get_content_offset(self)
        if place is None or place.y < self.HEADER:
            return
        row, across = self.top + place.y - self.HEADER, place.x - self._label_cells
        if row < len(self._regions) and 0 <= across < self._axis.width:
            self._move(row, across // self._axis.cells)
            if event.chain == 2:
                self.action_open()

    def _move(self, row: int, bucket: int) -> None:
        """The analyst moves the cursor."""
        if not self._regions:
            return
        before = self.cell
        self._row = max(0, min(row, len(self._regions) - 1))
        self._time, _ = self._axis.span(max(0, min(bucket, self._axis.count - 1)))
        self.reveal(self._row)
        self.refresh()
        if (cell := self.cell) and cell != before:
            self.post_message(self.CellHighlighted(self, *cell))

    def on_resize(self) -> None:
        self._fit()
        self.reveal(self._row)

    def _fit(self) -> None:
        """Cut the time into as many buckets as the width holds, and count."""
        self._label_cells = max([len("region"), *(cell_len(_label(region)) for region in self._regions)]) + _GAP
        if self._marks:
            self._label_cells += _GAP + len(_RARE)
        self._total_cells = max(len(_TOTAL), len(f"{max(self._totals.values(), default=0):,}"))
        room = self.cells - self._label_cells - _GAP - self._total_cells
        self._axis = TimeAxis.fit(self._start, self._end, max(1, room))
        self._counts = Counter((region, self._axis.bucket(time)) for region, time in self._times)
        self._most = max(self._counts.values(), default=1)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        row = self.top + y - self.HEADER
        if y < self.HEADER:
            return strip(self._header(), self.cells, self.visual_style)
        if row >= len(self._regions):
            return strip([], self.cells, self.visual_style)
        base = self.get_visual_style("heat-strip--row") if row == self._row else self.visual_style
        return strip(self._region(row, base), self.cells, base)

    def _header(self) -> list[Piece]:
        base = self.get_visual_style("heat-strip--header")
        written = [(at, tick, base) for at, tick in self._axis.ticks()]
        if self._regions:
            bucket = self._axis.bucket(self._time)
            clock = self._axis.clock(self._axis.span(bucket)[0])
            at = max(0, min(bucket * self._axis.cells, self._axis.width - len(clock)))
            apart = [tick for tick in written if tick[0] + len(tick[1]) < at or tick[0] > at + len(clock)]
            written = sorted([*apart, (at, clock, self.get_visual_style("heat-strip--now"))])
        drawn: list[Piece] = [("region".ljust(self._label_cells), base)]
        end = 0
        for at, text, style in written:
            drawn += [(" " * (at - end), base), (text, style)]
            end = at + len(text)
        drawn.append((" " * (self._axis.width - end) + _TOTAL.rjust(_GAP + self._total_cells), base))
        return drawn

    def _region(self, row: int, base: Style) -> list[Piece]:
        region = self._regions[row]
        name = _label(region)
        rare = f"  {_RARE}" if region in self._marks else ""
        blank = " " * (self._label_cells - cell_len(name) - len(rare))
        drawn: list[Piece] = [(name, base), (rare, base + self.part("heat-strip--rare")), (blank, base)]
        at_cursor = self._axis.bucket(self._time) if row == self._row else None
        for bucket in range(self._axis.count):
            count = self._counts[region, bucket]
            drawn.append(self._cell(count, base, bucket == at_cursor))
        total = f"{self._totals[region]:,}".rjust(_GAP + self._total_cells)
        drawn.append((total, base + self.part("heat-strip--total")))
        return drawn

    def _cell(self, count: int, base: Style, at_cursor: bool) -> Piece:
        """A glyph for ``count``; under the cursor, which a full block would hide, the number itself."""
        cells = self._axis.cells
        if at_cursor:
            number = str(count) if count else ""
            shown = number if len(number) <= cells else "+"
            return shown.center(cells), base + self.part("heat-strip--cursor")
        level = ceil((len(GLYPHS) - 1) * log1p(count) / log1p(self._most))
        return GLYPHS[level] * cells, base + self.part(f"heat-strip--{level}") if level else base


def _label(region: str) -> str:
    return safe.clip(safe.visible(region), _LABEL) or "–"
