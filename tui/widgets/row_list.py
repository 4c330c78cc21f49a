"""One list for alerts, events, notes and suppressions: any number of rows, drawn a line at a time.

The cursor belongs to a row's key, never to a position. Rows come and go above and below it while an analyst reads, and
the next key press must still mean the row that was looked at.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
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
from tui.widgets.row_search import first_match
from tui.widgets.row_view import RowView

R = TypeVar("R")

_TELL_AFTER = 0.2
"""Seconds from which a search says how far it is."""


@dataclass
class _Said(Message):
    row_list: RowList[Any]

    @property
    def control(self) -> RowList[Any]:
        return self.row_list


@dataclass(frozen=True)
class _Range:
    """Marks from the row of the key ``begin`` to the cursor, beside those that were there
    before."""

    begin: str
    before: frozenset[str]


class RowList(RowView[R], can_focus=True, inherit_bindings=False):
    """A list to move through, mark and search. What it is made of: see ``RowView``; ``marking``
    False: its rows cannot be marked."""

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
        key("list.open", "enter", "open", "open", "Open the row under the cursor", OPEN, show=True),
        key(
            "list.mark",
            "space",
            "mark",
            "mark",
            "Mark the row or unmark it, and go to the next",
            MARK,
            show=True,
        ),
        key(
            "list.range",
            "V",
            "range",
            "mark range",
            "Begin a range of marks that goes with the cursor, or end it",
            MARK,
        ),
    ]

    def __init__(
        self,
        columns: Sequence[Column[R]],
        *,
        key: Callable[[R], str],
        marking: bool = True,
        **given: Any,
    ) -> None:
        super().__init__(columns, key=key, **given)
        self._marking = marking
        self.was_moved = False
        """Whether somebody has moved the cursor."""
        self._range: _Range | None = None

    follow_top: reactive[bool] = reactive(False, init=False)
    """Stay on the first row whatever comes. Moving off it by hand ends it."""

    @dataclass
    class Highlighted(_Said):
        """The row under the cursor is another one, or has changed. None: there is no row."""

        row: Any

    @dataclass
    class CursorMoved(_Said):
        """The cursor is on another key. ``lost``: nobody moved it, its row went, and this is the
        nearest one left."""

        key: str | None
        lost: bool

    @dataclass
    class Opened(_Said):
        """Enter or a double click on a row."""

        row: Any

    @dataclass
    class MarksChanged(_Said):
        """Other rows are marked than before."""

        marks: frozenset[str]

    @dataclass
    class Searching(_Said):
        """A search that takes long: how much of the list it has been through, from 0 to 1; None
        once it has ended."""

        share: float | None

    @dataclass
    class NoMatch(_Said):
        """A search went all the way round and found nothing."""

    def show(self, rows: Sequence[R], keys: Sequence[str] | None = None) -> None:
        """Show ``rows``, the whole list in display order; ``keys`` are theirs, where the caller has
        them at hand.

        The cursor stays on its key and on its screen line, as far as the list's ends allow; where
        it was scrolled out of sight, the top line stays instead. A row that went takes its mark
        along, and the cursor goes to the nearest row that is left. With ``follow_top``, the cursor goes
        to the first row."""
        old_keys, old_key, old_row = self._keys, self.cursor_key, self.cursor_row
        held = self._cursor if self.in_view(self._cursor) else self.top
        line = held - self.top
        self._rows, self._keys = rows, list(map(self._key, rows)) if keys is None else keys
        if self.follow_top:
            self._cursor = held = 0
            line = 0
        else:
            self._cursor, held = (
                find_successor(old_keys, index, self._keys) for index in (self._cursor, held)
            )
        self.redraw()
        self.set_rows(len(rows))
        self.scroll_top(held - line)
        if self._marks:
            self._set_marks(self._marks.intersection(self._keys))
        if self._range and self._range.begin not in self._marks:
            self._range = None
        if self.cursor_key != old_key:
            lost = old_key is not None and not self.follow_top
            self.post_message(self.CursorMoved(self, self.cursor_key, lost))
        if self.cursor_row is not old_row or self.cursor_key != old_key:
            self.post_message(self.Highlighted(self, self.cursor_row))

    def move_to(self, key: str) -> bool:
        """Put the cursor on the row of ``key`` and in view; False where there is no such row."""
        try:
            self._move(self._keys.index(key))
        except ValueError:
            return False
        return True

    def step_column(self, step: int) -> None:
        """Go to the cell beside; the first one is that of the first column."""
        keys = [column.key for column, _ in self._shown_columns()]
        place = keys.index(self._column) + step if self._column in keys else 0
        self._column = keys[max(0, min(place, len(keys) - 1))]
        self.redraw()

    # --- marks, order, search

    @property
    def marks(self) -> frozenset[str]:
        """Keys of the marked rows. Assign to change them; only rows of the list can be marked."""
        return self._marks

    @marks.setter
    def marks(self, keys: Iterable[str]) -> None:
        self._range = None
        self._set_marks(frozenset(keys).intersection(self._keys))

    @property
    def range_active(self) -> bool:
        """Whether the marks go with the cursor."""
        return self._range is not None

    @property
    def selection(self) -> list[R]:
        """The marked rows in display order, or else the one under the cursor."""
        if self._marks:
            return [
                row for key, row in zip(self._keys, self._rows, strict=True) if key in self._marks
            ]
        return [self._rows[self._cursor]] if self._keys else []

    def set_highlight(self, pattern: re.Pattern[str] | None) -> None:
        """Paint where ``pattern`` is found in the columns that are shown; ``next_match`` goes
        there."""
        self._pattern = pattern
        self.workers.cancel_group(self, "seek")
        self.redraw()

    def next_match(self, *, here: bool = False) -> None:
        """Move to the next row with a hit, going round at the end; ``here``: the cursor's own row
        counts too.

        The search runs in a thread, and a newer one takes its place. ``NoMatch`` says there is none.
        """
        self._seek(0 if here else 1, 1)

    def previous_match(self) -> None:
        """Move to the previous row with a hit, as ``next_match`` does."""
        self._seek(-1, -1)

    @work(exclusive=True, group="seek")
    async def _seek(self, offset: int, step: int) -> None:
        job, told = Job(), False
        search = asyncio.ensure_future(
            asyncio.to_thread(
                self._hit, job, self._cursor + offset, step, self._pattern, self._rows, self._keys
            )
        )
        try:
            while not (await asyncio.wait({search}, timeout=_TELL_AFTER))[0]:
                told = True
                self.post_message(self.Searching(self, job.share))
        finally:
            job.cancel()  # a newer search is there, or nobody wants this one
            if told:
                self.post_message(self.Searching(self, None))
        if (hit := await search) is None:
            self.post_message(self.NoMatch(self))
        else:
            self.move_to(hit)

    def _hit(
        self,
        job: Job,
        start: int,
        step: int,
        pattern: re.Pattern[str] | None,
        rows: Sequence[R],
        keys: Sequence[str],
    ) -> str | None:
        """The key of the first row from ``start`` on with a hit; in a thread."""
        if pattern is None:
            return None
        columns = [column for column, _ in self._shown_columns()]
        with suppress(Cancelled):
            if (
                place := first_match(columns, pattern, rows, start, step, job, self._heading)
            ) is not None:
                return keys[place]
        return None

    # --- keys and mouse

    def action_move(self, step: int) -> None:
        self._move(self._cursor + step)

    def action_first(self) -> None:
        self._move(0)

    def action_last(self) -> None:
        self._move(len(self._keys) - 1)

    def action_page(self, pages: float) -> None:
        """Move by ``pages`` heights of the list, the cursor keeping its screen line."""
        step = int(self.page * pages) or (1 if pages > 0 else -1)
        self.scroll_top(self.top + step)
        self._move(self._cursor + step)

    def action_open(self) -> None:
        if self._keys:
            self.post_message(self.Opened(self, self.cursor_row))

    def action_mark(self) -> None:
        if (key := self.cursor_key) is not None:
            self.marks = self._marks ^ {key}
            self.action_move(1)

    def action_range(self) -> None:
        if self._range:
            self._range = None
        elif (key := self.cursor_key) is not None:
            self._range = _Range(key, self._marks)
            self._stretch()

    def _stretch(self) -> None:
        """Let the range go from where it was begun to the cursor."""
        if self._range:
            ends = sorted((self._keys.index(self._range.begin), self._cursor))
            self._set_marks(self._range.before.union(self._keys[ends[0] : ends[1] + 1]))

    def check_action(self, action: str, _: tuple[object, ...]) -> bool:
        return self._marking or action not in ("mark", "range")

    def advance(self) -> bool:
        """Move to the next row; False on the last one."""
        before = self._cursor
        self._move(before + 1)
        return self._cursor != before

    def on_click(self, event: events.Click) -> None:
        place = event.get_content_offset(self)
        if place is None or place.y < self.HEADER:
            return
        index = self.top + place.y - self.HEADER
        if index < len(self._keys):
            self._move(index)
            if event.chain == 2:
                self.action_open()

    # --- place

    def _move(self, index: int) -> None:
        """The analyst moves the cursor."""
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
            self._stretch()
            self.post_message(self.CursorMoved(self, self.cursor_key, lost=False))
            self.post_message(self.Highlighted(self, self.cursor_row))

    def watch_follow_top(self, follow: bool) -> None:
        if follow:
            self._move(0)

    def _set_marks(self, marks: frozenset[str]) -> None:
        if marks != self._marks:
            self._marks = marks
            self.refresh()
            self.post_message(self.MarksChanged(self, marks))

    def on_resize(self) -> None:
        self.redraw()
        self.reveal(self._cursor)
