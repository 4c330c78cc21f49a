"""Callers by their raw bytes, which questions each of them is known to refuse, and views of hits.

``callers.h`` looks them up, so that the records of a caller of whom no rule wants to know are
passed over before anything in Python is made of them, and those of a view that is known are hits
without one look-up here.
"""

from __future__ import annotations

import ctypes
import mmap
import struct
from array import array
from collections.abc import Container
from typing import Any

CALLER_CAPACITY = 1 << 15
CALLER_BYTES = 8 << 20
"""Of the callers that are known; where either is full, all are forgotten."""

_VIEW = struct.Struct("=4i")
"""A view: first of all the number of its head."""


class _Callers(ctypes.Structure):
    _fields_ = [
        ("capacity", ctypes.c_int64),
        ("table_size", ctypes.c_int64),
        ("bytes_capacity", ctypes.c_int64),
        ("count", ctypes.c_int64),
        ("bytes_end", ctypes.c_int64),
        ("known", ctypes.c_void_p),
        ("refused", ctypes.c_void_p),
        ("table", ctypes.c_void_p),
        ("bytes", ctypes.c_void_p),
        ("view_count", ctypes.c_int64),
        ("views", ctypes.c_void_p),
        ("view_table", ctypes.c_void_p),
    ]


class KnownCallers:
    """What callers are known to refuse, as bits, and what follows from views, by their numbers.

    They change speed only, never a result."""

    def __init__(self, capacity: int = CALLER_CAPACITY, size: int = CALLER_BYTES) -> None:
        self._sizes = capacity, size
        self.views: dict[int, Any] = {}
        self._forget()

    @property
    def is_full(self) -> bool:
        """There may be no room for another caller."""
        found = self._structure
        # The largest caller is much smaller than half of the room.
        count = max(found.count, found.view_count)
        return bool(count >= found.capacity or found.bytes_end > found.bytes_capacity // 2)

    def address(self) -> int:
        """Return where the callers are, to whom the library may add some."""
        if self.is_full:
            self._forget()
        return ctypes.addressof(self._structure)

    def refuse(self, number: int, question: int) -> None:
        """Remember that a caller refuses a question, a bit; number 0 is nobody."""
        if number:
            self._refused[number] |= question

    def refuses(self, number: int, question: int) -> bool:
        """Check whether a caller is known to refuse a question."""
        return bool(self._refused[number] & question)

    def keep_views_of(self, heads: Container[int]) -> None:
        """Forget what follows from views but those of some heads."""
        head_of = memoryview(self._view_rows).cast("i")[:: _VIEW.size // 4]
        self.views = {view: it for view, it in self.views.items() if head_of[view] in heads}

    def _forget(self) -> None:
        capacity, size = self._sizes
        table_size = 1 << (2 * capacity - 1).bit_length()
        self.views = {}
        self._refused = array("Q", bytes(8 * capacity))
        # Few logs have callers for all of this: pages that are not written to cost nothing.
        sizes = 12 * capacity, 4 * table_size, size, _VIEW.size * capacity, 4 * table_size
        rooms = [mmap.mmap(-1, each) for each in sizes]
        self._view_rows = rooms[3]
        self._room = list(map(ctypes.c_char.from_buffer, rooms))
        known, table, texts, views, view_table = map(ctypes.addressof, self._room)
        refused = self._refused.buffer_info()[0]
        self._structure = _Callers(
            capacity, table_size, size, 1, 0, known, refused, table, texts, 1, views, view_table
        )
