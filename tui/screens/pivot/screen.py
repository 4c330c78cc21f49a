"""A pivot: events around an alert, streamed from the logs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import cast

from textual import on
from textual.widget import Widget
from textual.widgets import Static

from detector.cloudtrail.attacker_use import attacker_use
from detector.detection.alert import Alert
from detector.detection.baseline import principal_of
from detector.detection.signals.signal_finder import flagging_events
from detector.filter import Filter
from detector.filter.schemas import EVENTS
from detector.investigation import pivot
from detector.investigation.pivot import EventRow, Pivot, Progress
from detector.store import StateError
from detector.text.time import format_age
from tui.concurrency.job import Job
from tui.concurrency.worker import work
from tui.keymap import FIND, key, key_of
from tui.presentation import format, safe
from tui.presentation.copy_formats import CopyFormat, event_formats
from tui.screens.base.background_list import BackgroundRows
from tui.screens.base.filtered_list import ListScreen
from tui.screens.base.hunts.attach_action import AttachAction, event_findings
from tui.screens.base.query_line import QueryLine
from tui.screens.base.screen import breadcrumbs
from tui.screens.base.watch_action import Offer, WatchAction, offers_of
from tui.screens.pivot.call_actions import CallActions
from tui.screens.pivot.columns import pivot_columns
from tui.screens.pivot.reading import ReadFailed, RowsRead
from tui.screens.pivot.rows import (
    FurtherPivot,
    PivotLine,
    PivotLines,
    PivotOrder,
    QuestionLine,
    events_of,
    half_width,
    heading,
    line_key,
    progress_line,
    resized,
)
from tui.screens.pivot.runs import build_lines, run_around
from tui.widgets.columns import Column
from tui.widgets.line import CellContent
from tui.widgets.row_list import RowList

_BATCH_SECONDS = 0.25
"""Minimum number of seconds between two updates of the list."""

_MAX_ROWS = 1_000_000
"""Maximum number of events kept; beyond it, the search stops and asks to narrow the pivot."""


class PivotScreen(ListScreen[EventRow]):
    """The events of a pivot that was opened from an alert or from other events.

    ``trail`` names the screens behind this one.
    """

    BINDINGS = [
        *WatchAction.BINDINGS,
        *CallActions.BINDINGS,
        *AttachAction.BINDINGS,
        key(
            "pivot.wider",
            "greater_than_sign,plus",
            "resize(1)",
            "wider",
            "Widen the time window",
            FIND,
            show=True,
        ),
        key(
            "pivot.narrower",
            "less_than_sign",
            "resize(-1)",
            "narrower",
            "Narrow the time window",
            FIND,
            show=True,
        ),
        key(
            "pivot.group",
            "s",
            "group",
            "by question",
            "Group by guide question, or by time",
            FIND,
            show=True,
        ),
        key("events.fold", "o", "fold", "runs", "Fold equal calls in a row, or show each", FIND),
    ]

    fields = EVENTS
    reads_at_once = True
    """Whether reading begins when the screen opens."""

    def __init__(self, trail: Sequence[str], alert: Alert | None, pivot: Pivot) -> None:
        super().__init__()
        self.background = BackgroundRows(self, self)
        self.watch_action = WatchAction(self, self.watch_offers)
        self.attaching = AttachAction(
            self, lambda: event_findings(row.event for row in self.targets())
        )
        self._trail = (*trail, pivot.title)
        self.call_actions = CallActions(
            self, lambda: self._trail, lambda: self._current_row, self._open_further
        )
        self._alert = alert
        self._pivot = pivot
        self._rows: dict[str, EventRow] = {}
        self._progress = Progress(0, 0, 0, 0)
        self._stop = threading.Event()
        self._state = "reading"
        self._grouped = False
        self._folds = True
        self._folded: frozenset[str] = frozenset()

    def reference_time(self) -> float:
        """Return the end of the pivot, in epoch seconds.

        A filter's relative times refer to it, not to the newest record.
        """
        return self._pivot.end

    def is_filterable(self, row: PivotLine) -> bool:
        return isinstance(row, EventRow)

    # --- what is shown

    def screen_title(self) -> CellContent:
        return breadcrumbs(self._trail, self.size.width)

    def compose_body(self) -> Iterable[Widget]:
        yield Static("", id="asked", classes="line")
        yield Static("", id="progress", classes="line")
        yield RowList(self.line_columns(), key=line_key, heading=heading)
        yield QueryLine(self.query_description)
        yield Static("", id="beneath")

    def on_mount(self) -> None:
        super().on_mount()
        if self.reads_at_once:
            self._begin(self._pivot)

    def on_unmount(self) -> None:
        self._stop.set()

    def show(self) -> None:
        self.query_one("#progress", Static).update(
            progress_line(self._progress, len(self._rows), self._state, self.size.width)
        )
        self.background.update()

    @property
    def _lines(self) -> RowList[PivotLine]:
        return cast("RowList[PivotLine]", self.query_one(RowList))

    @property
    def _current_row(self) -> EventRow | None:
        line = self._lines.cursor_row
        if isinstance(line, QuestionLine):
            return line.run[0] if line.run else None
        return line

    def _empty_text(self) -> str:
        if self._rows:
            return self.nothing_matches()
        if self._state == "reading":
            return "Reading the logs, nearest files first …"
        return f"No matching events in this period.\n{key_of('pivot.wider')} widens it."

    @on(RowList.Highlighted)
    def _show_highlighted(self) -> None:
        row = self._current_row
        text = ""
        if row is not None:
            event = row.event
            caller = [event.arn or "no ARN", event.access_key, event.user_agent]
            about = f"{event.position.source} #{event.position.index}"
            use = attacker_use(event.provider, event.action)
            if use is not None:
                about = f"{use.technique} {use.purpose}"
            text = f"{' · '.join(filter(None, caller))}\n{about}"
        self.query_one("#beneath", Static).update(safe.text(text, "$foreground-muted", lines=True))

    # --- building the lines

    def candidates(self) -> Sequence[EventRow]:
        return list(self._rows.values())

    def row_count(self) -> int:
        """Return how many events a build has to go through."""
        return len(self._rows)

    def row_build(self) -> Callable[[Job], PivotLines]:
        """Return the build for the current filter and layout."""
        self.filter_bar.renew()
        return partial(
            build_lines,
            self._rows.copy(),
            self.filter or None,
            PivotOrder(self._grouped, self._folds, self._folded),
        )

    def accepts(self, result: PivotLines) -> bool:  # noqa: ARG002
        """Return True: the lines may always be shown."""
        return True

    def apply(self, result: PivotLines) -> None:
        """Show the lines."""
        self.filter_bar.counts = result.matching, result.total
        self._lines.empty = self._empty_text()
        line = self._lines.cursor_row
        self._lines.show(result.lines, result.keys)
        if isinstance(line, QuestionLine) and line.run and not self._folds:
            self._lines.move_to(line_key(line.run[0]))  # of the unfolded run
        elif isinstance(line, EventRow) and self._lines.cursor_row != line:
            self._lines.move_to(line_key(run_around(line, result.lines) or line))
        self._show_asked()

    def _show_asked(self) -> None:
        """Show the span that is searched, and the order of the events."""
        pivot = self._pivot
        times = format.time_range(pivot.start, pivot.end - 1)
        order = "by time, runs folded" if self._folds else "by time"
        if self._grouped:
            order = "by question"
        asked = f"{times} · ± {format_age(half_width(pivot))} · {order}"
        self.query_one("#asked", Static).update(safe.text(asked, "$foreground-muted"))

    def view_state(self) -> tuple[Filter[EventRow], bool, bool, frozenset[str]]:
        """Return the filter and the layout of the lines."""
        return self.filter, self._grouped, self._folds, self._folded

    def restore(self, state: tuple[Filter[EventRow], bool, bool, frozenset[str]]) -> None:
        """Restore the filter and the layout of the lines."""
        self.filter_bar.filter, self._grouped, self._folds, self._folded = state

    def filter_changed(self) -> None:
        self.background.recompute()

    # --- reading

    def _begin(self, pivot: Pivot) -> None:
        """Start reading this pivot, and stop reading the previous one.

        Rows within the new pivot's span are kept.
        """
        self._stop.set()
        self._stop, self._pivot, self._state = threading.Event(), pivot, "reading"
        self._progress = Progress(0, 0, 0, 0)
        self._rows = {
            key: row for key, row in self._rows.items() if pivot.start <= row.event.time < pivot.end
        }
        self._read(pivot, self._stop)

    @work(thread=True, group="pivot", exit_on_error=False)
    def _read(self, wanted: Pivot, stop: threading.Event) -> None:
        rows: list[tuple[str, EventRow]] = []
        progress, count, due = self._progress, 0, 0.0
        try:
            wanted = self.narrowed(wanted)
            files = self.workspace.store.chunks.file_spans(
                wanted.start, wanted.end, wanted.selector
            )
            flagging = flagging_events(self.workspace.rules)
            own_events: frozenset[str] = frozenset()
            if self._alert is not None:
                own_events = frozenset(self._alert.event_ids)
            for batch in pivot.read_pivot(wanted, files, flagging, own_events, stop):
                rows += [
                    (line_key(row), row.without_json()) for row in batch.rows[: _MAX_ROWS - count]
                ]
                count += len(batch.rows)
                progress = batch.progress
                if count >= _MAX_ROWS:
                    stop.set()
                if time.monotonic() >= due:
                    self.post_message(RowsRead(stop, rows, progress, done=False))
                    rows, due = [], time.monotonic() + _BATCH_SECONDS
        except StateError as error:
            self.post_message(ReadFailed(str(error)))
        self.post_message(RowsRead(stop, rows, progress, done=True))

    def line_columns(self) -> tuple[Column[PivotLine], ...]:
        """Return the columns of the list."""
        return pivot_columns(self.workspace.rules)

    def narrowed(self, wanted: Pivot) -> Pivot:
        """Return the pivot to read instead of ``wanted``; called in a thread. Raises StateError."""
        return wanted

    @on(RowsRead)
    def _add_rows(self, event: RowsRead) -> None:
        if event.stop_event is not self._stop:
            return  # from a search that has been replaced
        self._rows.update(event.rows)
        self._progress = event.progress
        if event.done:
            self._state = "stopped" if event.stop_event.is_set() else "done"
            if len(self._rows) >= _MAX_ROWS:
                self.workspace.say(
                    f"Stopped at {format.number(_MAX_ROWS)} calls: "
                    f"{key_of('pivot.narrower')} narrows the window",
                    severity="warning",
                )
        self.show_if_in_front()

    @on(ReadFailed)
    def _report_failure(self, event: ReadFailed) -> None:
        self.workspace.say(event.reason, severity="error")

    # --- actions

    def targets(self) -> list[EventRow]:
        return list(dict.fromkeys(events_of(self._lines.selection)))

    def shown_rows(self) -> list[EventRow]:
        return list(dict.fromkeys(events_of(self._lines.rows)))

    def copy_formats_of(self, rows: Sequence[EventRow]) -> Sequence[CopyFormat]:
        calls = list(dict.fromkeys(row.event for row in events_of(rows)))
        return event_formats(calls) if calls else []

    def action_back(self) -> None:
        if self._state == "reading" and not self._stop.is_set():
            self._stop.set()
        elif not self.background.give_up():
            super().action_back()

    def action_resize(self, step: int) -> None:
        pivot = resized(self._pivot, step)
        if pivot is None:
            self.workspace.say("Maximum range" if step > 0 else "Minimum range")
        else:
            self._begin(pivot)
            self.show()

    def action_group(self) -> None:
        self._grouped = not self._grouped
        self.background.recompute()

    def action_fold(self) -> None:
        self._folds = not self._folds
        self.background.recompute()

    @on(RowList.Opened)
    def _open(self, event: RowList.Opened) -> None:
        line: PivotLine = event.row
        if isinstance(line, QuestionLine):
            self._folded ^= {line.question}
            self.background.recompute()
        else:
            self.workspace.routes.open_record(self._trail, line)

    def watch_offers(self) -> list[Offer]:
        """Return the values to watch for: the caller, its key and its address."""
        row = self._current_row
        if row is None:
            return []
        event = row.event
        return offers_of((principal_of(event.arn), event.access_key, event.source_address))

    def _open_further(self, further: FurtherPivot, time: int) -> None:
        title, selector = further
        pivot = Pivot(title, selector, self._pivot.start, self._pivot.end, time)
        self.workspace.routes.open_pivot(self._trail, self._alert, pivot)
