"""A heat strip of calls: a row for each region, time from left to right."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from textual.content import Content
from textual.message import Message
from textual.style import Style

from detector.text.time import DAY
from tui.keymap import MOVE, OPEN, key
from tui.presentation import safe
from tui.widgets.charts.time_rows import TimeRows
from tui.widgets.line import StyledRun

HEAT_GLYPHS = " ·░▒▓█"
"""The glyphs, from no call to the highest count."""

_LABEL_CELLS = 18
"""Cells for a region's name; the longest name of an AWS region takes 16."""

MARGIN = 31 * DAY
"""Seconds before and after the alert that can be viewed."""


@dataclass
class _CellMessage(Message):
    """A region and a bucket ``[start, end)`` of epoch seconds."""

    heat_strip: HeatStrip
    region: str
    start: int
    end: int

    @property
    def control(self) -> HeatStrip:
        return self.heat_strip


class HeatStrip(TimeRows):
    """Regions by buckets of time; glyph and color both encode the count."""

    NAMES, COUNTS = "region", "calls"

    COMPONENT_CLASSES = {f"heat-strip--{level}" for level in range(1, len(HEAT_GLYPHS))}

    DEFAULT_CSS = """
    HeatStrip {
        & > .heat-strip--1 { color: $accent 70%; }
        & > .heat-strip--2 { color: $accent 76%; }
        & > .heat-strip--3 { color: $accent 84%; }
        & > .heat-strip--4 { color: $accent 92%; }
        & > .heat-strip--5 { color: $accent; }
    }
    """

    BINDINGS = [
        key("strip.down", "j,down", "region(1)", "down", "Next region", MOVE),
        key("strip.up", "k,up", "region(-1)", "up", "Previous region", MOVE),
        key(
            "strip.open",
            "enter",
            "open",
            "open",
            "Show the calls of this region and time",
            OPEN,
            show=True,
        ),
    ]

    @dataclass
    class CellHighlighted(_CellMessage):
        """The analyst moved the cursor to a cell."""

    @dataclass
    class CellOpened(_CellMessage):
        """Enter or a double click on a cell."""

    def __init__(
        self, *, name: str | None = None, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._regions: list[str] = []
        self._rare: frozenset[str] = frozenset()
        self._name_cells = 0
        """Width of the longest name that is followed by a label, in cells."""
        self._region: str | None = None
        self._posted_cell: tuple[str, int, int] | None = None

    def load(
        self,
        regions: Sequence[str],
        times: Iterable[tuple[str, float]],
        start: float,
        end: float,
        rare: Collection[str] = (),
        nearby: Iterable[tuple[str, float]] = (),
    ) -> None:
        """Show calls, each a region and epoch seconds, over ``[start, end)``.

        Rows are in the order of ``regions``, followed by regions that occur only in ``times``.
        ``rare`` regions are labelled as unusual. ``nearby`` are further calls, which are visible
        when more than ``[start, end)`` is in view. The cursor stays on its region and time if
        they still exist.
        """
        home = int(start), max(ceil(end), int(start) + 1)
        times_by_region: dict[str, list[int]] = defaultdict(list)
        for region, time in times:
            if home[0] <= time < home[1]:
                times_by_region[region].append(int(time))
        self._regions = list(dict.fromkeys([*regions, *sorted(times_by_region)]))
        for region, time in nearby:
            if not home[0] <= time < home[1]:
                times_by_region[region].append(int(time))
        self._rare = frozenset(rare)
        self._name_cells = max(map(len, map(_short_name, self._rare)), default=0)
        self.set_times(times_by_region, home, (home[0] - MARGIN, home[1] + MARGIN))
        self._posted_cell = self.cursor_cell
        self.reveal(self.row or 0)

    def names_in_view(self, counts: Mapping[str, int]) -> Sequence[str]:
        names = list(dict.fromkeys([*self._regions, *sorted(counts)]))
        if self._region not in names:
            self._region = names[0] if names else None
        return names

    def label(self, name: str) -> Content:
        label = _short_name(name)
        if name in self._rare:
            label = label.ljust(self._name_cells)
            return Content.assemble(label, ("  unusual ", "$text-warning"))
        return Content(label)

    def select(self, region: str, time: float) -> None:
        """Put the cursor on a cell, if it exists, without a message."""
        if region in self._regions:
            self._region = region
            self.seek(int(time))
            self._posted_cell = self.cursor_cell
            self.reveal(self.row or 0)

    @property
    def row(self) -> int | None:
        if self._region in self._names:
            return self._names.index(self._region)
        return None

    @property
    def cursor_cell(self) -> tuple[str, int, int] | None:
        """The region, start and end under the cursor, half-open epoch seconds."""
        if self._region is None:
            return None
        return (self._region, *self.span)

    def cursor_names(self) -> Iterable[str]:
        return () if self._region is None else (self._region,)

    def action_region(self, step: int) -> None:
        if self.row is not None:
            self._region = self._names[max(0, min(self.row + step, len(self._names) - 1))]
            self.refresh()
            self.cursor_moved()

    def action_open(self) -> None:
        cell = self.cursor_cell
        if cell is not None:
            self.post_message(self.CellOpened(self, *cell))

    def clicked(self, row: int, bucket: int, twice: bool) -> None:
        self._region = self._names[row]
        self.go_to(bucket)
        if twice:
            self.action_open()

    def cursor_moved(self) -> None:
        self.reveal(self.row or 0)
        cell = self.cursor_cell
        if cell is not None and cell != self._posted_cell:
            self._posted_cell = cell
            self.post_message(self.CellHighlighted(self, *cell))

    def action_resize(self, step: int) -> None:
        super().action_resize(step)
        if self._view.start < self._view.home[0] or self._view.end > self._view.home[1]:
            self.widened()

    def widened(self) -> None:
        """React to a view that extends beyond ``[start, end)`` as loaded."""

    def on_resize(self) -> None:
        super().on_resize()
        self.reveal(self.row or 0)

    def cell(self, name: str, bucket: int, base: Style) -> StyledRun:
        """Draw a glyph for the count.

        Under the cursor, which a full block would hide, draw the number instead.
        """
        count, cells = self._counts[name][bucket], self._axis.cells
        if name == self._region and bucket == self._axis.bucket(self._cursor_time):
            number = str(count) if len(str(count)) <= cells else "+"
            return number.center(cells), base + self.part("time-rows--cursor")
        level = self.level(count, len(HEAT_GLYPHS) - 1)
        style = base + self.part(f"heat-strip--{level}") if level else base
        return HEAT_GLYPHS[level] * cells, style


def _short_name(name: str) -> str:
    return safe.clip(safe.visible(name), _LABEL_CELLS) or "–"
