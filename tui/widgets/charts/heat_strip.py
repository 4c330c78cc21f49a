"""Where and when: regions down, time across, how many calls in each cell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from textual.content import Content
from textual.message import Message
from textual.style import Style

from tui.keymap import MOVE, OPEN, key
from tui.presentation import safe
from tui.widgets.charts.time_rows import TimeRows
from tui.widgets.charts.time_view import DAY
from tui.widgets.line import StyledRun

GLYPHS = " ·░▒▓█"
"""From none to the most."""

_LABEL = 18
"""Cells for a region's name; the longest that AWS has takes 16."""

MARGIN = 31 * DAY
"""Seconds before and after that can be looked at."""


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


class HeatStrip(TimeRows):
    """Regions × buckets of time, with a cursor. Glyph and colour say the same thing."""

    NAMES, COUNTS = "region", "calls"

    COMPONENT_CLASSES = {f"heat-strip--{level}" for level in range(1, len(GLYPHS))}

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
            "Open the calls of this region and time",
            OPEN,
            show=True,
        ),
    ]

    @dataclass
    class CellHighlighted(_Said):
        """The analyst moved the cursor to this cell."""

    @dataclass
    class CellOpened(_Said):
        """Enter or a double click on this cell."""

    def __init__(
        self, *, name: str | None = None, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._regions: list[str] = []
        self._marks: frozenset[str] = frozenset()
        self._region: str | None = None
        self._said: tuple[str, int, int] | None = None

    def load(
        self,
        regions: Sequence[str],
        times: Iterable[tuple[str, float]],
        start: float,
        end: float,
        marks: Collection[str] = (),
        around: Iterable[tuple[str, float]] = (),
    ) -> None:
        """Show ``times``, each a (region, epoch seconds), over ``[start, end)``; ``marks``: regions
        that are rare here.

        Rows are in the order of ``regions``; a region that only ``times`` has comes after them.
        ``around`` are further times, which are there when more than ``[start, end)`` is in view.
        The cursor stays on its region and time where they are still there."""
        home = int(start), max(ceil(end), int(start) + 1)
        held: dict[str, list[int]] = defaultdict(list)
        for region, time in times:
            if home[0] <= time < home[1]:
                held[region].append(int(time))
        self._regions = list(dict.fromkeys([*regions, *sorted(held)]))
        for region, time in around:
            if not home[0] <= time < home[1]:
                held[region].append(int(time))
        self._marks = frozenset(marks)
        self.hold(held, home, (home[0] - MARGIN, home[1] + MARGIN))
        self._said = self.cursor_cell
        self.reveal(self.row or 0)

    def names_in_view(self, counted: Mapping[str, int]) -> Sequence[str]:
        names = list(dict.fromkeys([*self._regions, *sorted(counted)]))
        if self._region not in names:
            self._region = names[0] if names else None
        return names

    def label(self, name: str) -> Content:
        shown = safe.clip(safe.visible(name), _LABEL) or "–"
        return (
            Content.assemble(shown, ("  rare", "$text-warning"))
            if name in self._marks
            else Content(shown)
        )

    def select(self, region: str, time: float) -> None:
        """Put the cursor on the cell of ``region`` and ``time`` and post no message. An unknown
        region: no move."""
        if region in self._regions:
            self._region = region
            self.seek(int(time))
            self._said = self.cursor_cell
            self.reveal(self.row or 0)

    @property
    def row(self) -> int | None:
        return self._names.index(self._region) if self._region in self._names else None

    @property
    def cursor_cell(self) -> tuple[str, int, int] | None:
        """Region, start and end (epoch seconds, half-open) of the cell under the cursor; None where
        there is none."""
        return None if self._region is None else (self._region, *self.span)

    def looked_at(self) -> Iterable[str]:
        return () if self._region is None else (self._region,)

    def action_region(self, step: int) -> None:
        if self.row is not None:
            self._region = self._names[max(0, min(self.row + step, len(self._names) - 1))]
            self.refresh()
            self.moved()

    def action_open(self) -> None:
        if cell := self.cursor_cell:
            self.post_message(self.CellOpened(self, *cell))

    def clicked(self, row: int, bucket: int, twice: bool) -> None:
        self._region = self._names[row]
        self.go_to(bucket)
        if twice:
            self.action_open()

    def moved(self) -> None:
        self.reveal(self.row or 0)
        if (cell := self.cursor_cell) and cell != self._said:
            self._said = cell
            self.post_message(self.CellHighlighted(self, *cell))

    def action_resize(self, step: int) -> None:
        super().action_resize(step)
        if self._view.start < self._view.home[0] or self._view.end > self._view.home[1]:
            self.widened()

    def widened(self) -> None:
        """More than the time that was loaded as ``times`` is in view."""

    def on_resize(self) -> None:
        super().on_resize()
        self.reveal(self.row or 0)

    def cell(self, name: str, bucket: int, base: Style) -> StyledRun:
        """A glyph for the count; under the cursor, which a full block would hide, the number
        itself."""
        count, cells = self._counts[name][bucket], self._axis.cells
        if name == self._region and bucket == self._axis.bucket(self._time):
            number = str(count)
            return (number if len(number) <= cells else "+").center(cells), base + self.part(
                "time-rows--cursor"
            )
        level = self.level(count, len(GLYPHS) - 1)
        return GLYPHS[level] * cells, base + self.part(f"heat-strip--{level}") if level else base
