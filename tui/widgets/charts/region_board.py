"""Regions laid out by geography, in columns of text: how much in each, and how usual that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message
from textual.strip import Strip

from detector.cloudtrail.regions import Region
from tui.keymap import MOVE, OPEN, key
from tui.presentation import safe
from tui.widgets.line import StyledRun, fit_cell, to_strip
from tui.widgets.line_scroll import LineScroll
from tui.widgets.region_line import short_region

_WIDE = 36
"""Cells of a column from which places stand beside the names."""

_LONGEST = 16
"""Cells for a name where columns are narrow."""

_NAME = 14
"""Of a region's name, where it is whole."""

_COUNT = 4
_WORD = 5
_WORD_STYLES = {"new": "$text-error", "rare": "$text-warning", "used": "$foreground-muted"}


class RegionBoard(LineScroll, can_focus=True, inherit_bindings=False):
    """A column for each geography; what does not fit side by side goes below."""

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
        key("board.left", "h,left", "move(0, -1)", "left", "The geography to the left", MOVE),
        key("board.right", "l,right", "move(0, 1)", "right", "The geography to the right", MOVE),
        key("board.down", "j,down", "move(1, 0)", "down", "Next region", MOVE),
        key("board.up", "k,up", "move(-1, 0)", "up", "Previous region", MOVE),
        key(
            "board.open",
            "enter",
            "open",
            "open",
            "Go to what there is of this region",
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
        self._words: Mapping[str, str] = {}
        self._grid: list[list[Region | str | None]] = []
        self._at: str | None = None

    def load(
        self,
        groups: Mapping[str, Sequence[Region]],
        counts: Mapping[str, int],
        words: Mapping[str, str],
    ) -> None:
        """Show ``groups``, the regions of each geography; ``counts`` and ``words`` (new, rare,
        used) are by region.

        The cursor stays on its region; at first it is on one with the most.
        """
        self._groups, self._counts, self._words = dict(groups), counts, words
        regions = [region for group in groups.values() for region in group]
        if self._at not in {region.name for region in regions}:
            self._at = (
                max(regions, key=lambda region: counts.get(region.name, 0)).name
                if regions
                else None
            )
        self._lay_out()

    @property
    def cursor_region(self) -> Region | None:
        """The region under the cursor."""
        return next(
            (
                region
                for group in self._groups.values()
                for region in group
                if region.name == self._at
            ),
            None,
        )

    def on_resize(self) -> None:
        self._lay_out()

    @property
    def _columns(self) -> int:
        return max(1, min(len(self._groups), (self.cells + 1) // (self._least + 1)))

    @property
    def _least(self) -> int:
        """The cells that a column takes at least, so that no two names are cut to one."""
        names = [
            short_region(safe.visible(region.name))
            for group in self._groups.values()
            for region in group
        ]
        return 2 + min(_LONGEST, max(map(len, names), default=0)) + _COUNT + _WORD

    @property
    def _cells(self) -> int:
        """Of a column, without the blank after it."""
        return max(1, min(_WIDE + 8, (self.cells + 1) // self._columns - 1))

    def _lay_out(self) -> None:
        """Lines of columns: titles, regions, nothing."""
        titles = list(self._groups)
        self._grid = []
        for first in range(0, len(titles), self._columns):
            band = titles[first : first + self._columns]
            if self._grid:
                self._grid.append([None] * len(band))
            self._grid.append(list(band))
            for line in range(max(len(self._groups[title]) for title in band)):
                self._grid.append(
                    [
                        group[line] if line < len(group := self._groups[title]) else None
                        for title in band
                    ]
                )
        self.set_rows(len(self._grid))
        self.refresh()
        if (place := self._place) is not None:
            self.reveal(place[0])

    @property
    def _place(self) -> tuple[int, int] | None:
        return next(
            (
                (row, column)
                for row, line in enumerate(self._grid)
                for column, found in enumerate(line)
                if isinstance(found, Region) and found.name == self._at
            ),
            None,
        )

    def action_move(self, rows: int, columns: int) -> None:
        """To the next region that way; sideways to the nearest of that column in this band."""
        if self._place is None:
            return
        row, column = self._place
        places = [
            (at, beside, found)
            for at, line in enumerate(self._grid)
            for beside, found in enumerate(line)
            if isinstance(found, Region)
        ]
        if rows:
            ahead = [
                (abs(at - row), found)
                for at, beside, found in places
                if beside == column and (at - row) * rows > 0
            ]
        else:
            start, end = self._band(row)
            ahead = [
                (abs(at - row), found)
                for at, beside, found in places
                if beside == column + columns and start <= at < end
            ]
        if ahead:
            self._go(min(ahead, key=lambda found: found[0])[1])

    def _band(self, row: int) -> tuple[int, int]:
        """The lines between the blank ones around ``row``."""
        blank = [at for at, line in enumerate(self._grid) if not any(line)]
        return (
            max((at for at in blank if at < row), default=-1) + 1,
            min((at for at in blank if at > row), default=len(self._grid)),
        )

    def action_open(self) -> None:
        if region := self.cursor_region:
            self.post_message(self.Opened(self, region))

    def on_click(self, event: events.Click) -> None:
        place = event.get_content_offset(self)
        if place is None or self.top + place.y >= len(self._grid):
            return
        line, column = self._grid[self.top + place.y], place.x // (self._cells + 1)
        if column < len(line) and isinstance(found := line[column], Region):
            self._go(found)
            if event.chain == 2:
                self.action_open()

    def _go(self, region: Region) -> None:
        self._at = region.name
        if (place := self._place) is not None:
            self.reveal(place[0])
        self.refresh()
        self.post_message(self.Moved(self, region))

    def render_line(self, y: int) -> Strip:
        base = self.visual_style
        drawn: list[StyledRun] = []
        for found in self._grid[self.top + y] if self.top + y < len(self._grid) else ():
            drawn += [*self._drawn(found), (" ", base)]
        return to_strip(drawn, self.cells, base)

    def _drawn(self, found: Region | str | None) -> list[StyledRun]:
        base = self.visual_style
        if isinstance(found, Region):
            return self._named(found)
        title = Content(safe.clip(f" {found or ''}", self._cells))
        return fit_cell(
            title,
            self._cells,
            "left",
            self.get_visual_style("region-board--title") if found else base,
            self.app,
        )

    def _named(self, region: Region) -> list[StyledRun]:
        """``▌us-e-1    12 rare``: the name, ``+`` where it is an opt-in region, how much, how
        usual."""
        at_cursor, count = region.name == self._at, self._counts.get(region.name, 0)
        base = self.get_visual_style("region-board--cursor") if at_cursor else self.visual_style
        said = base if count else base + self.part("region-board--idle")
        room = self._cells - 2 - _COUNT - _WORD
        name = safe.visible(region.name) or "–"
        if self._cells >= _WIDE:
            name = f"{name.ljust(_NAME)} {region.place}"
        elif room < max(_NAME, len(name)):
            name = short_region(name)
        word = self._words.get(region.name, "")
        return [
            ("▌" if at_cursor else " ", base + self.part("region-board--bar")),
            *fit_cell(Content(name), room, "left", said, self.app),
            ("+" if region.opt_in else " ", said),
            *fit_cell(Content(_short(count) if count else ""), _COUNT, "right", said, self.app),
            *fit_cell(
                Content.assemble(" ", (word, _WORD_STYLES.get(word, ""))),
                _WORD,
                "left",
                base,
                self.app,
            ),
        ]


def _short(count: int) -> str:
    """A number in at most four cells."""
    return (
        str(count)
        if count < 10_000
        else f"{count // 1000}k"
        if count < 1_000_000
        else f"{count // 1_000_000}M"
    )
