"""When one principal swept: days down and hours across, or weeks down and days across where it goes back far."""

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
from tui.widgets.line import StyledRun, style_of, to_strip
from tui.widgets.line_scroll import LineScroll

_DAYS = 62
"""Days from which weeks are rows."""

_LABEL = 12
_TOTAL = 8
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class Calendar(LineScroll, can_focus=True, inherit_bindings=False):
    """A cell has the glyph of the worst severity of its sweeps, and how many they are where there
    are several."""

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
        key(
            "calendar.left", "h,left", "move(0, -1)", "earlier", "The hour before, or the day", MOVE
        ),
        key("calendar.right", "l,right", "move(0, 1)", "later", "The hour after, or the day", MOVE),
        key("calendar.down", "j,down", "move(1, 0)", "down", "The next day, or week", MOVE),
        key("calendar.up", "k,up", "move(-1, 0)", "up", "The day before, or week", MOVE),
        key(
            "calendar.next",
            "right_curly_bracket",
            "sweep(1)",
            "next sweep",
            "Go to the next sweep",
            MOVE,
        ),
        key(
            "calendar.before",
            "left_curly_bracket",
            "sweep(-1)",
            "sweep before",
            "Go to the sweep before",
            MOVE,
        ),
        key(
            "calendar.open",
            "enter",
            "open",
            "open",
            "Open the worst alert of these sweeps",
            OPEN,
            show=True,
        ),
    ]

    @dataclass
    class Moved(Message):
        """The cursor is on another cell; ``sweeps`` are those in it, in order of time."""

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
        self._held: dict[tuple[int, int], list[Sweep]] = {}
        self._at = (0, 0)

    def load(self, sweeps: Sequence[Sweep]) -> None:
        """Show these sweeps, which are in order of time. The cursor stays on its time; at first it
        is on the newest."""
        days = [time_display.datetime_at(sweep.first_event).date() for sweep in sweeps]
        at = self._day_and_hour() if self._held else None
        self._by_week = bool(days) and (days[-1] - days[0]).days >= _DAYS
        self._first = (
            (days[0] - timedelta(days[0].weekday()) if self._by_week else days[0])
            if days
            else date.min
        )
        held: dict[tuple[int, int], list[Sweep]] = defaultdict(list)
        for sweep in sweeps:
            held[self._place(sweep)].append(sweep)
        self._held = dict(held)
        self._count = max((row for row, _ in held), default=-1) + 1
        newest = max(held, default=(0, 0))
        self._at = newest if at is None else self._nearest(*at)
        self.set_rows(self._count)
        self.reveal(self._at[0])
        self.refresh()

    @property
    def cursor_sweeps(self) -> Sequence[Sweep]:
        """The sweeps under the cursor, in order of time."""
        return self._held.get(self._at, ())

    @property
    def _columns(self) -> int:
        return 7 if self._by_week else 24

    @property
    def _cells(self) -> int:
        """Of a column."""
        return max(2, min(6, (self.cells - _LABEL - _TOTAL) // self._columns))

    def _place(self, sweep: Sweep) -> tuple[int, int]:
        at = time_display.datetime_at(sweep.first_event)
        away = (at.date() - self._first).days
        return divmod(away, 7) if self._by_week else (away, at.hour)

    def _day_and_hour(self) -> tuple[date, int]:
        row, column = self._at
        return (
            (self._first + timedelta(7 * row + column), 0)
            if self._by_week
            else (self._first + timedelta(row), column)
        )

    def _nearest(self, day: date, hour: int) -> tuple[int, int]:
        away = (day - self._first).days
        row, column = divmod(away, 7) if self._by_week else (away, hour)
        return max(0, min(self._count - 1, row)), column

    def action_move(self, rows: int, columns: int) -> None:
        row, column = self._at
        self._go(
            (
                max(0, min(row + rows, self._count - 1)),
                max(0, min(column + columns, self._columns - 1)),
            )
        )

    def action_sweep(self, step: int) -> None:
        ahead = [
            place for place in self._held if (place > self._at if step > 0 else place < self._at)
        ]
        if ahead:
            self._go(min(ahead) if step > 0 else max(ahead))

    def action_open(self) -> None:
        self.post_message(self.Opened(self, self.cursor_sweeps))

    def on_click(self, event: events.Click) -> None:
        place = event.get_content_offset(self)
        if place is None or place.y < self.HEADER:
            return
        row, column = self.top + place.y - self.HEADER, (place.x - _LABEL) // self._cells
        if row < self._count and 0 <= column < self._columns:
            self._go((row, column))
            if event.chain == 2:
                self.action_open()

    def _go(self, place: tuple[int, int]) -> None:
        if place != self._at:
            self._at = place
            self.reveal(place[0])
            self.refresh()
            self.post_message(self.Moved(self, self.cursor_sweeps))

    def render_line(self, y: int) -> Strip:
        row = self.top + y - self.HEADER
        if y < self.HEADER:
            return to_strip(self._header(), self.cells, self.visual_style)
        if row >= self._count:
            return to_strip([], self.cells, self.visual_style)
        base = self.get_visual_style("calendar--row") if row == self._at[0] else self.visual_style
        day = self._first + timedelta(7 * row if self._by_week else row)
        label = f"{day}" if self._by_week else f"{_WEEKDAYS[day.weekday()]} {day:%m-%d}"
        total = sum(len(sweeps) for (at, _), sweeps in self._held.items() if at == row)
        return to_strip(
            [
                ("▌" if row == self._at[0] else " ", base + self.part("calendar--bar")),
                (label.ljust(_LABEL - 1), base),
                *(self._cell((row, column)) for column in range(self._columns)),
                (f"{total or ''}".rjust(_TOTAL), base + self.part("calendar--header")),
            ],
            self.cells,
            base,
        )

    def _header(self) -> list[StyledRun]:
        base, now = (
            self.get_visual_style("calendar--header"),
            self.get_visual_style("calendar--now"),
        )
        drawn: list[StyledRun] = [((" week of" if self._by_week else " day").ljust(_LABEL), base)]
        for column in range(self._columns):
            title = self._title(column)
            drawn += [
                (title, now if column == self._at[1] else base),
                (" " * (self._cells - len(title)), base),
            ]
        return [*drawn, ("sweeps".rjust(_TOTAL), base)]

    def _title(self, column: int) -> str:
        """Of a column; where hours stand close, of every third and of the cursor's, which its
        neighbours give room."""
        if self._by_week:
            return _WEEKDAYS[column][: self._cells]
        away = abs(column - self._at[1])
        if self._cells > 2 or away == 0 or (column % 3 == 0 and away > 1):
            return f"{column:02}"
        return ""

    def _cell(self, place: tuple[int, int]) -> StyledRun:
        base = (
            self.get_visual_style("calendar--row") if place[0] == self._at[0] else self.visual_style
        )
        sweeps = self._held.get(place, ())
        text = ""
        if sweeps:
            worst = max(sweeps, key=lambda sweep: sweep.worst.score).worst.severity
            count = f"{len(sweeps)}" if len(sweeps) < 10 else "+"
            text = format.SEVERITY_GLYPHS.get(worst, "?") + (count if len(sweeps) > 1 else "")
            base += style_of(SEVERITY_STYLE.get(worst, ""), self.app)
        if place == self._at:
            base += self.part("calendar--cursor")
            text = text or "_"
        return text.ljust(self._cells), base
