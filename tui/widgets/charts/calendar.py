"""A calendar of sweeps: days by hours, or weeks by days."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from textual import events
from textual.message import Message
from textual.strip import Strip

from detector.detection.sweeps import Sweep
from tui.keymap import MOVE, OPEN, key
from tui.presentation import format, time_display
from tui.presentation.theme import SEVERITY_STYLE
from tui.widgets.line import StyledRun, cursor_bar, style_of, to_strip
from tui.widgets.line_scroll import LineScroll

_MIN_DAYS_FOR_WEEKS = 62
"""From this many days of history on, rows are weeks."""

_LABEL_CELLS = 12
_TOTAL_CELLS = 8
GridCell = tuple[int, int]
"""A row and a column."""

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class Calendar(LineScroll, can_focus=True, inherit_bindings=False):
    """Sweeps by time; a cell shows the worst severity and the count."""

    HEADER = 1

    COMPONENT_CLASSES = {
        "calendar--header",
        "calendar--now",
        "calendar--row",
        "calendar--bar",
        "calendar--cursor",
    }

    DEFAULT_CSS = """
    Calendar {
        & > .calendar--header { color: $foreground-muted; }
        & > .calendar--now { color: $text-accent; text-style: bold; }
        & > .calendar--row { background: $foreground 6%; }
        & > .calendar--bar { color: $accent; }
        & > .calendar--cursor { background: $foreground 30%; text-style: bold; }
        &:ansi > .calendar--cursor { background: ansi_default; text-style: reverse; }
    }
    """

    BINDINGS = [
        key("calendar.left", "h,left", "move(0, -1)", "earlier", "Previous hour or day", MOVE),
        key("calendar.right", "l,right", "move(0, 1)", "later", "Next hour or day", MOVE),
        key("calendar.down", "j,down", "move(1, 0)", "down", "Next day or week", MOVE),
        key("calendar.up", "k,up", "move(-1, 0)", "up", "Previous day or week", MOVE),
        key(
            "calendar.next",
            "right_curly_bracket",
            "sweep(1)",
            "next alert",
            "Next alert",
            MOVE,
        ),
        key(
            "calendar.before",
            "left_curly_bracket",
            "sweep(-1)",
            "previous alert",
            "Previous alert",
            MOVE,
        ),
        key(
            "calendar.open",
            "enter",
            "open",
            "open",
            "Open the worst alert",
            OPEN,
            show=True,
        ),
    ]

    @dataclass
    class Moved(Message):
        """The cursor is on another cell; ``sweeps`` are in order of time."""

        calendar: Calendar
        sweeps: Sequence[Sweep]

        @property
        def control(self) -> Calendar:
            return self.calendar

    @dataclass
    class Opened(Moved):
        """Enter or a double click on a cell."""

    def __init__(self) -> None:
        super().__init__()
        self._by_week = False
        self._first = date.min
        self._count = 0
        self._sweeps_by_cell: dict[GridCell, list[Sweep]] = {}
        self._cursor: GridCell = (0, 0)

    def load(self, sweeps: Sequence[Sweep]) -> None:
        """Show sweeps, which must be in order of time.

        The cursor stays on its time; initially it is on the newest sweep.
        """
        cursor_time = self._day_and_hour(self._cursor) if self._sweeps_by_cell else None
        self._set_axes(sweeps)
        sweeps_by_cell: dict[GridCell, list[Sweep]] = defaultdict(list)
        for sweep in sweeps:
            sweeps_by_cell[self._cell_of(sweep)].append(sweep)
        self._sweeps_by_cell = dict(sweeps_by_cell)
        self._count = max((row for row, _ in sweeps_by_cell), default=-1) + 1
        if cursor_time is None:
            self._cursor = max(sweeps_by_cell, default=(0, 0))
        else:
            self._cursor = self._nearest_cell(*cursor_time)
        self.set_rows(self._count)
        self.reveal(self._cursor[0])
        self.refresh()

    def _set_axes(self, sweeps: Sequence[Sweep]) -> None:
        """Choose between days and weeks as rows, and the first day or week."""
        if not sweeps:
            self._by_week, self._first = False, date.min
            return
        first = time_display.datetime_at(sweeps[0].first_event).date()
        last = time_display.datetime_at(sweeps[-1].first_event).date()
        self._by_week = (last - first).days >= _MIN_DAYS_FOR_WEEKS
        self._first = first - timedelta(first.weekday()) if self._by_week else first

    @property
    def cursor_sweeps(self) -> Sequence[Sweep]:
        """The sweeps under the cursor, in order of time."""
        return self._sweeps_by_cell.get(self._cursor, ())

    @property
    def _columns(self) -> int:
        if self._by_week:
            return 7
        return 24

    @property
    def _column_cells(self) -> int:
        return max(2, min(6, (self.cells - _LABEL_CELLS - _TOTAL_CELLS) // self._columns))

    def _cell_of(self, sweep: Sweep) -> GridCell:
        moment = time_display.datetime_at(sweep.first_event)
        days = (moment.date() - self._first).days
        return divmod(days, 7) if self._by_week else (days, moment.hour)

    def _day_and_hour(self, cell: GridCell) -> tuple[date, int]:
        row, column = cell
        if self._by_week:
            return self._first + timedelta(7 * row + column), 0
        return self._first + timedelta(row), column

    def _nearest_cell(self, day: date, hour: int) -> GridCell:
        days = (day - self._first).days
        row, column = divmod(days, 7) if self._by_week else (days, hour)
        return max(0, min(self._count - 1, row)), column

    def action_move(self, rows: int, columns: int) -> None:
        row = max(0, min(self._cursor[0] + rows, self._count - 1))
        column = max(0, min(self._cursor[1] + columns, self._columns - 1))
        self._move_to((row, column))

    def action_sweep(self, step: int) -> None:
        if step > 0:
            cell = min((cell for cell in self._sweeps_by_cell if cell > self._cursor), default=None)
        else:
            cell = max((cell for cell in self._sweeps_by_cell if cell < self._cursor), default=None)
        if cell is not None:
            self._move_to(cell)

    def action_open(self) -> None:
        self.post_message(self.Opened(self, self.cursor_sweeps))

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None or offset.y < self.HEADER:
            return
        row = self.top + offset.y - self.HEADER
        column = (offset.x - _LABEL_CELLS) // self._column_cells
        if row < self._count and 0 <= column < self._columns:
            self._move_to((row, column))
            if event.chain == 2:
                self.action_open()

    def _move_to(self, cell: GridCell) -> None:
        if cell != self._cursor:
            self._cursor = cell
            self.reveal(cell[0])
            self.refresh()
            self.post_message(self.Moved(self, self.cursor_sweeps))

    def render_line(self, y: int) -> Strip:
        row = self.top + y - self.HEADER
        if y < self.HEADER:
            return to_strip(self._header(), self.cells, self.visual_style)
        if row >= self._count:
            return to_strip([], self.cells, self.visual_style)
        base = self.row_style("calendar--row", row == self._cursor[0])
        day = self._first + timedelta(7 * row if self._by_week else row)
        label = f"{day}" if self._by_week else f"{_WEEKDAYS[day.weekday()]} {day:%m-%d}"
        cells = [(row, column) for column in range(self._columns)]
        total = sum(len(self._sweeps_by_cell.get(cell, ())) for cell in cells)
        runs: list[StyledRun] = [
            (cursor_bar(row == self._cursor[0]), base + self.part("calendar--bar")),
            (label.ljust(_LABEL_CELLS - 1), base),
            *map(self._drawn_cell, cells),
            (f"{total or ''}".rjust(_TOTAL_CELLS), base + self.part("calendar--header")),
        ]
        return to_strip(runs, self.cells, base)

    def _header(self) -> list[StyledRun]:
        base = self.get_visual_style("calendar--header")
        label = " week of" if self._by_week else " day"
        runs: list[StyledRun] = [(label.ljust(_LABEL_CELLS), base)]
        for column in range(self._columns):
            title = self._column_title(column)
            style = self.get_visual_style("calendar--now") if column == self._cursor[1] else base
            runs += [(title, style), (" " * (self._column_cells - len(title)), base)]
        return [*runs, ("sweeps".rjust(_TOTAL_CELLS), base)]

    def _column_title(self, column: int) -> str:
        """Return the title of a column.

        If hours are close together, only every third hour has a title, and the cursor's hour, next
        to which other titles are left out.
        """
        if self._by_week:
            return _WEEKDAYS[column][: self._column_cells]
        distance = abs(column - self._cursor[1])
        if self._column_cells > 2 or distance == 0 or (column % 3 == 0 and distance > 1):
            return f"{column:02}"
        return ""

    def _drawn_cell(self, cell: GridCell) -> StyledRun:
        style = self.row_style("calendar--row", cell[0] == self._cursor[0])
        sweeps = self._sweeps_by_cell.get(cell, ())
        text = ""
        if sweeps:
            worst = max(sweeps, key=lambda sweep: sweep.worst.score).worst.severity
            text = format.SEVERITY_GLYPHS.get(worst, "?") + _short_count(len(sweeps))
            style += style_of(SEVERITY_STYLE.get(worst, ""), self.app)
        if cell == self._cursor:
            style += self.part("calendar--cursor")
            text = text or "_"
        return text.ljust(self._column_cells), style


def _short_count(count: int) -> str:
    """Format a count in one cell: blank for one, ``+`` from ten on."""
    if count == 1:
        return ""
    return str(count) if count < 10 else "+"
