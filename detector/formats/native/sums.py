"""Sum the groups of a chunk by what their heads have in common.

``sums.h`` does it, by what the table of heads was told of origins and calls.
"""

from __future__ import annotations

import ctypes
import threading
from array import array
from typing import NamedTuple

from detector.formats.native.cut import HeadGroups
from detector.formats.native.library import LIBRARY

IS_SKIPPED, MAY_OPEN, IS_CHANGE = 1, 2, 4
"""The kinds of a call, as bits: its records are no events; they may have the key of a session; it
is no read."""
_WIDE = "origin_firsts", "origin_lasts", "change_firsts", "change_lasts"
"""The results that are times."""
_NARROW = (
    *("origins", "by_origin", "origin_ends", "postings", "posting_ends", "posted"),
    *("asking", "opening", "skipped", "slots"),
)


class GroupSums(NamedTuple):
    """The sums of the groups of a chunk; groups, records, origins and postings by their numbers.

    ``origins`` are those that have events, in order of the first group, ``spans`` their first and
    last time, ``changes`` those of their calls that are changes (the first is the greater where
    there are none). ``groups_of_origin`` are the groups of each. ``postings`` are the postings
    that have records, ``posted`` their records, but for those of ``opening`` groups, which may open
    a session. ``asking`` are groups of events of which something is asked that was not refused,
    ``skipped`` those that are no events."""

    origins: list[int]
    spans: list[tuple[int, int]]
    changes: list[tuple[int, int]]
    groups_of_origin: list[list[int]]
    postings: list[int]
    posted: list[list[int]]
    asking: list[int]
    opening: list[int]
    skipped: list[int]


class _Sums(ctypes.Structure):
    _fields_ = [
        ("capacity", ctypes.c_int64),
        ("records", ctypes.c_int64),
        ("group_count", ctypes.c_int64),
        ("groups", ctypes.c_void_p),
        ("ends", ctypes.c_void_p),
        ("numbers", ctypes.c_void_p),
        ("firsts", ctypes.c_void_p),
        ("lasts", ctypes.c_void_p),
        ("origin_count", ctypes.c_int64),
        ("posting_count", ctypes.c_int64),
        ("asking_count", ctypes.c_int64),
        ("opening_count", ctypes.c_int64),
        ("skipped_count", ctypes.c_int64),
        ("origins", ctypes.c_void_p),
        ("origin_firsts", ctypes.c_void_p),
        ("origin_lasts", ctypes.c_void_p),
        ("change_firsts", ctypes.c_void_p),
        ("change_lasts", ctypes.c_void_p),
        ("by_origin", ctypes.c_void_p),
        ("origin_ends", ctypes.c_void_p),
        ("postings", ctypes.c_void_p),
        ("posting_ends", ctypes.c_void_p),
        ("posted", ctypes.c_void_p),
        ("asking", ctypes.c_void_p),
        ("opening", ctypes.c_void_p),
        ("skipped", ctypes.c_void_p),
        ("slots", ctypes.c_void_p),
    ]


class _Results:
    """Arrays for the sums of a chunk, and the structure that points to them."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.wide = {name: array("q", bytes(8 * capacity)) for name in _WIDE}
        self.narrow = {name: array("i", bytes(4 * capacity)) for name in _NARROW}
        pointers = {
            name: values.buffer_info()[0] for name, values in (self.wide | self.narrow).items()
        }
        self.structure = _Sums(capacity, **pointers)

    def spans(self, name: str, count: int) -> list[tuple[int, int]]:
        firsts, lasts = self.wide[name + "_firsts"], self.wide[name + "_lasts"]
        return list(zip(firsts[:count], lasts[:count], strict=True))

    def numbers(self, name: str, count: int) -> list[int]:
        return self.narrow[name][:count].tolist()

    def parts(self, name: str, ends: str, count: int) -> list[list[int]]:
        """Return what lies before each end, and behind the one before."""
        stops = self.numbers(ends, count)
        every = self.numbers(name, stops[-1] if stops else 0)
        return list(map(every.__getitem__, map(slice, [0, *stops], stops)))


_kept = threading.local()


def sum_groups(groups: HeadGroups) -> GroupSums:
    """Sum the groups of a chunk."""
    assert LIBRARY is not None  # it has cut the chunk
    results = _results(len(groups.groups))
    sums = results.structure
    sums.records, sums.group_count = len(groups.groups), len(groups.numbers)
    sums.groups, sums.ends = _address(groups.groups), _address(groups.ends)
    sums.numbers = _address(groups.numbers)
    sums.firsts, sums.lasts = _address(groups.firsts), _address(groups.lasts)
    table = groups.table
    status = LIBRARY.trailhound_sum_groups(
        ctypes.byref(table.structure), ctypes.byref(table.facts_structure), ctypes.byref(sums)
    )
    assert not status
    return GroupSums(
        results.numbers("origins", sums.origin_count),
        results.spans("origin", sums.origin_count),
        results.spans("change", sums.origin_count),
        results.parts("by_origin", "origin_ends", sums.origin_count),
        results.numbers("postings", sums.posting_count),
        results.parts("posted", "posting_ends", sums.posting_count),
        results.numbers("asking", sums.asking_count),
        results.numbers("opening", sums.opening_count),
        results.numbers("skipped", sums.skipped_count),
    )


def _address(values: array[int]) -> int:
    return values.buffer_info()[0]


def _results(capacity: int) -> _Results:
    """Return the thread's arrays, made larger where they are too small."""
    results: _Results | None = getattr(_kept, "results", None)
    if results is None or results.capacity < capacity:
        results = _kept.results = _Results(capacity)
    return results
