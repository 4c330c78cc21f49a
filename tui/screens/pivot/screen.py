"""A pivot: every event that is meant around an alert, streamed from the logs, under the analyst's hands."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, cast

from textual import on
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from detector.detection.alert import Alert
from detector.detection.correlate import flagging_events
from detector.detection.record_search import Selector
from detector.filter.schemas import EVENTS
from detector.investigation import pivot
from detector.investigation.pivot import EventRow, Pivot, Progress
from detector.investigation.raw_record import EvidenceGone, raw_record
from detector.store import StateError
from detector.text.time import format_age
from tui.concurrency.job import Job
from tui.concurrency.worker import work
from tui.keymap import FIND, OPEN, key, key_of
from tui.presentation import format, safe
from tui.presentation.copy_formats import CopyFormat, event_formats
from tui.screens.base.background_list import ArrangedScreen
from tui.screens.base.breadcrumbs import breadcrumbs
from tui.screens.base.menu import Menu
from tui.screens.base.query_line import QueryLine
from tui.screens.pivot.rows import (
    COLUMNS,
    Line,
    PivotLines,
    QuestionLine,
    build_lines,
    half_width,
    heading,
    line_key,
    next_pivots,
    progress_line,
    resized,
)
from tui.widgets.line import CellContent
from tui.widgets.row_list import RowList

_BATCH_SECONDS = 0.25
"""The least time between two batches on screen."""

_MOST = 1_000_000
"""Events that are held; where there are more, a narrower pivot shows them."""


class PivotScreen(ArrangedScreen[EventRow, PivotLines]):
    """The events of ``wanted``, asked from ``alert``; ``trail`` names the screens behind this
    one."""

    BINDINGS = [
        key(
            "pivot",
            "p",
            "further",
            "pivot",
            "Every call with a value of the call under the cursor",
            OPEN,
            show=True,
        ),
        key(
            "pivot.wider",
            "greater_than_sign,plus",
            "resize(1)",
            "wider",
            "Look further back and ahead",
            FIND,
            show=True,
        ),
        key(
            "pivot.narrower",
            "less_than_sign",
            "resize(-1)",
            "narrower",
            "Look less far back and ahead",
            FIND,
            show=True,
        ),
        key(
            "pivot.group",
            "s",
            "group",
            "by question",
            "Group the calls by the guide's questions, or by time",
            FIND,
            show=True,
        ),
    ]

    fields = EVENTS

    class Found(Message):
        """What a reading, known by what stops it, has found since the last time. ``done``: it has
        come to its end."""

        def __init__(
            self,
            reading: threading.Event,
            rows: Sequence[tuple[str, EventRow]],
            progress: Progress,
            done: bool,
        ) -> None:
            super().__init__()
            self.reading = reading
            self.rows = rows
            self.progress = progress
            self.done = done

    class Failed(Message):
        def __init__(self, reason: str) -> None:
            super().__init__()
            self.reason = reason

    def __init__(self, trail: Sequence[str], alert: Alert, wanted: Pivot) -> None:
        super().__init__()
        self._trail = (*trail, wanted.title)
        self._alert = alert
        self._wanted = wanted
        self._found: dict[str, EventRow] = {}
        self._progress = Progress(0, 0, 0, 0)
        self._stop = threading.Event()
        self._state = "reading"
        self._grouped = False
        self._folded: frozenset[str] = frozenset()

    def reference(self) -> float:
        """The end of what is asked for: times are about that, wherever the newest record is."""
        return self._wanted.end

    def filterable(self, row: Line) -> bool:
        return isinstance(row, EventRow)

    # --- what is shown

    def screen_title(self) -> CellContent:
        return breadcrumbs(self._trail, self.size.width)

    def compose_body(self) -> Iterable[Widget]:
        yield Static("", id="asked", classes="line")
        yield Static("", id="progress", classes="line")
        yield RowList(COLUMNS, key=line_key, heading=heading)
        yield QueryLine()
        yield Static("", id="beneath")

    def on_mount(self) -> None:
        super().on_mount()
        self._begin(self._wanted)

    def on_unmount(self) -> None:
        self._stop.set()

    def show(self) -> None:
        self.query_one("#progress", Static).update(
            progress_line(self._progress, len(self._found), self._state, self.size.width)
        )
        super().show()

    def candidates(self) -> Sequence[EventRow]:
        return list(self._found.values())

    def row_count(self) -> int:
        return len(self._found)

    def arranging(self) -> Callable[[Job], PivotLines]:
        self.renew_filter()
        return partial(
            build_lines, self._found.copy(), self.filter or None, self._grouped, self._folded
        )

    def arranged(self, result: PivotLines) -> None:
        self.matched = result.matching, result.total
        self._lines.empty = self._empty()
        self._lines.show(result.lines, result.keys)
        wanted, order = self._wanted, "by question" if self._grouped else "in order of time"
        asked = f"{format.time_range(wanted.start, wanted.end - 1)} · ± {format_age(half_width(wanted))} · {order}"
        self.query_one("#asked", Static).update(safe.text(asked, "$foreground-muted"))

    def wish(self) -> object:
        return self.filter, self._grouped, self._folded

    def take_back(self, wish: Any) -> None:
        self.filter, self._grouped, self._folded = wish

    @property
    def _lines(self) -> RowList[Line]:
        return cast("RowList[Line]", self.query_one(RowList))

    @property
    def _row(self) -> EventRow | None:
        line = self._lines.cursor_row
        return line if isinstance(line, EventRow) else None

    def _empty(self) -> str:
        if self._found:
            return self.nothing_matches()
        if self._state == "reading":
            return "Reading the logs, the nearest files first …"
        return f"No such call in this span.\n{key_of('pivot.wider')} looks further back and ahead."

    @on(RowList.Highlighted)
    def _highlighted(self) -> None:
        row = self._row
        said = (
            []
            if row is None
            else [
                " · ".join(
                    filter(
                        None,
                        (row.event.arn or "no ARN", row.event.access_key, row.event.user_agent),
                    )
                ),
                f"{row.event.position.source} #{row.event.position.index}",
            ]
        )
        self.query_one("#beneath", Static).update(
            safe.text("\n".join(said), "$foreground-muted", lines=True)
        )

    # --- reading

    def _begin(self, wanted: Pivot) -> None:
        """Read for ``wanted``, in place of what was being read; what was found already and lies in
        it stays."""
        self._stop.set()
        self._stop, self._wanted, self._state = threading.Event(), wanted, "reading"
        self._progress = Progress(0, 0, 0, 0)
        self._found = {
            key: row
            for key, row in self._found.items()
            if wanted.start <= row.event.time < wanted.end
        }
        self._read(wanted, self._stop)

    @work(thread=True, group="pivot", exit_on_error=False, description="read the logs")
    def _read(self, wanted: Pivot, stop: threading.Event) -> None:
        rows: list[tuple[str, EventRow]] = []
        progress, held, due = self._progress, 0, 0.0
        try:
            files = self.workspace.store.chunks.file_spans(
                wanted.start, wanted.end, wanted.selector
            )
            flagging = flagging_events(self.workspace.rules)
            for batch in pivot.read_pivot(
                wanted, files, flagging, frozenset(self._alert.event_ids), stop
            ):
                rows += [(line_key(row), row.without_json()) for row in batch.rows[: _MOST - held]]
                held += len(batch.rows)
                progress = batch.progress
                if held >= _MOST:
                    stop.set()
                if time.monotonic() >= due:
                    self.post_message(self.Found(stop, rows, progress, done=False))
                    rows, due = [], time.monotonic() + _BATCH_SECONDS
        except StateError as error:
            self.post_message(self.Failed(str(error)))
        self.post_message(self.Found(stop, rows, progress, done=True))

    @on(Found)
    def _take(self, event: Found) -> None:
        if event.reading is not self._stop:
            return  # of a reading that another has taken the place of
        self._found.update(event.rows)
        self._progress = event.progress
        if event.done:
            self._state = "stopped" if event.reading.is_set() else "done"
            if len(self._found) >= _MOST:
                self.workspace.say(
                    f"Stopped at {format.number(_MOST)} calls: {key_of('pivot.narrower')} narrows the span",
                    severity="warning",
                )
        self._changed()

    @on(Failed)
    def _failed(self, event: Failed) -> None:
        self.workspace.say(event.reason, severity="error")

    # --- what is done

    def copy_formats_of(self, rows: Sequence[EventRow]) -> Sequence[CopyFormat]:
        calls = {row.event: row.raw for row in rows if not isinstance(row, QuestionLine)}
        return event_formats(list(calls), calls.__getitem__) if calls else []

    def action_back(self) -> None:
        if self._state == "reading" and not self._stop.is_set():
            self._stop.set()
        else:
            super().action_back()

    def action_resize(self, step: int) -> None:
        wanted = resized(self._wanted, step)
        if wanted is None:
            self.workspace.say(
                "This is as wide as it goes" if step > 0 else "This is as narrow as it goes"
            )
        else:
            self._begin(wanted)
            self.show()

    def action_group(self) -> None:
        self._grouped = not self._grouped
        self.rearrange()

    @on(RowList.Opened)
    def _opened(self, event: RowList.Opened) -> None:
        line: Line = event.row
        if isinstance(line, QuestionLine):
            self._folded ^= {line.question}
            self.rearrange()
        else:
            self.workspace.routes.open_record(self._trail, line)

    @work(exclusive=True, group="further")
    async def action_further(self) -> None:
        row, raw = self._row, b""
        if row is None:
            return
        try:
            raw = await asyncio.to_thread(raw_record, row.event)
        except EvidenceGone as error:
            self.workspace.say(str(error), severity="warning")
        asked = next_pivots(row.event, raw)
        options = [(str(place), _option(title)) for place, (title, _) in enumerate(asked)]

        def ask(chosen: str | None) -> None:
            if chosen is not None:
                self._pivot(row, *asked[int(chosen)])

        self.app.push_screen(Menu("Every call with the same", options, "0"), ask)

    def _pivot(self, row: EventRow, title: str, selector: Selector) -> None:
        wanted = Pivot(title, selector, self._wanted.start, self._wanted.end, row.event.time)
        self.workspace.routes.open_pivot(self._trail, self._alert, wanted)


_OPTION_CELLS = 48


def _option(text: str) -> str:
    return safe.clip(safe.visible(text), _OPTION_CELLS)
