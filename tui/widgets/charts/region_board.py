"""A board of regions by geography: each region's count, and how usual it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from textual import events
from textual.content import Content
from textual.message import Message
from textual.strip import Strip

from detector.cloudtrail.regions import Region
from tui.keymap import MOVE, OPEN, key
from tui.presentation import safe
from tui.presentation.region_names import short_region
from tui.widgets.line import StyledRun, cursor_bar, fit_cell, to_strip
from tui.widgets.line_scroll import LineScroll

_WIDE_COLUMN = 36
"""Column width, in cells, from which the place is shown next to the name."""

_MAX_NARROW_NAME = 16
"""Maximum width of a name in narrow columns, in cells."""

_NAME_CELLS = 14
"""Cells for a name that is not shortened."""

_COUNT_CELLS = 4
_LABEL_CELLS = 5
_LABEL_STYLES = {"new": "$text-error", "unusual": "$text-warning", "used": "$foreground-muted"}
_SHOWN_LABELS = {"unusual": "!"}
"""Labels that are drawn as a single character."""


class RegionBoard(LineScroll, can_focus=True, inherit_bindings=False):
    """A column for each geography; columns that do not fit wrap into further bands."""

    COMPONENT_CLASSES = {
        "region-board--title",
        "region-board--idle",
        "region-board--bar",
        "region-board--cursor",
    }

    DEFAULT_CSS = """
    RegionBoard {
        & > .region-board--title { color: $foreground-muted; text-style: bold; }
        & > .region-board--idle { color: $foreground-muted; }
        & > .region-board--bar { color: $foreground-muted; }
        & > .region-board--cursor { background: $foreground 6%; }
        &:focus > .region-board--cursor { background: $accent 14%; }
        &:focus > .region-board--bar { color: $accent; }
        &:ansi > .region-board--cursor, &:ansi:focus > .region-board--cursor {
            background: ansi_default; text-style: bold;
        }
    }
    """

    BINDINGS = [
        key("board.left", "h,left", "move(0, -1)", "left", "Geography to the left", MOVE),
        key("board.right", "l,right", "move(0, 1)", "right", "Geography to the right", MOVE),
        key("board.down", "j,down", "move(1, 0)", "down", "Next region", MOVE),
        key("board.up", "k,up", "move(-1, 0)", "up", "Previous region", MOVE),
        key(
            "board.open",
            "enter",
            "open",
            "open",
            "Show this region's calls",
            OPEN,
            show=True,
        ),
    ]

    @dataclass
    class Moved(Message):
        """The cursor is on another region."""

        board: RegionBoard
        region: Region

        @property
        def control(self) -> RegionBoard:
            return self.board

    @dataclass
    class Opened(Moved):
        """Enter or a double click on a region."""

    def __init__(self) -> None:
        super().__init__()
        self._groups: dict[str, Sequence[Region]] = {}
        self._counts: Mapping[str, int] = {}
        self._labels: Mapping[str, str] = {}
        self._grid: list[list[Region | str | None]] = []
        self._cursor: str | None = None

    def load(
        self,
        groups: Mapping[str, Sequence[Region]],
        counts: Mapping[str, int],
        labels: Mapping[str, str],
    ) -> None:
        """Show regions by geography, with a count and a label each.

        The cursor stays on its region; initially it is on a region with the highest count.
        """
        self._groups, self._counts, self._labels = dict(groups), counts, labels
        regions = self._regions()
        if not regions:
            self._cursor = None
        elif self._cursor not in {region.name for region in regions}:
            self._cursor = max(regions, key=lambda region: counts.get(region.name, 0)).name
        self._lay_out()

    def _regions(self) -> list[Region]:
        return list(chain.from_iterable(self._groups.values()))

    @property
    def cursor_region(self) -> Region | None:
        """The region under the cursor."""
        return next((region for region in self._regions() if region.name == self._cursor), None)

    def on_resize(self) -> None:
        self._lay_out()

    @property
    def _columns(self) -> int:
        return max(1, min(len(self._groups), (self.cells + 1) // (self._min_column_cells + 1)))

    @property
    def _min_column_cells(self) -> int:
        """The minimum width of a column at which no two cut names look the same."""
        names = [short_region(safe.visible(region.name)) for region in self._regions()]
        longest = max(map(len, names), default=0)
        return 2 + min(_MAX_NARROW_NAME, longest) + _COUNT_CELLS + _LABEL_CELLS

    @property
    def _column_cells(self) -> int:
        """The width of a column in cells, without the blank after it."""
        return max(1, min(_WIDE_COLUMN + 8, (self.cells + 1) // self._columns - 1))

    def _lay_out(self) -> None:
        """Fill the grid with bands of columns, a blank line between them."""
        titles = list(self._groups)
        self._grid = []
        for first in range(0, len(titles), self._columns):
            band = titles[first : first + self._columns]
            if self._grid:
                self._grid.append([None] * len(band))
            self._grid.append(list(band))
            columns = [self._groups[title] for title in band]
            self._grid += map(list, zip_longest(*columns))
        self.set_rows(len(self._grid))
        self.refresh()
        self._reveal_cursor()

    def _region_cells(self) -> Iterator[tuple[int, int, Region]]:
        """Yield the row, column and region of each cell with a region."""
        for row, line in enumerate(self._grid):
            for column, content in enumerate(line):
                if isinstance(content, Region):
                    yield row, column, content

    @property
    def _cursor_cell(self) -> tuple[int, int] | None:
        for row, column, region in self._region_cells():
            if region.name == self._cursor:
                return row, column
        return None

    def _reveal_cursor(self) -> None:
        cell = self._cursor_cell
        if cell is not None:
            self.reveal(cell[0])

    def action_move(self, rows: int, columns: int) -> None:
        """Move to the nearest region in this direction; sideways moves stay within the band."""
        cell = self._cursor_cell
        if cell is None:
            return
        cursor_row, cursor_column = cell
        first, end = self._band(cursor_row)
        candidates = [
            (abs(row - cursor_row), region)
            for row, column, region in self._region_cells()
            if column == cursor_column + columns
            and ((row - cursor_row) * rows > 0 if rows else first <= row < end)
        ]
        if candidates:
            _, region = min(candidates, key=lambda candidate: candidate[0])
            self._move_to(region)

    def _band(self, row: int) -> tuple[int, int]:
        """Return the half-open range of rows between the blank lines around ``row``."""
        blank_rows = [index for index, line in enumerate(self._grid) if not any(line)]
        first = max((index for index in blank_rows if index < row), default=-1) + 1
        end = min((index for index in blank_rows if index > row), default=len(self._grid))
        return first, end

    def action_open(self) -> None:
        region = self.cursor_region
        if region is not None:
            self.post_message(self.Opened(self, region))

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None or self.top + offset.y >= len(self._grid):
            return
        line = self._grid[self.top + offset.y]
        column = offset.x // (self._column_cells + 1)
        if column >= len(line):
            return
        content = line[column]
        if isinstance(content, Region):
            self._move_to(content)
            if event.chain == 2:
                self.action_open()

    def _move_to(self, region: Region) -> None:
        self._cursor = region.name
        self._reveal_cursor()
        self.refresh()
        self.post_message(self.Moved(self, region))

    def render_line(self, y: int) -> Strip:
        row = self.top + y
        line = self._grid[row] if row < len(self._grid) else []
        runs: list[StyledRun] = []
        for content in line:
            runs += [*self._drawn_cell(content), (" ", self.visual_style)]
        return to_strip(runs, self.cells, self.visual_style)

    def _drawn_cell(self, content: Region | str | None) -> list[StyledRun]:
        if isinstance(content, Region):
            return self._drawn_region(content)
        title = Content(safe.clip(f" {content or ''}", self._column_cells))
        style = self.row_style("region-board--title", bool(content))
        return fit_cell(title, self._column_cells, "left", style, self.app)

    def _drawn_region(self, region: Region) -> list[StyledRun]:
        """Draw name, ``+`` for an opt-in region, count and label."""
        at_cursor = region.name == self._cursor
        count = self._counts.get(region.name, 0)
        base = self.row_style("region-board--cursor", at_cursor)
        style = base if count else base + self.part("region-board--idle")
        name_cells = self._column_cells - 2 - _COUNT_CELLS - _LABEL_CELLS
        name = Content(self._region_name(region, name_cells))
        count_text = Content(_short_count(count) if count else "")
        word = self._labels.get(region.name, "")
        label = Content.assemble(" ", (_SHOWN_LABELS.get(word, word), _LABEL_STYLES.get(word, "")))
        return [
            (cursor_bar(at_cursor), base + self.part("region-board--bar")),
            *fit_cell(name, name_cells, "left", style, self.app),
            ("+" if region.opt_in else " ", style),
            *fit_cell(count_text, _COUNT_CELLS, "right", style, self.app),
            *fit_cell(label, _LABEL_CELLS, "left", base, self.app),
        ]

    def _region_name(self, region: Region, cells: int) -> str:
        """Return the name with its place, or a short name, as the width allows."""
        name = safe.visible(region.name) or "–"
        if self._column_cells >= _WIDE_COLUMN:
            return f"{name.ljust(_NAME_CELLS)} {region.city}"
        if cells < max(_NAME_CELLS, len(name)):
            return short_region(name)
        return name


def _short_count(count: int) -> str:
    """Format a count in at most four cells."""
    if count < 10_000:
        return str(count)
    if count < 1_000_000:
        return f"{count // 1000}k"
    return f"{count // 1_000_000}M"
