"""The list widget for alerts, events, notes, suppressions and all other rows.

The cursor is bound to a row's key, never to a position: rows are added and removed above and below
it while the analyst reads, and the next key press must still apply to the row being read.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from textual import events
from textual.message import Message
from textual.reactive import reactive

from tui.concurrency.job import Cancelled, Job
from tui.concurrency.worker import work
from tui.keymap import MARK, MOVE, OPEN, key
from tui.widgets.anchor import find_successor
from tui.widgets.columns import Column
from tui.widgets.row_search import first_match, matching_rows
from tui.widgets.row_view import RowView

R = TypeVar("R")

_PROGRESS_SECONDS = 0.2
"""Seconds before a search first reports its progress, and between reports."""


@dataclass
class _RowListMessage(Message):
    row_list: RowList[Any]

    @property
    def control(self) -> RowList[Any]:
        return self.row_list


@dataclass(frozen=True)
class _Range:
    """A range of marks from a row to the cursor, in addition to earlier marks."""

    start_key: str
    other_marks: frozenset[str]


class RowList(RowView[R], can_focus=True, inherit_bindings=False):
    """A list whose rows can be marked and searched.

    The parameters are those of ``RowView``; without ``marking``, rows cannot be marked.
    """

    BINDINGS = [
        key("list.down", "j,down", "move(1)", "down", "Next row", MOVE),
        key("list.up", "k,up", "move(-1)", "up", "Previous row", MOVE),
        key("list.first", "g,home", "first", "first", "First row", MOVE),
        key("list.last", "G,end", "last", "last", "Last row", MOVE),
        key(
            "list.half-page-down", "ctrl+d", "page(0.5)", "half page down", "Half a page down", MOVE
        ),
        key("list.half-page-up", "ctrl+u", "page(-0.5)", "half page up", "Half a page up", MOVE),
        key("list.page-down", "pagedown", "page(1)", "page down", "A page down", MOVE),
        key("list.page-up", "pageup", "page(-1)", "page up", "A page up", MOVE),
        key("list.open", "enter", "open", "open", "Open the row", OPEN, show=True),
        key(
            "list.mark",
            "space",
            "mark",
            "mark",
            "Mark/unmark the row and move down",
            MARK,
            show=True,
        ),
        key(
            "list.range",
            "V",
            "range",
            "mark range",
            "Start/end a range of marks",
            MARK,
        ),
    ]

    def __init__(
        self,
        columns: Sequence[Column[R]],
        *,
        key: Callable[[R], str],
        marking: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(columns, key=key, **options)
        self._marking = marking
        self.was_moved = False
        """Whether the analyst has moved the cursor."""
        self._range: _Range | None = None

    follow_top: reactive[bool] = reactive(False, init=False)
    """Whether the cursor stays on the first row, until the analyst moves it off."""

    @dataclass
    class Highlighted(_RowListMessage):
        """The row under the cursor changed; ``row`` is None if there are no rows."""

        row: Any

    @dataclass
    class CursorMoved(_RowListMessage):
        """The cursor is on another key.

        ``lost`` means that the cursor's row is gone, and this is the nearest remaining one.
        """

        key: str | None
        lost: bool

    @dataclass
    class Opened(_RowListMessage):
        """Enter or a double click on a row."""

        row: Any

    @dataclass
    class MarksChanged(_RowListMessage):
        """The set of marked rows changed."""

        marks: frozenset[str]

    @dataclass
    class Searching(_RowListMessage):
        """The progress of a long search, from 0 to 1; finally None."""

        share: float | None

    @dataclass
    class Matched(_RowListMessage):
        """The cursor is on a match: its number, from 1, and the number of all matches."""

        position: int
        total: int

    @dataclass
    class NoMatch(_RowListMessage):
        """A search went through all rows without a match."""

    def show(self, rows: Sequence[R], keys: Sequence[str] | None = None) -> None:
        """Show rows in this order; ``keys`` are their keys, if already known.

        The cursor stays on its key and on its screen line, as far as the list's ends allow; if it
        was scrolled out of sight, the top line stays in place instead. A removed row loses its
        mark, and a cursor on it goes to the nearest remaining row. With ``follow_top``, the cursor
        goes to the first row.
        """
        old_keys, old_key, old_row = self._keys, self.cursor_key, self.cursor_row
        anchor = self._cursor if self.in_view(self._cursor) else self.top
        screen_line = anchor - self.top
        self._rows = rows
        self._keys = list(map(self._key, rows)) if keys is None else keys
        if self.follow_top:
            self._cursor = anchor = screen_line = 0
        else:
            self._cursor = find_successor(old_keys, self._cursor, self._keys)
            anchor = find_successor(old_keys, anchor, self._keys)
        self.redraw()
        self.set_rows(len(rows))
        self.scroll_top(anchor - screen_line)
        if self._marks:
            self._set_marks(self._marks.intersection(self._keys))
        if self._range and self._range.start_key not in self._marks:
            self._range = None
        if self.cursor_key != old_key:
            lost = old_key is not None and not self.follow_top
            self.post_message(self.CursorMoved(self, self.cursor_key, lost))
        if self.cursor_row is not old_row or self.cursor_key != old_key:
            self.post_message(self.Highlighted(self, self.cursor_row))

    def move_to(self, key: str) -> bool:
        """Move to the row with ``key``; return False if there is none."""
        try:
            self._move(self._keys.index(key))
        except ValueError:
            return False
        return True

    def step_column(self, step: int) -> None:
        """Move to the next cell; without a current column, to the first column."""
        keys = [column.key for column, _ in self._shown_columns()]
        index = keys.index(self._column) + step if self._column in keys else 0
        self._column = keys[max(0, min(index, len(keys) - 1))]
        self.redraw()

    # --- marks, order, search

    @property
    def marks(self) -> frozenset[str]:
        """The keys of the marked rows; assign keys to mark other rows."""
        return self._marks

    @marks.setter
    def marks(self, keys: Iterable[str]) -> None:
        self._range = None
        self._set_marks(frozenset(keys).intersection(self._keys))

    @property
    def range_active(self) -> bool:
        """Whether moving the cursor extends the marks."""
        return self._range is not None

    @property
    def selection(self) -> list[R]:
        """The marked rows in order; without marks, the row under the cursor."""
        if self._marks:
            return [
                row for key, row in zip(self._keys, self._rows, strict=True) if key in self._marks
            ]
        return [self._rows[self._cursor]] if self._keys else []

    def set_highlight(self, pattern: re.Pattern[str] | None) -> None:
        """Highlight the matches in the visible columns."""
        self._pattern = pattern
        self.workers.cancel_group(self, "seek")
        self.redraw()

    def next_match(self, *, here: bool = False) -> None:
        """Move to the next match; with ``here``, the cursor's row counts too.

        The search runs in a thread; a newer search replaces it. ``NoMatch`` is posted if there is
        no match.
        """
        self._seek(0 if here else 1, 1)

    def previous_match(self) -> None:
        """Move to the previous match, in the same way as ``next_match``."""
        self._seek(-1, -1)

    @work(exclusive=True, group="seek")
    async def _seek(self, offset: int, step: int) -> None:
        job = Job()
        reported = False
        start = self._cursor + offset
        search = asyncio.ensure_future(
            asyncio.to_thread(
                self._first_match, job, start, step, self._pattern, self._rows, self._keys
            )
        )
        try:
            while not (await asyncio.wait({search}, timeout=_PROGRESS_SECONDS))[0]:
                reported = True
                self.post_message(self.Searching(self, job.share))
        except asyncio.CancelledError:
            job.cancel()  # a newer search has begun, or the list is gone
            raise
        finally:
            if reported:
                self.post_message(self.Searching(self, None))
        key = await search
        if key is None:
            self.post_message(self.NoMatch(self))
            return
        self.move_to(key)
        matches = await asyncio.to_thread(self._all_matches, job, self._pattern, self._rows)
        index = self.cursor_index
        if matches is not None and index in matches:
            self.post_message(self.Matched(self, matches.index(index) + 1, len(matches)))

    def _all_matches(
        self, job: Job, pattern: re.Pattern[str] | None, rows: Sequence[R]
    ) -> list[int] | None:
        """Find the indexes of all rows with a match; None if a newer search began."""
        if pattern is None:
            return None
        columns = [column for column, _ in self._shown_columns()]
        try:
            return matching_rows(columns, pattern, rows, job, self._heading)
        except Cancelled:
            return None

    def _first_match(
        self,
        job: Job,
        start: int,
        step: int,
        pattern: re.Pattern[str] | None,
        rows: Sequence[R],
        keys: Sequence[str],
    ) -> str | None:
        """Find the key of the first match; runs in a thread."""
        if pattern is None:
            return None
        columns = [column for column, _ in self._shown_columns()]
        try:
            index = first_match(columns, pattern, rows, start, step, job, self._heading)
        except Cancelled:
            return None
        if index is None:
            return None
        return keys[index]

    # --- keys and mouse

    def action_move(self, step: int) -> None:
        self._move(self._cursor + step)

    def action_first(self) -> None:
        self._move(0)

    def action_last(self) -> None:
        self._move(len(self._keys) - 1)

    def action_page(self, pages: float) -> None:
        """Move by pages; the cursor keeps its screen line."""
        direction = 1 if pages > 0 else -1
        step = int(self.page * pages) or direction
        self.scroll_top(self.top + step)
        self._move(self._cursor + step)

    def action_open(self) -> None:
        if self._keys:
            self.post_message(self.Opened(self, self.cursor_row))

    def action_mark(self) -> None:
        key = self.cursor_key
        if key is not None:
            self.marks = self._marks ^ {key}
            self.action_move(1)

    def action_range(self) -> None:
        if self._range:
            self._range = None
            return
        key = self.cursor_key
        if key is not None:
            self._range = _Range(key, self._marks)
            self._extend_range()

    def _extend_range(self) -> None:
        """Mark the rows from the start of the range to the cursor."""
        if self._range:
            start = self._keys.index(self._range.start_key)
            first, last = sorted((start, self._cursor))
            self._set_marks(self._range.other_marks.union(self._keys[first : last + 1]))

    def check_action(self, action: str, _: tuple[object, ...]) -> bool:
        return self._marking or action not in ("mark", "range")

    def advance(self) -> bool:
        """Move to the next row; return False on the last one."""
        before = self._cursor
        self._move(before + 1)
        return self._cursor != before

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None or offset.y < self.HEADER:
            return
        index = self.top + offset.y - self.HEADER
        if index < len(self._keys):
            self._move(index)
            if event.chain == 2:
                self.action_open()

    # --- cursor and marks

    def _move(self, index: int) -> None:
        """Move the cursor to a row at the analyst's request."""
        if not self._keys:
            return
        self.was_moved = True
        before, self._cursor = self._cursor, max(0, min(index, len(self._keys) - 1))
        if self._cursor:
            self.follow_top = False
        self.reveal(self._cursor)
        if self._cursor != before:
            self.refresh_row(before)
            self.refresh_row(self._cursor)
            self._extend_range()
            self.post_message(self.CursorMoved(self, self.cursor_key, lost=False))
            self.post_message(self.Highlighted(self, self.cursor_row))

    def watch_follow_top(self, follow_top: bool) -> None:
        if follow_top:
            self._move(0)

    def _set_marks(self, marks: frozenset[str]) -> None:
        if marks != self._marks:
            self._marks = marks
            self.refresh()
            self.post_message(self.MarksChanged(self, marks))

    def on_resize(self) -> None:
        self.redraw()
        self.reveal(self._cursor)
