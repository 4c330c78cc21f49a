"""Tables of callers by their raw bytes, with the questions that each refuses, and of views.

A question is a bit for a set of rules; a caller refuses it if none of the rules can match the
caller. ``callers.h`` looks callers and views up, so that records whose caller no rule can match are
skipped before any Python object is made, and records with a known view need no look-up in Python.
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
"""The limits of the callers' number and bytes; when either is reached, all are forgotten."""

_VIEW = struct.Struct("=4i")
"""A view, ``View`` in ``callers.h``; it begins with the number of its head."""


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
    """The questions that callers refuse, as bits, and the facts derived from views, by number.

    They only affect speed, never a result."""

    def __init__(self, capacity: int = CALLER_CAPACITY, size: int = CALLER_BYTES) -> None:
        self._sizes = capacity, size
        self.views: dict[int, Any] = {}
        self._forget()

    @property
    def is_full(self) -> bool:
        """Whether there may be no room for another caller or view."""
        found = self._structure
        # The largest caller is much smaller than half the room.
        count = max(found.count, found.view_count)
        return bool(count >= found.capacity or found.bytes_end > found.bytes_capacity // 2)

    def address(self) -> int:
        """Return the address of the table, to which the library may add callers and views.

        The table is emptied first if it is full."""
        if self.is_full:
            self._forget()
        return ctypes.addressof(self._structure)

    def refuse(self, number: int, question: int) -> None:
        """Remember that a caller refuses a question, given as a bit; number 0 is no caller."""
        if number:
            self._refused[number] |= question

    def refuses(self, number: int, question: int) -> bool:
        """Return whether a caller is known to refuse a question."""
        return bool(self._refused[number] & question)

    def keep_views_of(self, heads: Container[int]) -> None:
        """Forget the facts of all views except those of these heads."""
        head_of = memoryview(self._view_rows).cast("i")[:: _VIEW.size // 4]
        self.views = {view: it for view, it in self.views.items() if head_of[view] in heads}

    def _forget(self) -> None:
        capacity, size = self._sizes
        table_size = 1 << (2 * capacity - 1).bit_length()
        self.views = {}
        self._refused = array("Q", bytes(8 * capacity))
        # Few logs have that many callers; pages that are never written take no memory.
        sizes = 12 * capacity, 4 * table_size, size, _VIEW.size * capacity, 4 * table_size
        rooms = [mmap.mmap(-1, each) for each in sizes]
        self._view_rows = rooms[3]
        self._room = list(map(ctypes.c_char.from_buffer, rooms))
        known, table, texts, views, view_table = map(ctypes.addressof, self._room)
        refused = self._refused.buffer_info()[0]
        self._structure = _Callers(
            capacity, table_size, size, 1, 0, known, refused, table, texts, 1, views, view_table
        )
